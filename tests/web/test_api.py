"""The API: changes are whole, in force before they are written, told in words, and never hold a secret."""

from __future__ import annotations

import ast
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import aipg_plugin
from aipg_plugin.passwords import is_hash
from aipg_plugin.resources import resource_path
from aipg_plugin.settings.describe import describe
from aipg_plugin.web import forms
from tests.servers import wait_for
from tests.web.house import House, in_threads

GUARD = "cameras.lobby.privacy_guard"


@pytest.fixture(autouse=True)
def _fresh(house: House) -> None:
    house.reset()


def test_a_change_is_in_force_written_and_noted(house: House) -> None:
    status, done = house.change(f"{GUARD}.sensitivity", "high")
    assert (status, done["unwritten"]) == (200, [])
    assert house.guard().sensitivity == "high"
    assert "sensitivity: high   # the hall is calm" in house.text
    assert house.text == house.first.replace("sensitivity: low", "sensitivity: high")
    last = [each for each in house.get("events") if each["kind"] == "change"][-1]
    assert last["path"] == f"{GUARD}.sensitivity"
    assert (last["before"], last["after"], last["origin"]) == ("low", "high", "page")


def test_a_bad_change_is_refused_whole_at_its_place(house: House) -> None:
    body = {"changes": [{"path": f"{GUARD}.masking_method", "value": "filling"},
                        {"path": "cameras.lobby.camera_height", "value": 9}]}
    status, refused = house.post("changes", body)
    assert (status, [each["path"] for each in refused["problems"]]) == (422, ["cameras.lobby.camera_height"])
    assert "2.5–5" in refused["problems"][0]["message"]
    assert house.text == house.first
    assert house.guard().masking_method == "blurring"


@pytest.mark.parametrize(("path", "value"), [
    (f"{GUARD}.enabled", False), (f"{GUARD}.target_streams", ["1"]),
    (f"{GUARD}.prohibited_areas", [{"number": 1, "rectangle": [0, 0, 0.5, 0.5], "status": True}]),
    (f"{GUARD}.hold_s", 1.0)])
def test_what_weakens_protection_asks_once_more(house: House, path: str, value: object) -> None:
    status, asked = house.change(path, value)
    assert status == 428
    assert any(each["weakens"] for each in asked["differences"])
    assert house.text == house.first
    assert house.change(path, value, confirmed=True)[0] == 200
    assert any(each.get("weakens") for each in house.get("events"))


def test_a_change_made_elsewhere_is_merged_or_refused(house: House) -> None:
    def ask(path: str, value: object, before: object) -> int:
        return house.post("changes", {"changes": [{"path": path, "value": value, "before": before}]})[0]

    assert ask(f"{GUARD}.sensitivity", "medium", "low") == 200
    assert ask(f"{GUARD}.masking_method", "filling", "blurring") == 200, "another setting: merged"
    assert ask("cameras.lobby.camera_height", 3.5, 3) == 200, "browsers write 3.0 as 3"
    assert ask(f"{GUARD}.sensitivity", "high", "low") == 409, "the same setting: refused"
    assert house.guard().sensitivity == "medium"


def test_what_cannot_be_written_is_in_force_and_told(house: House) -> None:
    house.file.rename(house.file.with_suffix(".away"))
    try:
        status, done = house.change(f"{GUARD}.sensitivity", "high")
        assert status == 200
        assert done["unwritten"]
        assert house.guard().sensitivity == "high"
    finally:
        house.file.with_suffix(".away").rename(house.file)


def test_areas_are_written_by_their_parts(house: House) -> None:
    areas = [{"number": 1, "rectangle": [0.1, 0.1, 0.3, 0.3], "status": True, "name": "Till"},
             {"number": 2, "points": [[0.5, 0.5], [0.7, 0.5], [0.6, 0.7]], "status": False}]
    assert house.change(f"{GUARD}.always_mask_areas", areas)[0] == 200
    house.file.write_text(house.text.replace("name: Till", "name: Till   # the north one"), encoding="utf-8")
    areas[1]["status"] = True
    assert house.change(f"{GUARD}.always_mask_areas", areas, confirmed=True)[0] == 200
    assert "# the north one" in house.text
    written = house.yaml["cameras"]["lobby"]["privacy_guard"]["always_mask_areas"]
    assert [each["status"] for each in written] == [True, True]
    assert house.change(f"{GUARD}.always_mask_areas", areas[1:], confirmed=True)[0] == 200
    assert [each.number for each in house.guard().always_mask_areas] == [2]


