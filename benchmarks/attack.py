"""Attempts to identify or reconstruct masked heads: `python -m benchmarks.attack [--json] [--sheet FOLDER]`.

A head (benchmarks/heads.py) moves by parts of a pixel across a textured room; the real painter masks it, alone ("ours")
or with a body of which the attacker knows every pixel ("body": the figure's own colours are then shown). The attacker
is given more than any real one has: the exact path and outline, the clear room, the moments at which each cell took
its colour, and a statistical prior learned from other heads of the same kind. From the cells' colours the attacker

- **names** the head among N others (gallery: a second capture of each), by L2 and by normalised correlation on the
  cells, for which each gallery head is put through the same path and grid, with and without the rounding to levels,
  by the figure's hue, by both together, and on the rebuilt head; the best of them all counts. Heads come in several
  groups of N, and the hits of all count. Chance is 1/N for one matcher; "luck" is what the best of them all reaches in
  one of 20 runs in which the names are shuffled, and p the share of such runs in which it reaches as much as it does
  with the right names. With each rate goes its 95 % interval (Wilson). A row is above luck if it is after the Holm
  correction for all rows of our mosaic, at 5 %: of 20 rows of mere luck one has p under 0.05;
- **rebuilds** it, from one frame or from all of them ("super-resolution"), by the linear least-squares estimate under
  the prior (Wiener), which also contains bicubic enlarging as a weaker case. PSNR and SSIM are on luma within
  the head's outline; "prior" is what the attacker has before seeing anything.

The same attack on the plain mosaic (mean of each cell in each frame) and on the clear head shows that it works.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.masking import cell_px_for
from aipg_plugin.masking.cells import CELL_SHARE, LUMA_STEP
from aipg_plugin.masking.palette import HUES_DEG
from aipg_plugin.options import BlurIntensity
from benchmarks.attack_film import (
    F64,
    HEAD_M,
    MOTIONS,
    PIXELS_PER_METRE,
    HeadPath,
    Observed,
    Setup,
    directions,
    observe_ours,
    observe_plain,
    outline,
    room,
)
from benchmarks.heads import SIDE, people

_SHUFFLES = 4000
_SIGNIFICANT = 0.05
OURS = ("ours", "body")
Seen = tuple[Observed, Observed, Observed]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    heads: str
    intensity: str
    motion: str
    mosaic: str
    frames: str
    observations: int
    rank1: float
    low: float
    high: float
    luck: float
    p: float
    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class Named:
    """How often the best matcher is right, the 95 % interval of that, what luck reaches, and how likely it is luck."""

    rank1: float
    low: float
    high: float
    luck: float
    p: float


@dataclass(frozen=True)
class Prior:
    """What heads of this kind look like: mean (SIDE², 3) and, per channel, covariance (SIDE², SIDE²)."""

    mean: F64
    covariance: tuple[F64, F64, F64]

    @staticmethod
    def learn(heads: NDArray[np.floating]) -> Prior:
        flat = heads.reshape(len(heads), -1, 3).astype(float)
        y, x = np.mgrid[0:SIDE, 0:SIDE].reshape(2, -1)
        smooth = np.exp(-np.hypot(y[:, None] - y, x[:, None] - x) / 3.0)
        covariances = []
        for c in range(3):
            empirical = np.cov(flat[..., c].T)
            covariances.append(0.8 * empirical + 0.2 * np.trace(empirical) / len(y) * smooth)
        return Prior(flat.mean(axis=0), (covariances[0], covariances[1], covariances[2]))


def rebuild(seen: Seen, prior: Prior, sigma: tuple[float, float, float]) -> F64:
    """Wiener estimate (heads, SIDE², 3) from what is seen of each channel, whose errors have this deviation."""
    heads = np.empty((len(seen[0].values), SIDE * SIDE, 3))
    for c, channel in enumerate(seen):
        sx = prior.covariance[c] @ channel.matrix.T
        gain = np.linalg.solve(channel.matrix @ sx + sigma[c] ** 2 * np.eye(len(channel.matrix)), sx.T).T
        surprise = channel.values - channel.known - channel.matrix @ prior.mean[:, c]
        heads[..., c] = prior.mean[:, c] + surprise @ gain.T
    return np.clip(heads, 0, 255)


def distances(probes: F64, gallery: F64) -> F64:
    """(heads, heads) squared distances of (heads, N, …) features, in units of their mean."""
    d = ((probes[:, None] - gallery[None]) ** 2).reshape(len(probes), len(gallery), -1).sum(axis=2)
    return np.asarray(d / max(d.mean(), 1e-9), np.float64)


def correlation(probes: F64, gallery: F64) -> F64:
    """(heads, heads) one less the normalised correlation of (heads, N) features."""
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (probes, gallery))
    return np.asarray(1 - (a @ b.T) / (np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1) + 1e-9))


def nearest(distance: F64) -> F64:
    """(N, N) 1 where a gallery entry is nearest to a probe, its share where several are as near, 0 elsewhere."""
    near = distance <= distance.min(axis=1, keepdims=True) + 1e-9
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float64)


def judge(groups: list[F64]) -> Named:
    """What the best matcher reaches over all groups of heads, each (matchers, N, N) from `nearest`."""
    rng, count = np.random.default_rng(5), sum(tables.shape[1] for tables in groups)
    hits = np.sum([tables.trace(axis1=1, axis2=2) for tables in groups], axis=0).max()
    shuffled = np.zeros((groups[0].shape[0], _SHUFFLES))
    for tables in groups:
        probes = np.arange(tables.shape[1])
        for n in range(_SHUFFLES):
            shuffled[:, n] += tables[:, probes, rng.permutation(probes)].sum(axis=1)
    best = shuffled.max(axis=0)
    p = (1 + np.count_nonzero(best >= hits - 1e-9)) / (1 + _SHUFFLES)
    return Named(float(hits / count), *wilson(float(hits), count), float(np.percentile(best, 95)) / count, float(p))


def wilson(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / count
    middle, width = share + z * z / (2 * count), z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return float((middle - width) / (1 + z * z / count)), float((middle + width) / (1 + z * z / count))


def above_luck(rows: list[Row]) -> list[Row]:
    """The rows of our mosaic that are above luck when all of them are judged together (Holm 1979)."""
    ours = sorted((row for row in rows if row.mosaic in OURS), key=lambda row: row.p)
    found = []
    for n, row in enumerate(ours):
        if row.p > _SIGNIFICANT / (len(ours) - n):
            break
        found.append(row)
    return found


def quality(rebuilt: F64, truth: F64) -> tuple[float, float]:
    """Mean PSNR in dB and SSIM of luma within the outline."""
    inside = outline().astype(bool)
    psnr, ssim = [], []
    for a, b in zip(rebuilt[..., 0].reshape(-1, SIDE, SIDE), truth[..., 0].reshape(-1, SIDE, SIDE), strict=True):
        psnr.append(10 * np.log10(255 ** 2 / max(((a - b)[inside] ** 2).mean(), 1e-6)))
        blur = [cv2.GaussianBlur(v, (7, 7), 1.5) for v in (a, b, a * a, b * b, a * b)]
        ma, mb, va, vb = blur[0], blur[1], blur[2] - blur[0] ** 2, blur[3] - blur[1] ** 2
        vab = blur[4] - ma * mb
        score = (2 * ma * mb + 6.5) * (2 * vab + 58.5) / ((ma ** 2 + mb ** 2 + 6.5) * (va + vb + 58.5))
        ssim.append(score[inside].mean())
    return float(np.mean(psnr)), float(np.mean(ssim))


@dataclass(frozen=True)
class Heads:
    """The heads of one run, flat (heads, SIDE², 3), and their kind."""

    kind: str
    probes: F64
    gallery: F64
    prior: Prior


def attack(groups: list[Heads], intensity: BlurIntensity, motion: HeadPath) -> tuple[list[Row], list[F64]]:
    """All rows of one setting and path, and the rebuilt heads of the first group for each row."""
    ppm = PIXELS_PER_METRE[intensity]
    setup = Setup(cell_px_for(intensity, ppm), HEAD_M * ppm, motion, CELL_SHARE[intensity])
    results = [_attack(heads, setup) for heads in groups]
    rows = []
    for of_groups in zip(*results, strict=True):
        one = of_groups[0]
        psnr_db, ssim = np.mean([each.quality for each in of_groups], axis=0).tolist()
        named = judge([each.tables for each in of_groups])
        rows.append(Row(groups[0].kind, intensity.value, motion.name, one.mosaic, one.frames, one.observations,
                        **asdict(named), psnr_db=psnr_db, ssim=ssim))
    return rows, [one.rebuilt for one in results[0]]


@dataclass(frozen=True)
class _Attacked:
    """What an attack on one group of heads gave: who is nearest to whom by each matcher, and the rebuilt heads."""

    mosaic: str
    frames: str
    observations: int
    tables: F64
    rebuilt: F64
    quality: tuple[float, float]


def _attack(heads: Heads, setup: Setup) -> list[_Attacked]:
    whole, scene = replace(setup, body=True), room()
    probes = heads.probes.reshape(-1, SIDE, SIDE, 3)
    cases = (("plain", observe_plain(setup, probes, scene), (0.5, 0.5, 0.5)),
             ("ours", observe_ours(setup, probes, scene), (0.35 * LUMA_STEP, 6.0, 6.0)),
             ("body", observe_ours(whole, probes, scene), (0.35 * LUMA_STEP, 2.0, 2.0)))
    found = []
    for name, seen, sigma in cases:
        luma, u, v = seen
        for frames, chosen in (("one", (luma.in_first(), u.in_first(), v.in_first())), ("all", seen)):
            rebuilt = rebuild(chosen, heads.prior, sigma)
            tables = np.stack([nearest(distance) for distance in matchers(heads, chosen, rebuilt)])
            found.append(_Attacked(name, frames, len(chosen[0].known), tables, rebuilt, quality(rebuilt, heads.probes)))
    return found


def matchers(heads: Heads, seen: Seen, rebuilt: F64) -> list[F64]:
    """(N, N) distances of probes to the gallery, on luma, on hue, on both, and on the rebuilt heads."""
    inside = outline().ravel().astype(bool)
    luma, *chroma = seen
    by_luma = []
    for part in (luma, luma.only(luma.of_figure), luma.only(~luma.of_figure)):
        if not len(part.known):
            continue
        expected, middle = part.expected(heads.gallery, 0), 0.5 * part.of_figure
        rounded = (np.round(expected / LUMA_STEP - middle) + middle) * LUMA_STEP
        by_luma += [distances(part.values, expected), distances(part.values, rounded),
                    correlation(part.values, expected)]
    shown = np.stack([channel.values for channel in chroma], axis=-1) - 128
    others = np.stack([channel.expected(heads.gallery, c) for c, channel in enumerate(chroma, 1)], axis=-1) - 128
    by_hue = [distances(shown, others)]
    if chroma[0].of_figure.all():
        turn = np.arctan2(others[..., 1], others[..., 0])
        hues = np.radians(HUES_DEG)
        snapped = hues[np.cos(turn[..., None] - hues).argmax(axis=-1)]
        for angle in (turn, snapped):
            by_hue.append(distances(directions(shown), np.stack([np.cos(angle), np.sin(angle)], axis=-1)))
    both = [a + weight * b for a in by_luma for b in by_hue for weight in (0.2, 1.0, 5.0)]
    flat = rebuilt[:, inside], heads.gallery[:, inside]
    by_picture = [distances(*flat), correlation(flat[0][..., 0], flat[1][..., 0])]
    return [*by_luma, *by_hue, *both, *by_picture]


def baselines(groups: list[Heads]) -> list[Row]:
    """The attack on clear heads, and what the attacker has without any picture."""
    inside, kind = outline().ravel().astype(bool), groups[0].kind
    clear = judge([nearest(distances(heads.probes[:, inside], heads.gallery[:, inside]))[None] for heads in groups])
    nothing = judge([np.full((1, len(heads.probes), len(heads.probes)), 1 / len(heads.probes)) for heads in groups])
    prior = np.mean([quality(np.broadcast_to(heads.prior.mean, heads.probes.shape), heads.probes) for heads in groups],
                    axis=0).tolist()
    return [Row(kind, "-", "-", "clear", "one", SIDE * SIDE, **asdict(clear), psnr_db=float("inf"), ssim=1.0),
            Row(kind, "-", "-", "prior", "-", 0, **asdict(nothing), psnr_db=prior[0], ssim=prior[1])]


def sheet(heads: Heads, results: list[tuple[str, F64]], path: Path) -> None:
    """A picture: the first heads clear, then each line of rebuilt ones."""
    shown, side, left = 16, 64, 190
    lines = [("clear", heads.probes), *results]
    canvas = np.full((len(lines) * side, left + shown * side, 3), 255, np.uint8)
    alpha = outline()[..., None]
    for n, (label, flat) in enumerate(lines):
        cv2.putText(canvas, label, (4, n * side + 38), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        for k, head in enumerate(flat[:shown].reshape(-1, SIDE, SIDE, 3)):
            bgr = cv2.cvtColor(np.round(head * alpha + 128 * (1 - alpha)).astype(np.uint8), cv2.COLOR_YUV2BGR)
            large = cv2.resize(bgr, (side, side), interpolation=cv2.INTER_CUBIC)
            canvas[n * side:(n + 1) * side, left + k * side:left + (k + 1) * side] = large
    cv2.imwrite(str(path), canvas)


def make_heads(kind: str, identities: int, others: int, groups: int) -> list[Heads] | None:
    """Groups of different heads, and what the attacker learns from others; None where there are no photographs."""
    data = people(kind, identities * groups, others)
    if data is None:
        return None
    probes, gallery, learned = (d.reshape(len(d), -1, 3).astype(float) for d in data)
    prior = Prior.learn(learned)
    return [Heads(kind, probes[n::groups], gallery[n::groups], prior) for n in range(groups)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=60, help="heads among which one is named")
    parser.add_argument("--groups", type=int, default=4, help="of so many heads")
    parser.add_argument("--others", type=int, default=200, help="heads the attacker learns from")
    parser.add_argument("--kinds", nargs="+", default=["drawn", "photo"], choices=["drawn", "photo"])
    parser.add_argument("--intensities", nargs="+", type=BlurIntensity, default=list(BlurIntensity))
    parser.add_argument("--motions", nargs="+", default=[m.name for m in MOTIONS])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of the rebuilt heads")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows: list[Row] = []
    for kind in args.kinds:
        groups = make_heads(kind, args.identities, args.others, args.groups)
        if groups is None:
            print(f"skipped {kind}: too few photographs found (set AIPG_SHARED)")
            continue
        rows += baselines(groups)
        for motion in (m for m in MOTIONS if m.name in args.motions):
            lines: list[tuple[str, F64]] = []
            for intensity in args.intensities:
                new, pictures = attack(groups, intensity, motion)
                rows += new
                lines += [(f"{r.intensity} {r.mosaic}, {r.frames}", p) for r, p in zip(new, pictures, strict=True)]
            if args.sheet:
                args.sheet.mkdir(parents=True, exist_ok=True)
                sheet(groups[0], lines, args.sheet / f"attack_{kind}_{motion.name}.png")
    above = above_luck(rows)
    if args.json:
        print(json.dumps({"chance": 1 / args.identities, "rows": [asdict(row) for row in rows],
                          "above_luck": [asdict(row) for row in above]}))
        return
    print(f"{'heads':7}{'setting':9}{'motion':8}{'mosaic':8}{'frames':8}{'cells':>7}{'rank-1':>9}{'95 % interval':>16}"
          f"{'luck':>8}{'p':>8}{'PSNR':>7}{'SSIM':>7}   chance {1 / args.identities:.1%}")
    for r in rows:
        print(f"{r.heads:7}{r.intensity:9}{r.motion:8}{r.mosaic:8}{r.frames:8}{r.observations:7}{r.rank1:9.1%}"
              f"{r.low:8.1%} –{r.high:6.1%}{r.luck:8.1%}{r.p:8.4f}{r.psnr_db:7.1f}{r.ssim:7.2f}"
              f"{'  above luck' if r in above else ''}")
    print(f"{len(above)} of {sum(row.mosaic in OURS for row in rows)} rows of our mosaic are above luck (Holm, 5 %)")


if __name__ == "__main__":
    main()
