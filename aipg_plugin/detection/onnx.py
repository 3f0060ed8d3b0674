"""Person nets in ONNX Runtime: loading, checking, running; one session per process and file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

from aipg_plugin.detection import layouts
from aipg_plugin.detection.layouts import Candidates
from aipg_plugin.detection.manifest import ModelEntry, find_entry, manifest, read_checked
from aipg_plugin.errors import DetectionError, ModelError
from aipg_plugin.geometry.arrays import Float32, UInt8
from aipg_plugin.options import CustomModel, Models

__all__ = ["ModelEntry", "PersonNet", "load_model", "manifest"]

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider",
              "openvino": "OpenVINOExecutionProvider", "coreml": "CoreMLExecutionProvider",
              "cpu": "CPUExecutionProvider"}
_DEFAULT_THREADS, _MAX_THREADS = 2, 16  # more gain nothing on nets of this size
_AT_ONCE = 230_000  # pixels a run on a processor: more are no faster, and every tile of 352 px takes 9 MB for good
T = TypeVar("T")
ort.disable_telemetry_events()  # on Windows, where no variable does (`aipg_plugin._no_telemetry`)
_lock = threading.Lock()
_nets: dict[tuple[object, ...], PersonNet] = {}


def available_providers() -> tuple[str, ...]:
    """What this installation of ONNX Runtime can run on, by the names that settings use.

    It lists others that are never asked for: one is a service on the internet.
    """
    return tuple(name for name, theirs in _PROVIDERS.items() if theirs in ort.get_available_providers())


def _threads(asked: int) -> int:
    return min(asked or _DEFAULT_THREADS, _MAX_THREADS)


def _open_session(data: bytes, file: str, providers: tuple[str, ...]) -> ort.InferenceSession:
    unknown = [name for name in providers if name not in _PROVIDERS]
    if unknown:
        raise ModelError("unknown provider {name}", path="models.providers", name=unknown[0],
                         cure="Use one of: {known}", known=", ".join(_PROVIDERS))
    available = set(ort.get_available_providers())
    wanted = [_PROVIDERS[name] for name in providers if _PROVIDERS[name] in available]
    if "CPUExecutionProvider" not in wanted:
        wanted.append("CPUExecutionProvider")
    session_options = ort.SessionOptions()
    # Threads run tiles of their own: one tile that is spread over two takes as long and half as much CPU time again.
    session_options.intra_op_num_threads = session_options.inter_op_num_threads = 1
    session_options.log_severity_level = 3
    try:
        return ort.InferenceSession(data, session_options, providers=wanted)
    except Exception as error:  # ONNX Runtime raises half a dozen unrelated types
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ModelError("model file {file} is not a network that can be run: {error}", file=file, error=reason,
                         cure="Export it to ONNX again, or install the package again") from error


class PersonNet:
    """One net in memory. `tile_px` is the tile side it was made for, `provider` the one that really runs.

    `fixed_wh` and `fixed_batch` are the sizes the graph is frozen to, or None when dynamic. `any_size`: it was
    trained on people of any size, so its scores on close-ups may be used. With several `threads`, a processor runs
    tile by tile, as many at a time; what comes out does not depend on which is done first.
    """

    any_size = False

    def __init__(self, session: ort.InferenceSession, *, name: str, layout: str = "person", tile_px: int = 416,
                 classes: int = 1, person_class: int = 0, rgb: bool = False, scale: float = 1.0,
                 threads: int = 1) -> None:
        self._session = session
        self._memory = threading.local()
        self.name, self.layout, self.person_class = name, layout, person_class
        self._rgb, self._scale = rgb, scale
        self.provider = str(session.get_providers()[0]).removesuffix("ExecutionProvider").lower()
        several = threads > 1 and self.provider == "cpu"
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="net") if several else None
        self.fixed_batch, self.fixed_wh = self._check_input(session, tile_px)
        self.tile_px = tile_px
        self._outputs = [output.name for output in session.get_outputs()]
        self.has_silhouette = layout == "person" and len(self._outputs) > 1
        self._try_out(classes)

    def _check_input(self, session: ort.InferenceSession, tile_px: int) -> tuple[int | None, tuple[int, int] | None]:
        inputs = session.get_inputs()
        shape = list(inputs[0].shape) if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or inputs[0].type != "tensor(float)" or (
                isinstance(shape[1], int) and shape[1] != 3):
            raise ModelError("model file {file} takes {got}; expected one float32 picture (N, 3, H, W)",
                             file=self.name, got=[(i.name, i.shape, i.type) for i in inputs],
                             cure="Export the model with a single float picture as input")
        self._input = inputs[0].name
        batch, _, height, width = (d if isinstance(d, int) and d > 0 else None for d in shape)
        fixed = (width, height) if width is not None and height is not None else None
        if fixed not in (None, (tile_px, tile_px)):
            raise ModelError("model file {file} takes pictures of {got} pixels, but tile_px is {tile_px}",
                             file=self.name, got=fixed, tile_px=tile_px, path="models.custom.tile_px",
                             cure="Set tile_px to the model's own square size")
        if tile_px <= 0 or tile_px % 32:
            raise ModelError("tile_px must be a positive multiple of 32, got {tile_px}", tile_px=tile_px,
                             path="models.custom.tile_px")
        return batch, fixed

    def _try_out(self, classes: int) -> None:
        size_wh = (self.tile_px, self.tile_px)
        try:
            raw, silhouette = self.run(np.zeros((1, self.tile_px, self.tile_px, 3), np.uint8))
        except DetectionError as error:
            raise ModelError("model file {file} fails on a {tile} px tile: {error}", file=self.name,
                             tile=self.tile_px, error=str(error), cure="Check tile_px and the export") from error
        layouts.check_output(self.layout, raw.shape, size_wh, classes, self.name)
        quarter = (1, 1, self.tile_px // 4, self.tile_px // 4)
        if silhouette is not None and silhouette.shape != quarter:
            raise ModelError("model file {file} gives a silhouette of shape {got}, expected {wanted}", file=self.name,
                             got=silhouette.shape, wanted=quarter, cure="Export the model again")

    def _tensor(self, tiles: UInt8) -> Float32:
        """(N, 3, H, W) of tiles, in memory that the next call from the same thread uses again."""
        pictures = tiles[..., ::-1] if self._rgb else tiles
        size = pictures.size
        memory: Float32 | None = getattr(self._memory, "tensor", None)
        if memory is None or len(memory) < size:
            memory = self._memory.tensor = np.empty(size, np.float32)
        tensor = memory[:size].reshape(len(pictures), 3, *pictures.shape[1:3])
        np.copyto(tensor, pictures.transpose(0, 3, 1, 2))
        if self._scale != 1.0:
            tensor *= np.float32(self._scale)
        return tensor

    def at_once(self, most: int, tile_px: int) -> int:
        """How many tiles one call of `run` takes best, of at most `most`: on a processor as many as are not too many
        pixels, with several threads one.
        """
        if self.provider == "cpu":
            most = 1 if self._pool is not None else max(1, min(most, _AT_ONCE // tile_px**2))
        return self.fixed_batch or most

    def in_turn(self, work: Callable[[UInt8], T], batches: Iterable[UInt8]) -> Iterator[T]:
        """The results of some work on batches in order, with several threads of as many at a time."""
        return map(work, batches) if self._pool is None else self._pool.map(work, batches)

    def run(self, tiles: UInt8) -> tuple[Float32, Float32 | None]:
        """Raw output (N, ...) and silhouette (N, 1, H/4, W/4) or None, of BGR tiles (N, H, W, 3) uint8.

        Raises DetectionError when the runtime fails.
        """
        step = self.at_once(len(tiles), tiles.shape[1])
        batches = [tiles[start:start + step] for start in range(0, len(tiles), step)]
        in_turn = map if len(batches) == 1 else self.in_turn
        parts = list(in_turn(self._run, batches))
        raw = np.concatenate([p[0] for p in parts])
        return raw, np.concatenate([p[1] for p in parts]) if self.has_silhouette else None

    def _run(self, tiles: UInt8) -> list[Float32]:
        """The first two outputs for one batch. Raises DetectionError."""
        batch = self._tensor(tiles)
        short = self.fixed_batch - len(batch) if self.fixed_batch else 0
        if short:
            batch = np.concatenate([batch, np.zeros((short, *batch.shape[1:]), np.float32)])
        try:
            outputs = self._session.run(self._outputs, {self._input: batch})
            return [np.asarray(o, np.float32)[:len(tiles)] for o in outputs[:2]]
        except Exception as error:  # a guard must not die of a runtime's own exception types
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise DetectionError("the model {model} failed: {error}", model=self.name, error=reason) from error

    def decode(self, raw: Float32, size_wh: tuple[int, int], min_score: float) -> Candidates:
        """Candidates in one tile from one row of `run`'s raw output, see `layouts.decode`."""
        return layouts.decode(self.layout, raw, size_wh, min_score, self.person_class)


