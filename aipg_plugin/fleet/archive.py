"""A folder of files spread over the nodes of a fleet: each done once, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from aipg_plugin.errors import AipgError, MediaError, UsageError
from aipg_plugin.fleet.engine import Engine, Node, NodeActor, NodeLostError, Pending
from aipg_plugin.hosts.offline import Progress, Report

_log = logging.getLogger(__name__)
STORE = ".aipg-fleet"       # in the target folder: what is done, and what is being written
_TICK_S = 0.2
_ANSWER_S = 15.0            # a worker that does not say how far it is for so long is given up
_MOST_TRIES = 3             # of a file whose worker dies: it may be the file that kills it
_CORES_EACH = 2             # decoding, looking and encoding run side by side in one file's pipeline
_YIELD = 5                  # niceness: cameras on the same node come first


class Work(Protocol):
    """Does one file; sent to every node."""

    def one(self, source: Path, target: Path, label: str = "", progress: Progress | None = None) -> Report:
        """Mask `source` into `target`, which appears when it is whole. Raises AipgError."""
        ...


@dataclass(frozen=True)
class Task:
    """One file to do."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a file: a report, or the reason why there is none. `earlier`: by a run before this one."""

    task: Task
    report: Report | None = None
    reason: str = ""
    earlier: bool = False


class ArchiveWorker:
    """On a node: does one file at a time, and says how far it is."""

    def __init__(self) -> None:
        os.nice(_YIELD)
        self._work: Work | None = None
        self._share = 0.0

    def redact(self, work: Work, source: Path, target: Path) -> Report:
        """Do one; the first `work` is kept with what it has loaded. Raises AipgError."""
        if not source.is_file() or not target.parent.is_dir():
            raise MediaError("{file} is not there on every node", file=str(source),
                             cure="Mount the folder under the same path on all nodes")
        self._work = self._work or work
        self._share = 0.0
        return self._work.one(source, target, progress=self._told)

    def share(self) -> float:
        """How much of the file is done, 0–1."""
        return self._share

    def _told(self, phase: str, done: int, total: int | None, _people: int) -> None:
        """Both passes of a file count half."""
        part = min(1.0, done / total) if total else 0.5
        self._share = max(self._share, part / 2 if phase == "looking" else 0.5 + part / 2)


class Store:
    """The hidden folder beside the targets: a lock, a journal of what is done, and files that are not whole yet."""

    def __init__(self, folder: Path, options: object) -> None:
        self.folder = folder / STORE
        self._options = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self._journal = self.folder / "done.jsonl"
        self._done: dict[str, dict[str, object]] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[Store]:
        """While inside, no other run works on the folder. Raises UsageError or MediaError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise MediaError("cannot write {target}: {why}", target=str(self.folder), why=error.strerror or str(error),
                             cure="Choose a folder that can be written to and has room") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError("another run is at work on {folder}", folder=str(self.folder.parent),
                                 cure="Wait for its end") from None
            self._tidy()
            self._read()
            try:
                yield self
            finally:
                self._tidy()

    def done_before(self, task: Task) -> Report | None:
        """The report of an earlier run on the same file with the same options, if what it wrote is there."""
        entry = self._done.get(str(task.source))
        if entry is None or entry.get("key") != self._key(task) or not task.target.exists():
            return None
        report = entry["report"]
        return Report(**report) if isinstance(report, dict) else None

    def attempt(self, task: Task) -> Path:
        """A new name to write a task's target under: no two tries write the same file."""
        place = self.folder / uuid.uuid4().hex
        place.mkdir(mode=0o700)
        return place / task.target.name

    def publish(self, task: Task, attempt: Path, report: Report) -> Report:
        """Let a whole file appear under its name, and write down that it is done. Raises MediaError."""
        report = replace(report, target=str(task.target))
        try:
            task.target.parent.mkdir(parents=True, exist_ok=True)
            key = self._key(task)
            attempt.replace(task.target)
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps({"source": str(task.source), "key": key, "report": report.as_dict()}) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
        except OSError as error:
            raise MediaError("cannot write {target}: {why}", target=str(task.target), why=error.strerror or str(error),
                             cure="Choose a folder that can be written to and has room") from None
        shutil.rmtree(attempt.parent, ignore_errors=True)
        return report

    def _key(self, task: Task) -> str:
        state = task.source.stat()
        return f"{self._options} {state.st_size} {state.st_mtime_ns} {task.target}"

    def _read(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for line in self._journal.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a line cut off by a crash
                    entry = json.loads(line)
                    self._done[str(entry["source"])] = entry

    def _tidy(self) -> None:
        for place in self.folder.iterdir():
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)


@dataclass
class _Slot:
    """A worker and what it does now."""

    actor: NodeActor
    task: Task | None = None
    attempt: Path | None = None
    pending: Pending | None = None
    asking: Pending | None = None
    heard_s: float = 0.0
    share: float = 0.0


