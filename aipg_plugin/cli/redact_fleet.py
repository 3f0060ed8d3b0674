"""`aipg redact FOLDER OUT --fleet`: a folder's files done by the nodes of a fleet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from aipg_plugin.cli.folder import Job
from aipg_plugin.fleet import engine
from aipg_plugin.fleet.archive import Spread, Store, Task, Work
from aipg_plugin.hosts.offline import Report

_NOT_THE_RESULT = {"fleet", "json", "quiet", "verbose", "input", "output", "recursive", "command"}


def spread(jobs: list[Job], work: Work, folder: Path,
           options: argparse.Namespace) -> Iterator[tuple[Job, Report | None, str]]:
    """Every job with its report, or the reason why there is none, as they end. Raises HostError without a fleet."""
    by_task = {}
    for job in jobs:
        if job.reason:
            yield job, None, job.reason
        else:
            by_task[Task(job.source.resolve(), job.target.resolve())] = job
    if options.config:
        options.config = str(Path(options.config).resolve())  # read on the nodes, under the same path
    store = Store(folder.resolve(), {key: value for key, value in vars(options).items() if key not in _NOT_THE_RESULT})
    with store.held():
        cluster = engine.connect(engine.endpoint(options.fleet))
        bar = _Bar(len(by_task), quiet=options.quiet or not sys.stderr.isatty())
        earlier = 0
        try:
            for outcome in Spread(cluster, work, store, bar).run(by_task):
                earlier += outcome.earlier
                yield by_task[outcome.task], outcome.report, outcome.reason
        finally:
            bar.close()
            cluster.close()
    if earlier and not options.json:
        print(f"aipg: {earlier} of {len(by_task)} were done by an earlier run", file=sys.stderr)


class _Bar:
    """One progress bar for all files."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        import tqdm

        self._bar = tqdm.tqdm(total=total, unit="file", file=sys.stderr, leave=False, disable=quiet,
                              bar_format="{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]")

    def __call__(self, done: float) -> None:
        """`done` files, with fractions."""
        self._bar.update(max(0.0, done - self._bar.n))

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()
