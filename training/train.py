"""Train the person net.

First index the photographs, then train; rendered scenes are picked up as they appear:

  python -m training.photos --data ../shared/data --out photos.json
  python -m training.train --run runs/a --photos photos.json --scenes scenes --minutes 60
  python -m training.train --run runs/a --resume              # go on after a stop
  python -m training.train --run runs/b --start runs/a/last.pt --rate 3e-4

A run's folder holds config.json, last.pt (with optimiser), log.csv, curves.png, and figures
and overlays of the real dev scenes (dev.*) and of rendered ones (validation.*). Ctrl-C is safe:
the last save is at most `--save-s` old.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from training.config import Config
from training.curves import append_row, draw_curves
from training.dataset import Tiles
from training.evaluate import evaluate_net, one_line
from training.losses import Targets, keeping_loss, loss
from training.net import YoloxPersonNet
from training.optimiser import RelativeAdam
from training.port import BASES, AnyNet, base_of, is_new, load_yolox, net_of


def parse_args() -> tuple[Config, bool]:
    """Config from the command line; every field is an option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", action="store_true", help="go on from <run>/last.pt with its config")
    for f in dataclasses.fields(Config):
        name = "--" + f.name.replace("_", "-")
        if f.name == "sizes_px":
            parser.add_argument(name, type=int, nargs="+", help=f"default {f.default}")
        else:
            kind = (lambda v: v.lower() in ("1", "true", "yes")) if isinstance(f.default, bool) else type(f.default)
            parser.add_argument(name, type=kind, help=f"default {f.default!r}")
    given = {k: v for k, v in vars(parser.parse_args()).items() if v is not None}
    resume = given.pop("resume")
    if "sizes_px" in given:
        given["sizes_px"] = tuple(given["sizes_px"])
    saved = Path(given.get("run", Config().run)) / "config.json"
    base = Config.load(saved) if resume else Config()
    return dataclasses.replace(base, **given), resume


def rate_at(config: Config, step: int, progress: float) -> float:
    """Warm-up, then a cosine down to the smallest rate."""
    cosine = config.rate_min_share + (1 - config.rate_min_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.rate * cosine * min(1.0, (step + 1) / config.warmup_steps)


@dataclass
class RunState:
    """What a checkpoint holds: net, its slow average, optimiser, progress."""

    net: AnyNet
    average: AnyNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    spent_s: float = 0.0

    def save(self, path: Path) -> None:
        parts = {"net": self.net.state_dict(), "ema": self.average.state_dict(), "step": self.step,
                 "spent_s": self.spent_s, "optimiser": self.optimiser.state_dict()}
        torch.save(parts, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        parts = torch.load(path, map_location=device, weights_only=True)
        self.net.load_state_dict(parts["net"])
        self.average.load_state_dict(parts["ema"])
        self.optimiser.load_state_dict(parts["optimiser"])
        self.step, self.spent_s = parts["step"], parts["spent_s"]


def build(config: Config, device: torch.device) -> RunState:
    """Ported or given weights; the new branches learn faster than the ported ones."""
    base = BASES[config.base]
    net = base.load_all(Path(config.data) / "peers" / base.file)
    if config.start:
        given = torch.load(config.start, map_location="cpu", weights_only=True)["ema"]
        if base_of(given) != config.base:
            raise ValueError(f"{config.start} is a {base_of(given)}, not a {config.base}")
        own = net.state_dict()  # a start with the person alone leaves the other classes as the base has them
        net.load_state_dict({k: torch.cat([v, own[k][len(v):]]) if ".cls." in k else v for k, v in given.items()})
    net = net.to(device)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(net)
    new = [p for k, p in net.named_parameters() if is_new(k)]
    old = [p for k, p in net.named_parameters() if not is_new(k)]
    groups = [{"params": old, "factor": 1.0}, {"params": new, "factor": config.new_layers_rate}]
    return RunState(net, average, RelativeAdam(groups, config.rate))


def train_step(state: RunState, config: Config, image: torch.Tensor, targets: Targets,
               base: YoloxPersonNet | None = None) -> dict[str, torch.Tensor]:
    """One update of net and average; returns the parts of the loss. FloatingPointError if it isn't finite."""
    backbone = state.net.backbone
    for part in (backbone.stem, backbone.s4, backbone.s8):
        part.requires_grad_(state.step % config.early_every == 0)
    x = image.float().contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=config.bfloat16):
        prediction = state.net(x).float()
        with torch.no_grad():
            known = base(x).float() if base is not None else None
    parts = loss(prediction, targets, (x.shape[2], x.shape[3]))
    if known is not None:
        parts["kept"] = config.keep * keeping_loss(prediction, known)
    total = torch.stack(list(parts.values())).sum()
    if not torch.isfinite(total):
        raise FloatingPointError(f"loss isn't finite at step {state.step}: { {k: v.item() for k, v in parts.items()} }")
    state.optimiser.zero_grad()
    torch.autograd.backward(total)
    state.optimiser.step()
    state.step += 1
    decay = min(config.ema, state.step / (state.step + 10))
    with torch.no_grad():
        for a, b in zip(state.average.parameters(), state.net.parameters(), strict=True):
            a.lerp_(b, 1 - decay)
    return parts


def report(state: RunState, config: Config, run: Path) -> None:
    """Measure the averaged net on the dev scenes and the rendered validation set, as far as they are there."""
    net = net_of(state.average.state_dict())
    for name, folder in (("dev", Path(config.data) / "real_dev"), ("validation", Path(config.validation))):
        if not (folder / "labels.json").exists():
            continue
        measured = evaluate_net(net.cpu(), folder, run / f"{name}.jpg")
        print(name, one_line(measured), flush=True)
        append_row(run / f"{name}.csv", {"step": state.step, **{k: round(v, 4) for k, v in measured.items()}})
    draw_curves(run)


def main() -> None:
    config, resume = parse_args()
    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    config.save(run / "config.json")
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = build(config, device)
    if resume:
        state.load(run / "last.pt", device)

    keeps = config.keep and BASES[config.base].classes > 1
    base = load_yolox(Path(config.data) / "peers" / BASES[config.base].file).to(device) if keeps else None
    # A batch comes whole from a worker, all tiles of one size.
    loader = torch.utils.data.DataLoader(
        Tiles(config, worker_seed=state.step), batch_size=None, num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    sums: dict[str, float] = {}
    clock = saved = evaluated = time.monotonic()
    for image, targets in loader:
        now = time.monotonic()
        state.spent_s, clock = state.spent_s + now - clock, now
        progress = state.step / config.steps if config.steps else state.spent_s / 60 / config.minutes
        for group in state.optimiser.param_groups:
            group["lr"] = rate_at(config, state.step, progress) * group["factor"]
        parts = train_step(state, config, image.to(device), targets.to(device), base)

        for k, v in parts.items():
            sums[k] = sums.get(k, 0.0) + v.item() / 50
        if state.step % 50 == 0:
            print(f"{state.step} {state.spent_s:.0f}s", *(f"{k} {v:.3f}" for k, v in sums.items()), flush=True)
            append_row(run / "log.csv", {"step": state.step, "spent_s": round(state.spent_s), **sums})
            sums = {}
        if now - saved > config.save_s:
            state.save(run / "last.pt")
            saved = now
        if now - evaluated > config.evaluate_s:
            report(state, config, run)
            evaluated = time.monotonic()
        if progress >= 1:
            break
    state.save(run / "last.pt")
    report(state, config, run)


if __name__ == "__main__":
    main()
