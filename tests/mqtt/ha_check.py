"""Run by Home Assistant's own Python: checks announced entities against its schemas and renders its templates.

stdin: JSON {"entities": [[platform, config], …], "templates": [[template, payload], …]}.
stdout: JSON {"errors": [[platform, name, error], …], "rendered": [text, …]}.
"""

import asyncio
import importlib
import json
import sys

from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template


def schema(platform):
    """The discovery schema of a platform."""
    if platform == "device_automation":
        return importlib.import_module("homeassistant.components.mqtt.device_trigger").TRIGGER_DISCOVERY_SCHEMA
    return importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA


async def main():
    work = json.load(sys.stdin)
    errors = []
    for platform, config in work["entities"]:
        try:
            schema(platform)(config)
        except Exception as error:
            errors.append([platform, config.get("unique_id", ""), str(error)])
    hass = HomeAssistant("/tmp")
    rendered = [str(Template(text, hass).async_render_with_possible_json_value(payload))
                for text, payload in work["templates"]]
    json.dump({"errors": errors, "rendered": rendered}, sys.stdout)


asyncio.run(main())
