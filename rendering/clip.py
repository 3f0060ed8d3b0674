"""Time-consistent clips: people on paths through one room, filmed by one camera, with truth per frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.options import LensModelName, MountKind
from rendering.actors import Actors, load_actors
from rendering.bodies import load_bank
from rendering.cameras import MountedCamera, random_light
from rendering.choice import open_renderer
from rendering.drawing import Light, Renderer
from rendering.people import Body, Outfit, random_outfit
from rendering.props import load_props
from rendering.rooms import build
from rendering.scene import photograph
from rendering.stage import Stage
from rendering.textures import load_textures
from rendering.truth import Truth

_TURN_S = 0.35


@dataclass(frozen=True)
class Actor:
    """One person's part: body number, clothes, way points (K, 3) of seconds, x, y; rest pose and yaw when still."""

    actor: int
    outfit: Outfit
    way: NDArray[np.float64]
    kind: str = "stand"
    yaw_rad: float = 0.0
    lift_m: float = 0.0

    def at(self, time_s: float) -> NDArray[np.float64]:
        """(2,) floor place at a time; before and after the way points, their ends."""
        t = self.way[:, 0]
        return np.array([np.interp(time_s, t, self.way[:, 1]), np.interp(time_s, t, self.way[:, 2])])

    def walked_m(self, time_s: float) -> float:
        """Metres walked since the first way point."""
        lengths = np.hypot(*np.diff(self.way[:, 1:], axis=0).T)
        return float(np.interp(time_s, self.way[:, 0], np.concatenate([[0.0], np.cumsum(lengths)])))

    def speed(self, time_s: float) -> float:
        """Metres per second, smoothed over a third of a second."""
        return (self.walked_m(time_s + _TURN_S / 2) - self.walked_m(time_s - _TURN_S / 2)) / _TURN_S

    def yaw(self, time_s: float) -> float:
        """Where the person faces: along the way, or `yaw_rad` if it never moves."""
        for back in np.arange(0, 60, 0.25):
            step = self.at(time_s - back + _TURN_S) - self.at(time_s - back - _TURN_S)
            if np.hypot(*step) > 0.02:
                return float(np.arctan2(step[0], -step[1]))
            if time_s - back < self.way[0, 0]:
                break
        ahead = np.diff(self.way[:, 1:], axis=0)
        moving = ahead[np.hypot(*ahead.T) > 0.02] if len(ahead) else ahead
        return float(np.arctan2(moving[0][0], -moving[0][1])) if len(moving) else self.yaw_rad

    def body(self, actors: Actors, time_s: float) -> Body:
        """The posed body at a time; walking and rest melt into each other as the speed changes."""
        share = float(np.clip(self.speed(time_s) / 0.7, 0, 1))
        rest = actors.resting(self.actor, self.kind, time_s)
        vertices = rest
        if share > 0:
            vertices = rest + (actors.walking(self.actor, self.walked_m(time_s)) - rest) * share
        laid = actors.still[self.kind][self.actor, 0].astype(np.float32)
        return Body(np.asarray(vertices, np.float32), actors.faces, actors.parts,
                    "walk" if share > 0.5 else self.kind, laid)


@dataclass
class Film:
    """One room, its light, its camera and its cast."""

    stage: Stage
    shot: MountedCamera
    light: Light
    parts: list[Actor] = field(default_factory=list)
    oversample: float = 1.25

    def frames(self, renderer: Renderer, actors: Actors, fps: float, count: int) -> Iterator[
            tuple[NDArray[np.uint8], NDArray[np.uint8], Truth, Stage]]:
        """Clean picture, ids and truth of every frame."""
        half = float(max(np.abs(self.stage.bounds))) * 1.42
        for k in range(count):
            self.stage.clear_people()
            time_s = k / fps
            for part in self.parts:
                x, y = part.at(time_s)
                self.stage.add_actor(part.body(actors, time_s), part.outfit, np.array([x, y, part.lift_m]),
                                     part.yaw(time_s))
            geometry, people = self.stage.geometry(0.0)
            mesh = renderer.load(geometry)
            try:
                picture, ids, truth = photograph(mesh, people, self.shot.camera, self.shot.mount, self.light, half,
                                                 self.oversample)
            finally:
                mesh.release()
            yield picture, ids, truth, self.stage


