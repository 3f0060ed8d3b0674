"""What Home Assistant is told: against stored snapshots, and against its own schemas where it is installed.

The snapshots in tests/golden were accepted by Home Assistant 2024.3.3; AIPG_UPDATE_GOLDEN=1 writes them anew.
AIPG_HA_PYTHON names a Python that has Home Assistant, in a virtual environment of its own: `pip install
homeassistant==2024.3.3 paho-mqtt==1.6.1` on Python 3.11; looked for in .venv/homeassistant otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aipg_plugin.mqtt.discovery import Announcer, entity_name, with_tombstones
from aipg_plugin.mqtt.events import CameraAnalytics, CameraEvents
from aipg_plugin.mqtt.payloads import to_json
from aipg_plugin.mqtt.topics import Topics
from tests.mqtt.conftest import make_camera
from tests.mqtt.test_analytics import report
from tests.needs import CHECKOUT

GOLDEN = Path(__file__).parent.parent / "golden"
HA_PYTHON = os.environ.get("AIPG_HA_PYTHON", str(CHECKOUT / ".venv" / "homeassistant" / "bin" / "python"))
CAMERAS = (make_camera(), make_camera("back yard's", name="", streams=("main",), areas=()))
NAMES = {"hub", "connection", "reload", "guard", "circumferential_mosaic", "area", "masking_method", "sensitivity",
         "blur_intensity", "camera_height", "state", "evidence_age", "fps", "masked_share", "snapshot",
         "take_snapshot", "people", "occupancy", "problem", "person"}
PLATFORMS = {"switch", "select", "number", "sensor", "binary_sensor", "image", "event", "device_automation", "button"}
REQUIRED = {
    "switch": {"command_topic", "state_topic"}, "select": {"command_topic", "options"}, "number": {"command_topic"},
    "sensor": {"state_topic"}, "binary_sensor": {"state_topic"}, "image": {"image_topic"}, "button": {"command_topic"},
    "event": {"state_topic", "event_types"}, "device_automation": {"automation_type", "type", "subtype", "topic"},
}


def announced(*, per_device: bool, language: str = "en", instance: str = "aipg") -> dict[str, Any]:
    announcer = Announcer(Topics(), "1.2.3", instance, language, per_device=per_device)
    return {topic: json.loads(payload) for topic, payload in announcer.payloads(CAMERAS).items()}


def entities(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(platform, config as one entity announces it) of either format."""
    flat = []
    for topic, payload in found.items():
        if "components" in payload:
            flat += [(c["platform"], {k: v for k, v in c.items() if k != "platform"} | {"device": payload["device"]})
                     for c in payload["components"].values()]
        else:
            flat.append((topic.split("/")[1], payload))
    return flat


