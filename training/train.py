"""Train the person net.

First index the photographs, then train; rendered scenes are picked up as they appear:

  python -m training.photos --data ../shared/data --out photos.json
  python -m training.train --run runs/a --photos photos.json --scenes scenes --minutes 60
  python -m training.train --run runs/a --resume              # go on after a stop
  python -m training.train --run runs/b --start runs/a/last.pt --rate 3e-4

A run's folder holds config.json, last.pt (with optimiser), log.csv, curves.png and
overlays.jpg. Ctrl-C is safe: the last save is at most `--save-s` old.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from pathlib import Path

import torch

from training.config import Config
from training.curves import append_row, draw_curves
from training.dataset import Tiles
from training.evaluate import evaluate_net, one_line
from training.losses import loss
from training.net import PersonNet
from training.port import person_net


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
    """Warm-up, then a cosine down to the floor."""
    cosine = config.rate_floor + (1 - config.rate_floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.rate * cosine * min(1.0, (step + 1) / config.warmup_steps)


def main() -> None:
    config, resume = parse_args()
    run = Path(config.run)
    run.mkdir(parents=True, exist_ok=True)
    config.save(run / "config.json")
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # Net, its slow average, optimiser: new branches learn faster than the ported ones.
    net = person_net(Path(config.data) / "peers/yolox_nano.onnx")
    if config.start:
        net.load_state_dict(torch.load(config.start, map_location="cpu", weights_only=True)["ema"])
    net = net.to(device, memory_format=torch.channels_last)
    average = PersonNet().to(device)
    average.load_state_dict(net.state_dict())
    early = [*net.backbone.stem.parameters(), *net.backbone.s4.parameters()]
    new = [p for k, p in net.named_parameters() if "silhouette" in k or ".point." in k]
    old = [p for k, p in net.named_parameters() if "silhouette" not in k and ".point." not in k]
    factors = [1.0, config.new_layers_rate]
    optimiser = torch.optim.AdamW([{"params": old}, {"params": new}], config.rate, weight_decay=config.weight_decay)
    step, spent_s = 0, 0.0
    if resume:
        state = torch.load(run / "last.pt", map_location=device, weights_only=True)
        net.load_state_dict(state["net"]), average.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent_s = state["step"], state["spent_s"]

    def save() -> None:
        state = {"net": net.state_dict(), "ema": average.state_dict(), "step": step, "spent_s": spent_s}
        torch.save({**state, "optimiser": optimiser.state_dict()}, run / "last.tmp")
        (run / "last.tmp").replace(run / "last.pt")

    # A batch comes whole from a worker, all tiles of one size.
    loader = torch.utils.data.DataLoader(
        Tiles(config, worker_seed=step), batch_size=None, num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    sums: dict[str, float] = {}
    clock = saved = evaluated = time.monotonic()
    for image, targets in loader:
        now = time.monotonic()
        spent_s, clock = spent_s + now - clock, now
        progress = spent_s / 60 / config.minutes
        for group, factor in zip(optimiser.param_groups, factors, strict=True):
            group["lr"] = rate_at(config, step, progress) * factor

        for p in early:
            p.requires_grad_(step % config.stem_every == 0)
        x = image.to(device, memory_format=torch.channels_last).float()
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            prediction = net(x).float()
        parts = loss(prediction, targets.to(device), (x.shape[2], x.shape[3]))
        total = torch.stack(list(parts.values())).sum()
        if not torch.isfinite(total):
            save()
            raise SystemExit(f"loss isn't finite at step {step}: { {k: v.item() for k, v in parts.items()} }")
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        step += 1
        decay = min(config.ema, step / (step + 10))
        with torch.no_grad():
            for a, b in zip(average.parameters(), net.parameters(), strict=True):
                a.lerp_(b, 1 - decay)

        for k, v in parts.items():
            sums[k] = sums.get(k, 0.0) + v.item() / 50
        if step % 50 == 0:
            print(f"{step} {spent_s:.0f}s", *(f"{k} {v:.3f}" for k, v in sums.items()), flush=True)
            append_row(run / "log.csv", {"step": step, "spent_s": round(spent_s), **sums})
            sums = {}
        if now - saved > config.save_s:
            save()
            saved = now
        if now - evaluated > config.evaluate_s or progress >= 1:
            report = evaluate_net(average, Path(config.data) / "real_dev", run / "overlays.jpg")
            print("dev", one_line(report), flush=True)
            append_row(run / "dev.csv", {"step": step, **{k: round(v, 4) for k, v in report.items()}})
            draw_curves(run)
            evaluated = time.monotonic()
        if progress >= 1:
            break
    save()


if __name__ == "__main__":
    main()
