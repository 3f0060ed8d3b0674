"""The one door between a user interface and the running app."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]
import yaml

from aipg_plugin.app import App
from aipg_plugin.credentials import redacted
from aipg_plugin.detection.onnx import available_providers
from aipg_plugin.errors import HostError, MqttError, SettingsError
from aipg_plugin.facade import changes as changes_
from aipg_plugin.facade import overlays, trial
from aipg_plugin.facade.changes import Difference, SettingEdit
from aipg_plugin.facade.history import History
from aipg_plugin.facade.journal import Journal
from aipg_plugin.facade.pictures import LivePictures
from aipg_plugin.facade.secrets import hidden, restored
from aipg_plugin.frames import GuardedFrame
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection
from aipg_plugin.mqtt.client import MqttLink
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.options import Camera, Settings, Web
from aipg_plugin.settings.build import to_dict
from aipg_plugin.settings.loader import validate, warnings_of
from aipg_plugin.settings.yaml_text import parse, read_text, splice
from aipg_plugin.states import StreamStatus
from aipg_plugin.version import __version__

_log = logging.getLogger(__name__)
_CLONED = ("sensitivity", "blur_intensity", "masking_method", "fill_colour", "fill_outline", "circumferential_mosaic",
           "circumferential_width", "lookahead_s", "hold_s", "detect_hz")


class Facade:
    """Reads state, checks and applies changes, watches guarded pictures. Every method may be called from any thread.

    Methods that change something take `who`, the user the journal names.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.pictures = LivePictures()
        self.journal = Journal()
        self.history = History(app.settings)
        self.trials = trial.Trials(app.net)
        self._started_s = time.time()
        self._who = ""
        self._revision: tuple[Settings, str] = app.settings, changes_.revision(app.settings)
        app.watchers.append(self)
        app.statuses.watch(self._status)

    # -- told by the app -------------------------------------------------------------------------------------------

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:
        """See `app.Watcher`. Never raises: a page's fault must not end a stream."""
        try:
            key = camera_id, frame.stream
            self.history.left(*key, came_s=frame.wall_time_s)
            self.pictures.offer(key, frame)
        except Exception:
            _log.exception("pages: a guarded picture of camera %s could not be taken", camera_id)

    def _status(self, camera_id: str, stream_id: str, status: StreamStatus) -> None:
        self.journal.add("state", "guard", camera=camera_id, stream=stream_id, state=str(status.state),
                         text=redacted(status.text))

    def figures(self, camera_id: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """See `app.Watcher`."""
        try:
            self.history.figures(camera_id, t_s, reports)
        except Exception:
            _log.exception("pages: figures of camera %s could not be counted", camera_id)

    def changed(self, origin: str, before: Settings, after: Settings) -> None:
        """See `app.Watcher`."""
        who = self._who if origin == "page" else ""
        for each in changes_.differences(before, after):
            self.journal.add("change", origin, who=who, path=each.path, before=each.before, after=each.after,
                             weakens=each.weakens)
        self.history.settings_changed(after)
        self.pictures.forget({camera.id for camera in after.cameras})

    # -- read ------------------------------------------------------------------------------------------------------

    @property
    def web(self) -> Web:
        """The web settings the server was started with or that are in force now."""
        return self._app.settings.web

    @property
    def language(self) -> str:
        """The language of the settings."""
        return self._app.settings.language

    def settings_json(self) -> dict[str, Any]:
        """Revision, every setting (secrets hidden), the file's name and what is doubtful."""
        settings, file = self._app.settings, self._app.config_file
        return {"revision": changes_.revision(settings), "values": hidden(to_dict(settings)),
                "file": None if file is None else str(file),
                "warnings": [{"path": each.path, "message": each.message, "cure": each.cure,
                              "params": {key: str(value) for key, value in each.params.items()}}
                             for each in warnings_of(settings)]}

    def revision(self) -> str:
        """Of the settings in force."""
        settings = self._app.settings
        if self._revision[0] is not settings:
            self._revision = settings, changes_.revision(settings)
        return self._revision[1]

    def state_json(self) -> dict[str, Any]:
        """What every stream does now."""
        stats = self._app.stats()
        cameras = {}
        for camera in self._app.settings.cameras:
            guard = camera.privacy_guard
            streams = {}
            for stream in camera.streams:
                figures = stats.get(camera.id, {}).get(stream.id, {})
                status = self._app.statuses.get(camera.id, stream.id) if camera.enabled else None
                target = guard.guards(stream.id)
                streams[stream.id] = {"target": target, **_brief(figures, status)}
            cameras[camera.id] = {"name": camera.name or camera.id, "enabled": camera.enabled,
                                  "guard": guard.enabled, "streams": streams}
        link = self._app.link
        return {"t_s": round(time.time(), 1), "revision": self.revision(), "cameras": cameras,
                "detector": asdict(self._app.load),
                "mqtt": {"broker": self._app.settings.mqtt.broker, "connected": link.connected}}

    def people_json(self, camera_id: str) -> dict[str, Any]:
        """Who is tracked before a camera: upright boxes x1, y1, x2, y2 as shares of its picture, and scores.

        `age_s` is the age of the look they are from, None before the first.
        """
        camera = self._camera(camera_id)
        size_wh = self._app.guard(camera_id).picture_wh if camera.enabled else None
        age_s, reports = self.history.people(camera_id)
        if size_wh is None or age_s == float("inf"):
            return {"age_s": None, "people": []}
        boxes = overlays.upright_boxes([report.box for report in reports], size_wh)
        return {"age_s": round(age_s, 2), "people": [{"box": box, "score": round(report.score, 3)}
                                                     for box, report in zip(boxes, reports, strict=True)]}

    def sample(self) -> None:
        """Note one point of history; to be called every `history.EVERY_S`."""
        self.history.sample(self._app.stats(), time.time())

    def has_stream(self, camera_id: str, stream_id: str) -> bool:
        """Whether the settings name this stream."""
        return any(camera.id == camera_id and any(stream.id == stream_id for stream in camera.streams)
                   for camera in self._app.settings.cameras)

    def system_json(self) -> dict[str, Any]:
        """Version, detector and what it really runs on."""
        net, settings = self._app.net, self._app.settings
        return {"version": __version__, "python": platform.python_version(), "system": platform.platform(),
                "model": net.name, "provider": net.provider, "threads": self._app.load.threads,
                "looks": asdict(self._app.load),
                "onnxruntime": onnxruntime.__version__, "available": available_providers(),
                "uptime_s": round(time.time() - self._started_s), "cores": os.cpu_count(),
                "file": str(self._app.config_file) if self._app.config_file else None,
                "instance_id": settings.instance_id}

    def diagnostics_json(self) -> dict[str, Any]:
        """For a support request: numbers and states; no picture, address, name, secret or position of anybody."""
        settings = self._app.settings
        names = {camera.id: f"camera {index}" for index, camera in enumerate(settings.cameras, 1)}
        stats = {names.get(camera, "?"): streams for camera, streams in self._app.stats().items()}
        cameras = [{"camera": names[camera.id], "mount": camera.mount.value, "height_m": camera.camera_height_m,
                    "lens": {"model": camera.lens.model.value, "fov_deg": camera.lens.fov_deg,
                             "circle": camera.lens.circle},
                    "streams": [{"capture_mode": stream.capture_mode.value,
                                 "source": stream.source.url.partition("://")[0] if "://" in stream.source.url
                                 else "file", "outputs": [output.kind.value for output in stream.outputs]}
                                for stream in camera.streams],
                    "guard": {key: getattr(camera.privacy_guard, key) for key in _CLONED},
                    "areas": [len(camera.privacy_guard.prohibited_areas), len(camera.privacy_guard.always_mask_areas)]}
                   for camera in settings.cameras]
        system = {key: value for key, value in self.system_json().items() if key not in ("file", "instance_id")}
        events = [{"t_s": entry.t_s, "kind": entry.kind, "origin": entry.origin, "state": entry.state,
                   "setting": ".".join(part for part in entry.path.split(".") if part not in names)}
                  for entry in self.journal.since()]
        return {"made_s": round(time.time()), "system": system, "stats": stats,
                "cameras": cameras, "events": events,
                "mqtt": {"connected": self._app.link.connected, "tls": settings.mqtt.tls,
                         "discovery": settings.mqtt.discovery}}

    # -- geometry --------------------------------------------------------------------------------------------------

    def overlays_json(self, camera_id: str, stream_id: str, height_m: float | None = None) -> dict[str, Any]:
        """Lens circle and expected figures of a stream, and its areas as the other streams show them."""
        camera = self._camera(camera_id)
        projection = self._projection(camera_id, stream_id)
        if projection is None:
            return {"circle": None, "figures": [], "elsewhere": []}
        mount = Mount(camera.mount, camera.camera_height_m if height_m is None else height_m)
        return {"circle": overlays.circle_json(projection),
                "figures": overlays.expected_figures(projection, mount, camera.mount)}

    def area_elsewhere_json(self, camera_id: str, stream_id: str,
                            points: Sequence[Sequence[float]]) -> dict[str, list[list[list[float]]]]:
        """Polygons of an area in every other stream of its camera that has delivered a frame."""
        source = self._projection(camera_id, stream_id)
        found: dict[str, list[list[list[float]]]] = {}
        for stream in self._camera(camera_id).streams:
            target = self._projection(camera_id, stream.id) if stream.id != stream_id else None
            if source is not None and target is not None:
                found[stream.id] = overlays.area_elsewhere(source, target, points)
        return found

    def _camera(self, camera_id: str) -> Camera:
        for camera in self._app.settings.cameras:
            if camera.id == camera_id:
                return camera
        raise HostError("{camera!r} is no enabled camera", path="cameras", camera=camera_id,
                        cure="Name it there, or enable it")

    def _projection(self, camera_id: str, stream_id: str) -> Projection | None:
        if not self._camera(camera_id).enabled:
            return None
        return self._app.guard(camera_id).shown(stream_id)

    # -- change ----------------------------------------------------------------------------------------------------

    def preview(self, changes: Sequence[SettingEdit]) -> list[Difference]:
        """What a change would alter. Raises SettingsError (ConflictError) as `apply` would."""
        new, _ = changes_.edit(self._app.settings, changes)
        return changes_.differences(self._app.settings, new)

    def apply(self, changes: Sequence[SettingEdit], *, who: str) -> SettingsError | None:
        """Put a change in force, then write it down; returns why it could not be written. Raises SettingsError."""
        self._who = who
        return self._app.change(lambda settings: changes_.edit(settings, changes), origin="page")[1]

    def clone_changes(self, source: str, target: str, parts: Sequence[str]) -> list[SettingEdit]:
        """The changes that give `target` the settings of `source`: guard, mount and areas, as `parts` names."""
        document = to_dict(self._app.settings)["cameras"]
        self._camera(source), self._camera(target)
        found = [SettingEdit(f"cameras.{target}.privacy_guard.{key}", document[source]["privacy_guard"][key])
                 for key in _CLONED if "guard" in parts]
        if "mount" in parts:
            found += [SettingEdit(f"cameras.{target}.{key}", document[source][key])
                      for key in ("mount", "camera_height", "lens")]
        if "areas" in parts:
            found += [SettingEdit(f"cameras.{target}.privacy_guard.{key}", document[source]["privacy_guard"][key])
                      for key in ("prohibited_areas", "always_mask_areas")]
        return found

    def export_text(self) -> str:
        """The YAML file as it is, secrets hidden; the settings in force when there is no file."""
        file = self._app.config_file
        if file is None:
            return str(yaml.safe_dump(hidden(to_dict(self._app.settings)), sort_keys=False, allow_unicode=True))
        return _hide_text(read_text(Path(file)))

    def import_changes(self, text: str) -> list[SettingEdit]:
        """The changes that an imported YAML text asks for. Raises SettingsError with lines."""
        document = to_dict(self._app.settings)
        plain = parse(text, "import").plain or {}
        if not isinstance(plain, dict):
            raise SettingsError("{value} is not a table of settings", value="import",
                                cure="Indent its settings below it")
        wanted = to_dict(validate(restored(plain, document, "")))
        if plain.get("instance_id", "auto") == "auto":  # made from the machine and the file, not from this text
            wanted["instance_id"] = document["instance_id"]
        if (plain.get("mqtt") or {}).get("client_id", "auto") == "auto":
            wanted["mqtt"]["client_id"] = document["mqtt"]["client_id"]
        return [SettingEdit(key, wanted[key]) for key in wanted]

    # -- try -------------------------------------------------------------------------------------------------------

    def try_camera(self, table: dict[str, Any]) -> trial.Trial:
        """Reach a camera that is described as in YAML and mask one picture. Raises SettingsError or MediaError."""
        document = to_dict(self._app.settings)["cameras"]
        known: dict[str, Any] = next((each["streams"]["1"] for each in document.values() if "1" in each["streams"]), {})
        checked = validate({"cameras": {"trial": restored_source(table, known)}})
        return self.trials.run(checked.cameras[0])

    def try_mqtt(self, table: dict[str, Any]) -> str:
        """Connect to a broker for a moment; returns its address. Raises SettingsError or MqttError."""
        known = to_dict(self._app.settings)["mqtt"]
        options = validate({"mqtt": restored({**known, **table}, known, "mqtt")}).mqtt
        probe = replace(options, discovery=False, client_id=options.client_id + "-test",
                        prefix=options.prefix + "-test")
        link = MqttLink(probe, (), version="test", apply=lambda command: None)
        link.start()
        try:
            if not link.wait_connected(5.0):
                raise MqttError("no answer from {broker}:{port} within 5 s", path="mqtt.broker", broker=options.broker,
                                port=options.port, cure="Check address, port, user and password, and TLS")
            return f"{options.broker}:{options.port}"
        finally:
            link.stop()


def restored_source(table: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """A camera's table whose hidden parts are filled in from a known stream."""
    filled: dict[str, Any] = restored(table, {"streams": {"1": known}}, "cameras.trial")
    return filled


def _brief(figures: dict[str, object], status: StreamStatus | None) -> dict[str, Any]:
    """A stream's state and numbers as pages show them; None where there is nothing yet."""
    age = float(str(figures.get("evidence_age_s", "inf")))
    rates = {key: round(float(str(figures.get(key, 0.0))), 1) for key in ("fps_in", "fps_out")}
    return {"state": "off" if status is None else str(status.state),
            "reason": "" if status is None else redacted(status.reason),
            "outputs": {} if status is None else {key: redacted(why) for key, why in status.outputs.items()},
            "people": figures.get("people"), **rates, "evidence_age_s": round(age, 2) if age < 1e6 else None,
            "masked_share": figures.get("masked_share")}


def _hide_text(text: str) -> str:
    """YAML text with secrets hidden and every other character kept; what is a ${VARIABLE} stays one."""
    plain = parse(text, "").plain
    for keys, value in list(_secrets(plain, ())):
        spliced = splice(text, list(keys), value)
        if spliced is None:
            return str(yaml.safe_dump(hidden(plain), sort_keys=False, allow_unicode=True))
        text = spliced
    return text


def _secrets(tree: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a secret stands in a settings tree, and what is shown in its place."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in below:
        keys = (*above, str(key))
        if isinstance(value, str) and "${" not in value and hidden(value, str(key)) != value:
            yield keys, hidden(value, str(key))
        yield from _secrets(value, keys)
