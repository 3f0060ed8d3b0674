"""Run by Home Assistant's own Python: Home Assistant with the MQTT integration, asked over stdin and stdout.

usage: ha_run.py CONFIG_FOLDER BROKER_PORT. One JSON list a line: ["states"], ["call", domain, service, data] or
["devices"]; one JSON line comes back for each, and "ready" first. No HTTP: nothing but the broker is connected to.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.helpers import device_registry, entity_registry


async def started(folder, port):
    """Home Assistant as it starts, with MQTT added as a user adds it on the page."""
    Path(folder, "configuration.yaml").write_text("homeassistant:\n")
    hass = core.HomeAssistant(folder)
    hass.config.config_dir = folder
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    assert await bootstrap.async_from_config_dict({"homeassistant": {"country": "DE"}}, hass) is not None
    await hass.async_start()
    await hass.async_block_till_done()
    flow = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
    assert flow["type"] == "form", flow
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"broker": "127.0.0.1", "port": port})
    assert flow["type"] == "create_entry", flow
    return hass


async def answer(hass, what, *more):
    if what == "states":
        return {state.entity_id: {"state": state.state, "name": state.attributes.get("friendly_name"),
                                  "options": state.attributes.get("options")} for state in hass.states.async_all()}
    if what == "devices":
        found = device_registry.async_get(hass)
        entities = entity_registry.async_get(hass)
        return {device.name: [each.entity_id for each in entities.entities.values() if each.device_id == device.id]
                for device in found.devices.values()}
    domain, service, data = more
    await hass.services.async_call(domain, service, data, blocking=True)
    return None


async def main():
    logging.basicConfig(level=logging.WARNING)
    folder, port = sys.argv[1], int(sys.argv[2])
    hass = await started(folder, port)
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(hass, *json.loads(line)), default=str), flush=True)
    await hass.async_stop(force=True)


asyncio.run(main())