class Spread:
    """Does tasks on all nodes; `told(done)` hears how many files are done, with fractions, a few times a second."""

    def __init__(self, engine: Engine, work: Work, store: Store, told: Callable[[float], None]) -> None:
        self._engine, self._work, self._store, self._told = engine, work, store, told
        self._slots: dict[str, list[_Slot]] = {}
        self._tries: dict[Task, int] = {}
        self._queue: deque[Task] = deque()
        self._looked_s = -float("inf")

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Every task's outcome, as they end. Nodes may come and go meanwhile; without any, it waits."""
        finished = 0
        for task in tasks:
            report = self._store.done_before(task)
            if report is None:
                self._queue.append(task)
            else:
                finished += 1
                yield Outcome(task, report, earlier=True)
        pause = threading.Event()
        try:
            while self._queue or any(slot.task for slots in self._slots.values() for slot in slots):
                self._look_for_nodes()
                for slot in [slot for slots in self._slots.values() for slot in slots]:
                    outcome = self._step(slot)
                    if outcome is not None:
                        finished += 1
                        yield outcome
                self._told(finished + sum(slot.share for slots in self._slots.values() for slot in slots if slot.task))
                pause.wait(_TICK_S)
        finally:
            for slots in self._slots.values():
                for slot in slots:
                    slot.actor.kill()

    def _look_for_nodes(self) -> None:
        if time.monotonic() - self._looked_s < 1.0:
            return
        self._looked_s = time.monotonic()
        nodes = self._engine.nodes()
        for gone in self._slots.keys() - nodes.keys():
            for slot in self._slots.pop(gone):
                self._again(slot, "the node is gone")
        for node in nodes.values():
            if node.id not in self._slots and node.cores >= 1:
                self._slots[node.id] = [self._slot(node) for _ in range(max(1, int(node.cores) // _CORES_EACH))]

    def _slot(self, node: Node) -> _Slot:
        return _Slot(self._engine.spawn(ArchiveWorker, node), heard_s=time.monotonic())

    def _step(self, slot: _Slot) -> Outcome | None:
        """Give a free worker a task; take the result of one that is ready."""
        if slot.task is None:
            if self._queue:
                slot.task = self._queue.popleft()
                slot.attempt = self._store.attempt(slot.task)
                slot.pending = slot.actor.call("redact", self._work, slot.task.source, slot.attempt)
                slot.heard_s, slot.share = time.monotonic(), 0.0
            return None
        assert slot.pending is not None
        assert slot.attempt is not None
        if not slot.pending.done():
            return self._watch(slot)
        task, attempt = slot.task, slot.attempt
        try:
            report = slot.pending.result(5.0)
            slot.task = None
            return Outcome(task, self._store.publish(task, attempt, report))
        except NodeLostError as error:
            return self._replaced(slot, str(error))
        except AipgError as error:
            slot.task = None
            shutil.rmtree(attempt.parent, ignore_errors=True)
            return Outcome(task, reason=str(error))
        except Exception as error:  # a fault of ours in one file must not end the others
            _log.exception("%s: not done", task.source)
            slot.task = None
            return Outcome(task, reason=f"fault of aipg: {type(error).__name__}")

    def _watch(self, slot: _Slot) -> Outcome | None:
        """Ask a worker how far it is."""
        now_s = time.monotonic()
        try:
            if slot.asking is not None and slot.asking.done():
                slot.share, slot.heard_s, slot.asking = slot.asking.result(1.0), now_s, None
            elif slot.asking is None:
                slot.asking = slot.actor.call("share")
            elif now_s - slot.heard_s > _ANSWER_S * (1 if slot.share else 4):  # a process may take long to start
                return self._replaced(slot, "no answer")
        except NodeLostError as error:
            return self._replaced(slot, str(error))
        return None

    def _replaced(self, slot: _Slot, why: str) -> Outcome | None:
        """A worker is lost: another takes its place, if the node is there, and its task is tried again."""
        slot.actor.kill()
        outcome = self._again(slot, why)
        slots = self._slots.get(slot.actor.node.id, [])
        if slot in slots:
            slots.remove(slot)
            if slot.actor.node.id in self._engine.nodes():
                slots.append(self._slot(slot.actor.node))
        return outcome

    def _again(self, slot: _Slot, why: str) -> Outcome | None:
        task, slot.task = slot.task, None
        if task is None:
            return None
        self._tries[task] = self._tries.get(task, 0) + 1
        _log.warning("%s: its worker on node %s is lost (%s)", task.source, slot.actor.node.name, why)
        if self._tries[task] < _MOST_TRIES:
            self._queue.appendleft(task)
            return None
        return Outcome(task, reason=f"its worker was lost {_MOST_TRIES} times")
