"""Run by Home Assistant's own Python: Home Assistant with the MQTT integration, asked over stdin and stdout.

usage: ha_run.py CONFIG_FOLDER BROKER_PORT HTTP_PORT. One JSON list a line: ["states"], ["devices"],
["call", domain, service, data], ["onvif", port] (adds the cameras found there) or ["picture", camera] (a JPEG, Base64);
one JSON line comes back for each, and "ready" first. What stands in CONFIG_FOLDER/configuration.yaml is set up, if it
exists. Nothing but the broker and its cameras is connected to.
"""

import asyncio
import base64
import json
import logging
import sys
from pathlib import Path

import yaml
from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.components import camera
from homeassistant.helpers import device_registry, entity_registry


async def started(folder, port, http_port):
    """Home Assistant as it starts, with MQTT added as a user adds it on the page."""
    file = Path(folder, "configuration.yaml")
    pasted = yaml.safe_load(file.read_text()) if file.exists() else {}
    file.write_text("homeassistant:\n")  # what it reads itself, for the rest would be installed first
    if pasted:
        pasted["http"] = {"server_host": "127.0.0.1", "server_port": http_port}
    hass = core.HomeAssistant(folder)
    hass.config.config_dir = folder
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    assert await bootstrap.async_from_config_dict({"homeassistant": {"country": "DE"}, **pasted}, hass) is not None
    await hass.async_start()
    await hass.async_block_till_done()
    await added(hass, "mqtt", {"broker": "127.0.0.1", "port": port})
    return hass


async def added(hass, integration, *pages):
    """An integration, added as a user fills in its pages."""
    flow = await hass.config_entries.flow.async_init(integration, context={"source": "user"})
    for page in pages:
        assert flow["type"] == "form", flow
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], page)
    assert flow["type"] == "create_entry", flow
    await hass.async_block_till_done()


async def answer(hass, what, *more):
    if what == "states":
        return {state.entity_id: {"state": state.state, "name": state.attributes.get("friendly_name"),
                                  "options": state.attributes.get("options")} for state in hass.states.async_all()}
    if what == "onvif":
        return await added(hass, "onvif", {"auto": False}, {"name": "Guarded", "host": "127.0.0.1", "port": more[0]})
    if what == "picture":
        return base64.b64encode((await camera.async_get_image(hass, *more, timeout=20)).content).decode()
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
    folder, port, http_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hass = await started(folder, port, http_port)
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(hass, *json.loads(line)), default=str), flush=True)
    await hass.async_stop(force=True)


asyncio.run(main())