def test_a_camera_comes_and_goes(house: House) -> None:
    stream = {"source": {"url": str(house.clip), "loop": True}, "outputs": [{"kind": "http"}]}
    camera = {"name": "Shop", "streams": {"1": stream}, "privacy_guard": {"enabled": True, "target_streams": ["1"]}}
    assert house.change("cameras.shop", camera)[0] == 200
    wait_for(lambda: house.picture("shop").any(), 40, "a picture of the new camera")
    assert list(house.yaml["cameras"]) == ["lobby", "yard", "shop"]
    assert house.change("cameras.shop", None)[0] == 200
    assert list(house.get("state")["cameras"]) == ["lobby", "yard"]
    assert house.call("GET", "api/cameras/shop/streams/1/picture.jpg")[0] == 404


def test_cloning_gives_a_result_for_each_camera(house: House) -> None:
    status, done = house.post("clone", {"source": "lobby", "targets": ["yard"], "parts": ["guard"], "confirmed": True})
    assert status == 200
    assert done["results"] == [{"camera": "yard", "ok": True, "problems": []}]
    assert house.guard("yard").sensitivity == "low"


def test_secrets_do_not_leave_and_come_back(house: House) -> None:
    url = "rtsp://joe:top-secret@127.0.0.1:9/live"
    camera = {"enabled": False, "streams": {"1": {"source": {"url": url}}}}
    assert house.change("cameras.vault", camera)[0] == 200
    assert house.change("web.users", {"vic": {"password": "correct horse", "role": "viewer"}})[0] == 422, "no admin"
    assert house.change("web.users", {"anna": {"password": "correct horse", "role": "admin"}})[0] == 200
    assert house.call("GET", "api/settings")[0] == 401, "now there is somebody to log in"
    facade: Any = house.app.watchers[0]
    everything = json.dumps([facade.settings_json(), [each.as_json() for each in facade.journal.since()],
                             facade.diagnostics_json(), facade.export_text()])
    stored = house.yaml["web"]["users"]["anna"]["password"]
    house.reset()
    assert "top-secret" not in everything
    assert "correct horse" not in everything
    assert is_hash(stored)
    assert stored not in everything
    path = "cameras.vault.streams.1.source.url"
    house.change("cameras.vault", camera)
    assert house.change(path, "rtsp://***@127.0.0.1:9/other")[0] == 200
    assert house.yaml["cameras"]["vault"]["streams"]["1"]["source"]["url"] == url.replace("live", "other")
    status, refused = house.change(path, "rtsp://***@10.0.0.9/other")
    assert (status, refused["problems"][0]["path"]) == (422, path), "a password is not sent to another host"


def test_a_file_goes_out_and_comes_back(house: House) -> None:
    text = house.call("GET", "api/file")[1].decode()
    assert text == house.first
    status, seen = house.post("file/preview", {"text": text.replace("name: Lobby", "name: Hall")})
    assert (status, [each["path"] for each in seen["differences"]]) == (200, ["cameras.lobby.name"])
    assert house.post("file", {"text": text.replace("name: Lobby", "name: Hall")})[0] == 200
    assert house.text == house.first.replace("name: Lobby", "name: Hall")
    assert house.post("file", {"text": "cameras: 3"})[0] == 422


def test_a_camera_is_tried_before_it_is_saved(house: House, tmp_path: Path) -> None:
    status, found = house.post("trials", {"camera": {"streams": {"1": {"source": {"url": str(house.clip)}}}}})
    assert (status, found["capture_mode"], found["sure"]) == (200, "fisheye", True)
    assert found["circle"]
    assert house.call("GET", f"api/trials/{found['id']}.jpg")[1][:2] == b"\xff\xd8"
    missing = {"streams": {"1": {"source": {"url": str(tmp_path / "no.mp4")}}}}
    status, refused = house.post("trials", {"camera": missing})
    assert (status, refused["error"]) == (422, "failed")


def test_ten_viewers_cost_one_encode_a_frame(house: House) -> None:
    house.picture()
    pictures = house.app.watchers[0].pictures  # type: ignore[attr-defined]
    key = ("lobby", "1")
    pictures.want(key, 640)
    wait_for(lambda: pictures.newest(key, 640) is not None, 20)
    pictures.offer = lambda *_: None  # no newer frame meanwhile
    try:
        before = pictures.encoded
        in_threads(10, lambda _: [pictures.newest(key, 640) for _ in range(5)])
        assert pictures.encoded - before <= 1
    finally:
        del pictures.offer