@pytest.mark.parametrize("per_device", [True, False])
def test_snapshot(per_device):
    file = GOLDEN / f"mqtt_discovery_{'device' if per_device else 'entity'}.json"
    found = announced(per_device=per_device)
    for _, entity in entities(found):       # names are the translators' business
        entity.pop("name", None)
    text = json.dumps(_without_names(found), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("AIPG_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert json.loads(text) == json.loads(file.read_text(encoding="utf-8"))


def _without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_names(v) for k, v in value.items() if k != "name"}
    return [_without_names(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("per_device", [True, False])
def test_every_entity_has_what_its_platform_requires(per_device):
    found = entities(announced(per_device=per_device))
    assert {platform for platform, _ in found} == PLATFORMS
    for platform, config in found:
        assert config.keys() >= REQUIRED[platform], config
        if platform != "device_automation":
            assert config["default_entity_id"] == f"{platform}.{config['object_id']}"
    ids = [config["unique_id"] for platform, config in found if platform != "device_automation"]
    assert len(ids) == len(set(ids))


def test_one_payload_per_stream_hangs_on_the_hub():
    found = announced(per_device=True)
    assert len(found) == 1 + 2 + 1
    hub = found["homeassistant/device/aipg/hub/config"]["device"]["identifiers"][0]
    for topic, payload in found.items():
        assert payload["origin"]["name"]
        assert topic.endswith("/hub/config") or payload["device"]["via_device"] == hub


def test_devices_lead_to_the_pages():
    announcer = Announcer(Topics(), "1.2.3", pages_url="http://guard.local:8097/")
    devices = {json.loads(payload)["device"]["name"]: json.loads(payload)["device"]["configuration_url"]
               for payload in announcer.payloads(CAMERAS).values()}
    assert "http://guard.local:8097/" in devices.values()
    assert "http://guard.local:8097/#/guard/lobby" in devices.values()


def test_two_instances_do_not_share_ids():
    a, b = (announced(per_device=True, instance=name) for name in ("aipg", "upstairs"))
    assert not a.keys() & b.keys()
    ids = [{c.get("unique_id") for _, c in entities(x)} - {None} for x in (a, b)]
    assert not ids[0] & ids[1]
    assert {c.get("default_entity_id") for _, c in entities(a)} == {c.get("default_entity_id") for _, c in entities(b)}


@pytest.mark.parametrize("language", ["en", "de"])
def test_names_are_translated(language):
    names = {key: entity_name(key, language) for key in NAMES}
    assert all(names.values())
    if language == "de":
        english = {key: entity_name(key, "en") for key in NAMES}
        assert sum(names[key] != english[key] for key in NAMES) > len(NAMES) / 2
    found = entities(announced(per_device=True, language=language))
    assert next(c["name"] for _, c in found if c.get("unique_id") == "aipg_lobby_1_guard") == names["guard"]
    assert next(c["name"] for _, c in found if c.get("unique_id") == "aipg_lobby_1_area_3") == f"{names['area']} 3 till"


def test_an_unknown_name_is_readable():
    assert entity_name("some_new_thing", "xx") == "Some new thing"


def test_tombstones_name_only_what_is_gone():
    announcer = Announcer(Topics(), "1")
    old, new = announcer.payloads((make_camera(),)), announcer.payloads((make_camera(areas=(1,)),))
    merged = with_tombstones(new, old)
    components = json.loads(merged["homeassistant/device/aipg/lobby_2/config"])["components"]
    assert components.pop("area_3") == {"platform": "switch"}
    assert components == json.loads(new["homeassistant/device/aipg/lobby_2/config"])["components"]
    assert with_tombstones(new, merged) == merged
    assert with_tombstones(old, old) == old


def events_of(camera: str) -> list[str]:
    """JSON of a new, an update and an end event."""
    events = CameraEvents(camera, CameraAnalytics(), run="r")
    return [to_json(e.as_json()).decode() for step in (
        events.update(0.0, (report(1),)), events.update(2.0, (report(1, (0.7, 0.5)),)), events.update(3.5, ()))
        for e in step]


@pytest.mark.timeout(120)
def test_home_assistant_accepts_it_and_reads_its_values():
    if not Path(HA_PYTHON).is_file():
        pytest.skip(f"Home Assistant is not there: no {HA_PYTHON} (AIPG_HA_PYTHON); the snapshots were checked by it")
    both = [*entities(announced(per_device=True)), *entities(announced(per_device=False))]
    by_id = {c.get("unique_id"): c for _, c in both}
    figures = {"fps_out": 14.5, "masked_share": 0.25, "evidence_age_s": None}
    stats = to_json({"streams": {"lobby": {"1": figures}}}).decode()
    lobby, yard = by_id["aipg_lobby_1_person"], by_id["aipg_back_20_yard_27_s_main_person"]
    trigger = next(c for p, c in both if p == "device_automation" and c["type"] == "person_left")
    new, update, end = events_of("lobby")
    templates = [
        (by_id["aipg_lobby_1_fps"], stats, "14.5"), (by_id["aipg_lobby_1_masked_share"], stats, "25.0"),
        (by_id["aipg_lobby_1_evidence_age"], stats, "None"), (by_id["aipg_lobby_2_fps"], stats, "None"),
        (by_id["aipg_lobby_2_fps"], "{}", ""),
        (by_id["aipg_lobby_1_state"], '{"state":"failsafe","reason":"dark"}', "failsafe"),
        (lobby, update, ""), (yard, new, ""), (trigger, end, "yes"), (trigger, new, "no"), (trigger, update, "no"),
        (lobby, new, None), (lobby, end, None), (yard, events_of("back yard's")[0], None),
    ]
    broken = ("switch", {"name": "no topic", "unique_id": "broken"})
    work = {"entities": [*both, broken], "templates": [(c["value_template"], payload) for c, payload, _ in templates]}
    done = subprocess.run([HA_PYTHON, str(Path(__file__).parent / "ha_check.py")], input=json.dumps(work), text=True,
                          capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert [unique_id for _, unique_id, _ in answer["errors"]] == ["broken"], answer["errors"]
    for (_, _, wanted), got in zip(templates, answer["rendered"], strict=True):
        assert wanted is None or got.strip() == wanted
    assert [json.loads(text)["event_type"] for text in answer["rendered"][-3:]] == [
        "person_entered", "person_left", "person_entered"]