def _load_custom(custom: CustomModel, models: Models) -> PersonNet:
    path = Path(custom.file).expanduser()
    if custom.layout not in layouts.LAYOUTS:
        raise ModelError("unknown model layout {layout}", path="models.custom.layout", layout=custom.layout,
                         cure="Use one of: {known}", known=", ".join(layouts.LAYOUTS))
    if not 0 <= custom.person_class < custom.classes:
        raise ModelError("person_class {got} is not among {classes} classes", path="models.custom.person_class",
                         got=custom.person_class, classes=custom.classes)
    session = _open_session(read_checked(path, None), str(path), models.providers)
    return PersonNet(session, name=str(path), layout=custom.layout, tile_px=custom.tile_px, classes=custom.classes,
                     person_class=custom.person_class, rgb=custom.colour == "rgb", scale=custom.scale,
                     threads=_threads(models.threads))


def open_file(path: Path, *, tile_px: int = 416, sha256: str | None = None, providers: tuple[str, ...] = ("cpu",),
              threads: int = 2) -> PersonNet:
    """A net in the shipped layout from a file, not shared. Raises ModelError like `load_model`."""
    session = _open_session(read_checked(path, sha256), str(path), providers)
    net = PersonNet(session, name=path.name, tile_px=tile_px, threads=_threads(threads))
    net.any_size = True
    return net


def load_model(models: Models) -> PersonNet:
    """The net that the settings name, shared by all who ask for the same one in this process.

    Raises ModelError when the file is missing, altered, damaged or of another layout.
    """
    key: tuple[object, ...]
    if models.custom is not None:
        file = Path(models.custom.file).expanduser()
        changed_ns = file.stat().st_mtime_ns if file.is_file() else 0
        key = (models.custom, changed_ns, models.providers, models.threads)
    else:
        entry = find_entry(models.tier, models.precision)
        key = (entry.path, entry.sha256, entry.tile_px, models.providers, models.threads)
    with _lock:
        net = _nets.get(key)
        if net is None:
            if models.custom is not None:
                net = _load_custom(models.custom, models)
            else:
                net = open_file(entry.path, tile_px=entry.tile_px, sha256=entry.sha256, providers=models.providers,
                                threads=models.threads)
            _nets[key] = net
        return net
