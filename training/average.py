"""Mean of several checkpoints' averaged nets, with a share of the net they all started from.

  python -m training.average runs/a/1750.pt runs/a/last.pt --base-share 0.45 --out mean.pt

Weights averaged along a run (Izmailov et al. 2018) and with the base (Wortsman et al. 2022) do better on pictures of
another kind than the run's end. The result is a checkpoint like any other: evaluate, export or start from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from training.port import BASES, base_of, is_new, single_class

Weights = dict[str, Tensor]


def person_weights(checkpoint: Path) -> Weights:
    """The averaged net of a checkpoint, the person's channel alone."""
    return single_class(torch.load(checkpoint, map_location="cpu", weights_only=True)["ema"])


def mean(nets: list[Weights]) -> Weights:
    """Every tensor the mean of the nets' own; raises ValueError for nets of several layouts."""
    if len({base_of(net) for net in nets}) > 1:
        raise ValueError("the checkpoints are nets of several layouts")
    return {name: torch.stack([net[name] for net in nets]).mean(0) for name in nets[0]}


def with_base(net: Weights, base: Weights, share: float) -> Weights:
    """`share` of the base in every layer that the base has; the branches that it lacks stay as they are."""
    return {name: own if is_new(name) else torch.lerp(own, base[name], share) for name, own in net.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--base-share", type=float, default=0.0, help="0 to 1, default %(default)s")
    parser.add_argument("--peers", type=Path, default=Path("../shared/data/peers"), help="folder of the base's file")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if not 0 <= args.base_share <= 1:
        parser.error(f"--base-share: {args.base_share} is not in 0–1")
    averaged = mean([person_weights(checkpoint) for checkpoint in args.checkpoints])
    if args.base_share:
        base = BASES[base_of(averaged)]
        averaged = with_base(averaged, base.load(args.peers / base.file).state_dict(), args.base_share)
    torch.save({"ema": averaged}, args.out)
    print(f"{args.out}: mean of {len(args.checkpoints)}, {args.base_share:.0%} base")


if __name__ == "__main__":
    main()
