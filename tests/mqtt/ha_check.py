"""Run by Home Assistant's own Python: checks announced entities against its schemas and renders its templates.

stdin: JSON {"entities": [[platform, config], …], "templates": [[template, payload], …], "automations": [config, …]}.
stdout: JSON {"errors": [[platform, name, error], …], "rendered": [text, …]}.
"""

import asyncio
import importlib
import json
import sys

from homeassistant.components.automation.config import PLATFORM_SCHEMA as AUTOMATION_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template


def schema(platform):
    """The discovery schema of a platform."""
    if platform == "device_automation":
        return importlib.import_module("homeassistant.components.mqtt.device_trigger").TRIGGER_DISCOVERY_SCHEMA
    return importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA


def check_automation(config):
    """An automation with each of its triggers, as Home Assistant's own schemas have them."""
    AUTOMATION_SCHEMA(config)
    for trigger in config["trigger"]:
        component = "homeassistant" if trigger["platform"] in ("time", "state", "event") else ""
        module = f"homeassistant.components.{component}.triggers.{trigger['platform']}" if component else (
            f"homeassistant.components.{trigger['platform']}.trigger")
        found = importlib.import_module(module)
        (getattr(found, "TRIGGER_SCHEMA", None) or found.TRIGGER_STATE_SCHEMA)(trigger)


async def main():
    work = json.load(sys.stdin)
    errors = []
    for platform, config in work["entities"]:
        try:
            schema(platform)(config)
        except Exception as error:
            errors.append([platform, config.get("unique_id", ""), str(error)])
    for automation in work.get("automations", []):
        try:
            check_automation(automation)
        except Exception as error:
            errors.append(["automation", automation.get("id", ""), str(error)])
    hass = HomeAssistant("/tmp")
    rendered = [str(Template(text, hass).async_render_with_possible_json_value(payload))
                for text, payload in work["templates"]]
    json.dump({"errors": errors, "rendered": rendered}, sys.stdout)


asyncio.run(main())
