"""What two settings differ in, as far as people are concerned: what is masked, how well, and who may switch it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aipg_plugin.options import Area, Camera, PrivacyGuard, Settings
from aipg_plugin.settings import controls
from aipg_plugin.settings.advice import unguarded

_LESS_IS_WEAKER = ("hold_s", "detect_hz", "lookahead_s", "circumferential_width")
_SEEN_IN_OTHERS = frozenset({"enabled"})    # the camera's guard: its streams' `guard` says the same


@dataclass(frozen=True)
class Change:
    """One setting of a camera that is another now. `key` is a control's key or a setting's name.

    `before` and `after` are None where there was nothing to set (an area that is new or gone); secrets are never in
    them.
    """

    camera: str
    stream: str
    key: str
    before: controls.Value | None
    after: controls.Value | None
    weakens: bool

    @property
    def text(self) -> str:
        """`lobby/1 guard: on → off`."""
        place = f"{self.camera}/{self.stream}" if self.stream else self.camera
        return f"{place} {self.key}: {_shown(self.before)} → {_shown(self.after)}"


def _shown(value: controls.Value | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def changes(before: Settings, after: Settings) -> list[Change]:
    """What changed in cameras that both have, and streams that show people now, in the order of the settings."""
    old = {camera.id: camera for camera in before.cameras}
    found = [change for camera in after.cameras if camera.id in old for change in _of_camera(old[camera.id], camera)]
    told = {(change.camera, change.stream) for change in found if change.key == "guard"} | set(unguarded(before))
    return found + [Change(camera, stream, "guard", None, False, weakens=True) for camera, stream in unguarded(after)
                    if (camera, stream) not in told]


def _of_camera(old: Camera, new: Camera) -> Iterator[Change]:
    for control, place, value in controls.in_force(new):
        try:
            was = control.read(old, place)
        except KeyError:
            continue
        if was != value and control.id not in _SEEN_IN_OTHERS:
            stream = place if control.scope is controls.Scope.STREAM else ""
            yield Change(new.id, stream, control.key(place), was, value, control.weakens(was, value))
    yield from _of_areas(old, new, "area", "prohibited_areas", masks=False)
    yield from _of_areas(old, new, "always_mask_area", "always_mask_areas", masks=True)
    yield from _of_guard(new.id, old.privacy_guard, new.privacy_guard)


def _of_guard(camera: str, old: PrivacyGuard, new: PrivacyGuard) -> Iterator[Change]:
    for key in _LESS_IS_WEAKER:
        was, now = float(getattr(old, key)), float(getattr(new, key))
        if was != now:
            yield Change(camera, "", key, was, now, now < was)
    if old.off_token != new.off_token:
        yield Change(camera, "", "off_token", bool(old.off_token), bool(new.off_token), new.off_token is None)


def _of_areas(old: Camera, new: Camera, id_: str, areas: str, *, masks: bool) -> Iterator[Change]:
    """Areas that are new, gone or elsewhere; who is switched on or off is for the control to say."""
    was: dict[int, Area] = {area.number: area for area in getattr(old.privacy_guard, areas)}
    now: dict[int, Area] = {area.number: area for area in getattr(new.privacy_guard, areas)}
    for number in was | now:
        key, a, b = f"{id_}/{number}", was.get(number), now.get(number)
        if a is None or b is None:
            gone, present = b is None, (a or b)
            on = present is not None and present.enabled
            weakens = on and gone == masks
            yield Change(new.id, "", key, None if a is None else a.enabled, None if b is None else b.enabled, weakens)
        elif _place(old, a) != _place(new, b):
            yield Change(new.id, "", f"{key}/points", _place(old, a), _place(new, b), a.enabled or b.enabled)


def _place(camera: Camera, area: Area) -> str:
    """Where an area lies: `1: 0 0, 0.5 0, 0.5 0.5`."""
    stream = area.stream or next(iter((*camera.privacy_guard.target_streams, camera.streams[0].id)))
    return f"{stream}: " + ", ".join(f"{x:.4g} {y:.4g}" for x, y in area.points)