def describe(camera: FisheyeCamera, mount: Mount, fps: float, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """The clip's truth as plain data for JSON."""
    c = camera.circle
    return {"note": "boxes: visible silhouette, gravity-aligned cx, cy, w, h, degrees clockwise; heads: x, y, r px or "
                    "null when hidden; visible: share of the full silhouette; made by rendering, nobody exists",
            "size_wh": list(camera.size_wh), "fps": fps, "mount": mount.kind.value, "height_m": mount.height_m,
            "lens": camera.law.name.value, "fov_deg": camera.law.fov_deg,
            "circle_px": [c.cx_px, c.cy_px, c.radius_px], "frames": frames}


def frame_truth(truth: Truth, stage: Stage) -> dict[str, Any]:
    """One frame's truth as plain data."""
    places = {p.id: p for p in stage.people}
    return {"persons": [
        {"id": int(i), "box": [round(float(v), 1) for v in box],
         "head": [round(float(v), 1) for v in head] if np.isfinite(head).all() else None,
         "visible": round(float(visible), 3), "ignore": bool(ignore), "pose": places[int(i)].kind,
         "floor_xy_m": [round(v, 2) for v in places[int(i)].floor_xy_m]}
        for i, box, head, visible, ignore in zip(truth.ids, truth.boxes, truth.heads, truth.visible, truth.ignore,
                                                 strict=True)]}


def encode(path: Path, pictures: list[NDArray[np.uint8]], fps: float, limit_bytes: int) -> None:
    """H.264 yuv420p file of at most `limit_bytes`, as good as that allows."""
    import av

    for crf in (20, 22, 24, 26, 28, 30, 33, 36):
        with av.open(str(path), "w") as file:
            stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
            stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
            stream.pix_fmt = "yuv420p"
            stream.thread_count = 1
            stream.options = {"crf": str(crf), "preset": "slow", "g": str(round(fps * 2))}
            for picture in pictures:
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                    file.mux(packet)
            for packet in stream.encode():
                file.mux(packet)
        if path.stat().st_size <= limit_bytes:
            return
    raise RuntimeError(f"{path}: the clip stays above {limit_bytes} bytes; shorten it")


def write_clip(film: Film, actors: Actors, renderer: Renderer, stem: Path, *, fps: float, seconds: float, seed: int,
               gain: float = 1.1, limit_bytes: int = 40_000_000) -> list[NDArray[np.uint8]]:
    """Write stem.mp4, stem.truth.json and stem.silhouettes.npz (ids at a quarter of the size); returns the pictures."""
    pictures, masks, rows, rng = [], [], [], np.random.default_rng(seed)
    count = round(fps * seconds)
    for picture, ids, truth, stage in tqdm(film.frames(renderer, actors, fps, count), total=count, desc=stem.name,
                                           mininterval=5):
        pictures.append(finish(picture, film.shot.camera, rng, gain))
        masks.append(ids[2::4, 2::4])
        rows.append(frame_truth(truth, stage))
    stem.parent.mkdir(parents=True, exist_ok=True)
    encode(stem.with_suffix(".mp4"), pictures, fps, limit_bytes)
    stem.with_suffix(".truth.json").write_text(
        json.dumps(describe(film.shot.camera, film.shot.mount, fps, rows), separators=(",", ":")), encoding="utf-8")
    np.savez_compressed(stem.with_suffix(".silhouettes.npz"), ids=np.stack(masks), step_px=4)
    return pictures


def render_sample(data: Path, out: Path, seed: int, renderer: str = "auto") -> None:
    """Write the shipped clip, lobby.* as `write_clip` does, and lobby_still.jpg."""
    from rendering.lobby import FPS, SECONDS, lobby_film

    cv2.setNumThreads(1)
    textures = load_textures(data / "textures.npz")
    film = lobby_film(load_bank(data / "bodies.npz"), textures, seed)
    pictures = write_clip(film, load_actors(data / "actors.npz"), open_renderer(textures, renderer), out / "lobby",
                          fps=FPS, seconds=SECONDS, seed=seed, limit_bytes=2_800_000)
    cv2.imwrite(str(out / "lobby_still.jpg"), pictures[int(len(pictures) * 0.45)], [cv2.IMWRITE_JPEG_QUALITY, 90])


def finish(picture: NDArray[np.uint8], camera: FisheyeCamera, rng: np.random.Generator,
           gain: float = 1.1) -> NDArray[np.uint8]:
    """A little bloom, vignette and noise; the same look in every frame."""
    h, w = picture.shape[:2]
    img = picture.astype(np.float32) * gain
    bright = cv2.resize(np.maximum(img - 225, 0), (w // 8, h // 8), interpolation=cv2.INTER_AREA)
    img += cv2.resize(cv2.GaussianBlur(bright, (0, 0), 5), (w, h)) * 1.5
    y, x = np.ogrid[:h, :w]
    r2 = ((x - camera.circle.cx_px) ** 2 + (y - camera.circle.cy_px) ** 2) / camera.circle.radius_px ** 2
    img *= (1 - 0.28 * np.clip(r2, 0, 1) ** 3)[..., None]
    img += rng.normal(0, 1.0, (h, w, 1))
    img[r2 > 1] = 4
    return np.asarray(np.clip(img, 0, 255), np.uint8)


def ceiling_shot(rng: np.random.Generator, side_px: int = 1280) -> MountedCamera:
    """A whole circle of an equidistant lens on a ceiling: the camera that a clip's settings assume."""
    circle = ImageCircle(side_px / 2, side_px / 2, side_px * 0.49)
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), circle, (side_px, side_px))
    return MountedCamera(camera, Mount(MountKind.CEILING, float(rng.uniform(2.5, 4.2))))


def render_sequence(data: Path, out: Path, seed: int, *, seconds: float, fps: float, room: str = "", people: int = 0,
                    renderer: str = "auto") -> None:
    """Write `out`.mp4 and its truth (`write_clip`): walkers in a room of one kind, besides those who sit there.

    `people`: how many walk; 0 draws 2 to 8. `room` empty: lobby, office, shop or meeting.
    """
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 5])
    textures, actors = load_textures(data / "textures.npz"), load_actors(data / "actors.npz")
    shot = ceiling_shot(rng)
    stage = Stage(rng, load_bank(data / "bodies.npz"), textures, shot.mount.height_m, load_props(data / "props.npz"))
    build(stage, room or str(rng.choice(["lobby", "office", "shop", "meeting"])), False)
    stage.keep_people()
    half = float(max(np.abs(stage.bounds))) * 1.42
    parts = _random_parts(stage, actors, seconds, people or int(rng.integers(2, 9)))
    film = Film(stage, shot, random_light(rng, shot.mount.height_m, half, False), parts)
    drawn = open_renderer(textures, renderer)
    first, _, _, _ = next(film.frames(drawn, actors, fps, 1))
    gain = 105 / max(20.0, float(first[shot.camera.valid_mask()].mean()))
    write_clip(film, actors, drawn, out, fps=fps, seconds=seconds, seed=seed, gain=gain)


def _random_parts(stage: Stage, actors: Actors, seconds: float, count: int) -> list[Actor]:
    """Walkers that pause now and then on free floor."""
    rng, parts = stage.rng, []
    for i in range(count):
        spot = stage.free_spot(0.25)
        if spot is None:
            continue
        way, t, here = [(0.0, *spot[:2])], 0.0, spot[:2]
        while t < seconds:
            if rng.random() < 0.4:
                t += rng.uniform(0.5, 3)
            else:
                there = stage.free_spot(0.25)
                if there is None:
                    break
                t += max(0.2, float(np.hypot(*(there[:2] - here))) / rng.uniform(0.7, 1.5))
                here = there[:2]
            way.append((t, *here))
        outfit = random_outfit(rng, stage.textures, "walk")
        parts.append(Actor(i % len(actors.walk), outfit, np.array(way), yaw_rad=float(rng.uniform(0, 6.28))))
    return parts
