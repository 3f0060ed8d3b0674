"""Everything that decides a training run, in one frozen record saved beside the checkpoint."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """One run. Paths are relative to where the run is started."""

    run: str = "runs/standard"  # checkpoints, curves, overlays
    data: str = "../shared/data"  # photos/, peers/, real_dev/
    photos: str = "photos.json"  # made by training.photos
    scenes: str = "scenes"  # <set>/NNNNNN.jpg, .npz, .png
    validation: str = ""  # rendered pictures never trained on, as `rendering labels` leaves them
    base: str = "yolox_nano"  # the published net it starts from, a name in `training.port.BASES`
    start: str = ""  # checkpoint to take weights from; empty: the base's own
    sizes_px: tuple[int, ...] = (256, 288, 320, 352)
    batch: int = 12
    minutes: float = 60.0  # the cosine ends after this
    steps: int = 0  # or after so many steps, whatever time they take; 0: by the clock
    rate: float = 1.5e-3  # share of each filter's size per step
    rate_min_share: float = 0.03  # share of `rate` at the end
    new_layers_rate: float = 5.0  # factor for the head point and silhouette branches
    warmup_steps: int = 100
    ema: float = 0.998
    bfloat16: bool = True  # half the time a step where the processor has it
    keep: float = 1.0  # weight of the loss that keeps what YOLOX-nano knew of COCO's other classes
    early_every: int = 4  # layers down to stride 8 cost most and change least: trained every n-th step
    scene_share: float = 0.6  # of tiles, where scenes exist
    scene_silhouettes: float = 1.0  # share of the rendered tiles whose silhouettes are learnt
    photographs: bool = True  # whole photographs of people in the other tiles
    cutouts: bool = True  # people cut out of photographs, pasted anywhere
    workers: int = 1
    threads: int = 2
    replay: float = 0.4  # share of batches that come again (mirrored), to spare the workers
    save_s: float = 180.0
    evaluate_s: float = 900.0
    seed: int = 1

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", "utf-8")

    @staticmethod
    def load(path: Path) -> Config:
        raw = json.loads(path.read_text("utf-8"))
        raw["sizes_px"] = tuple(raw["sizes_px"])
        return Config(**raw)