def test_an_area_in_other_streams_lies_where_the_geometry_says(house: House) -> None:
    wait_for(lambda: house.get("cameras/lobby/streams/2/overlays")["figures"], 60, "the panorama's geometry")
    wait_for(lambda: house.get("cameras/lobby/streams/1/overlays")["figures"], 60, "the fisheye's geometry")
    points = [[0.6, 0.45], [0.8, 0.45], [0.8, 0.55], [0.6, 0.55]]
    status, found = house.post("cameras/lobby/streams/1/elsewhere", {"points": points})
    assert status == 200
    guard = house.app.guard("lobby")
    one, two = (guard.shown(name) for name in ("1", "2"))
    import numpy as np

    middle = two.ray_to_pixel(one.pixel_to_ray(np.array([[0.7, 0.5]]) * one.size_wh)) / two.size_wh
    low = np.min([np.min(polygon, axis=0) for polygon in found["2"]], axis=0)
    high = np.max([np.max(polygon, axis=0) for polygon in found["2"]], axis=0)
    assert (low <= middle[0]).all()
    assert (middle[0] <= high).all()


def test_diagnostics_hold_nothing_personal(house: House) -> None:
    found = json.dumps(house.get("diagnostics"))
    for word in ("lobby", "Lobby", "yard", str(house.clip), os.uname().nodename, "127.0.0.1"):
        assert word not in found, word


def test_every_setting_has_a_page_and_a_new_one_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from aipg_plugin.settings import schema
    from aipg_plugin.settings.validators import Number
    from aipg_plugin.web import forms

    assert {forms.page_of(each.path) for each in describe()} == {"cameras", "guard", "extension", "areas", "system"}
    import voluptuous as vol

    key = vol.Optional("fake_strength", default=0.5, description="settings.privacy_guard.sensitivity")
    monkeypatch.setitem(schema.PRIVACY_GUARD.table.schema, key, Number(0, 1))
    fake = next(each for each in forms.forms("en") if each["path"].endswith(".fake_strength"))
    assert (fake["page"], fake["label"], fake["high"]) == ("guard", "Fake strength", 1)


@pytest.mark.parametrize("language", forms.languages())
def test_languages_have_the_same_texts(language: str) -> None:
    own, source = (json.loads((resource_path("translations", "pages") / f"{each}.json").read_text("utf-8"))
                   for each in (language, "en"))
    assert own.keys() == source.keys()
    for key, text in source.items():
        assert set(re.findall(r"\{(\w+)\}", own[key])) == set(re.findall(r"\{(\w+)\}", text)), key


def test_every_text_the_pages_use_is_there() -> None:
    known = forms.strings("en")
    for path in (Path(aipg_plugin.__file__).parent / "web" / "static").glob("*.js"):
        for key in re.findall(r'\bt\("([\w.]+)"', path.read_text("utf-8")):
            assert key in known, f"{path.name}: {key}"


def test_the_guard_is_the_only_source_of_pictures() -> None:
    """Whatever the pages send as a picture was a GuardedFrame: nothing here turns a clear frame into a JPEG."""
    root = Path(aipg_plugin.__file__).parent
    encoders: dict[str, set[str]] = {}
    for path in [*(root / "web").rglob("*.py"), *(root / "facade").rglob("*.py")]:
        tree = ast.parse(path.read_text("utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and node.attr == "imencode":
                    encoders.setdefault(f"{path.name}:{function.name}", set()).update(
                        ast.unparse(arg.annotation) for arg in function.args.args if arg.annotation)
                if isinstance(node, ast.Attribute) and node.attr == "_mint_guarded":
                    pytest.fail(f"{path} mints frames")
    assert set(encoders) == {"pictures.py:newest", "trial.py:_jpeg"}
    assert "GuardedFrame" in encoders["trial.py:_jpeg"]
    offer = (root / "facade" / "pictures.py").read_text("utf-8")
    assert "guarded = require_guarded(frame)" in offer
    assert offer.count(".to_bgr(") == 1
    assert not any("aipg_plugin.media.source" in path.read_text("utf-8") for path in (root / "web").rglob("*.py"))


def test_many_requests_at_once(house: House) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: house.call("GET", "api/state")[0], range(60)))
    assert set(found) == {200}
