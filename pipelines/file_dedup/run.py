"""Deduplicate files: run the steps in a hidden folder of the output, publish the files, remove the folder.

While the folder `WORK` is there, the output is unfinished, and the same command resumes it.
"""

from __future__ import annotations

import errno
import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.context import final_key
from corpusmill.pipelines.engines.driver import Engine, Observer, Silent, as_unfinished, run_plan
from corpusmill.pipelines.engines.store import STEPS, TASKS, StepResult, TaskStore
from corpusmill.pipelines.engines.tasks import TaskResult
from corpusmill.pipelines.file_dedup.files import place_of
from corpusmill.pipelines.file_dedup.ids import original_ids
from corpusmill.pipelines.file_dedup.job import Job
from corpusmill.pipelines.file_dedup.reading import (
    BROKEN_REFERENCE,
    CHANGED,
    NO_ID,
    NO_TEXT,
    NO_TIME,
    OWN_RECORDS,
    REFERENCE_RECORDS,
)
from corpusmill.pipelines.file_dedup.repeated import REPEATED, SHOWN
from corpusmill.pipelines.file_dedup.steps import IDS, READ, WRITE, compare_plan, output_plan
from corpusmill.pipelines.file_dedup.writing import KEPT, KEPT_FILE, LEDGER_FILE, REMOVED, SET_ASIDE
from corpusmill.schemas.errors import ChecksFailedError, ConservationError, DamagedFileError, UsageError
from corpusmill.schemas.storage import LocalStore

WORK: Final = ".dedup"
"""The folder of an unfinished run, in the output folder."""
_LOCK: Final = "lock"
_JOB: Final = "job.json"
_RESULT: Final = "result.json"
"""Written when all files of the output are there: what is left is to remove the work folder."""


def deduplicate(
    job: Job, out: Path, engine: Engine, *, observer: Observer | None = None, batch_rows: int | None = None
) -> dict[str, Any]:
    """Write the kept records and the ledger of *job* to the folder *out*, and return the figures of ``--json``.

    Args:
        batch_rows: As in `run_plan`.

    Raises:
        UsageError: *out* has other content.
        ChecksFailedError: Records have no id, or share one. Nothing is written.
        DamagedFileError: A file cannot be read, or has changed during the run.
        UnfinishedError: The disk is full, or the folder is in use. The same command goes on where it stopped.
    """
    try:
        with _claimed(out, job) as work:
            figures = _finished_figures(work)
            if figures is None:
                tasks = TaskStore(work, is_compressed=False)
                results = _computed(job, tasks, engine, observer or Silent(), batch_rows)
                figures = _figures(results, tasks)
                _publish(results[WRITE].tasks, tasks, LocalStore(out))
                work.write(_RESULT, json.dumps(figures))
        _remove_work(out)
    except (ChecksFailedError, DamagedFileError):  # the same command would fail again, and another one may follow
        _remove_work(out)
        raise
    except OSError as error:
        raise as_unfinished(error) from error
    return {**figures, "out": str(out)}


def _finished_figures(work: LocalStore) -> dict[str, Any] | None:
    """Return the figures of a run that was killed while it removed the folder *work*, else None."""
    try:
        figures: dict[str, Any] = json.loads(work.read(_RESULT))
    except (FileNotFoundError, ValueError):
        return None
    return figures


def _remove_work(out: Path) -> None:
    """Remove the work folder. The file that makes it resumable is the last one to go."""
    work = LocalStore(out / WORK)
    work.remove_folder(TASKS)
    work.remove_folder(STEPS)
    work.remove(_RESULT, _LOCK, _JOB)
    LocalStore(out).remove_folder(WORK)


@contextmanager
def _claimed(out: Path, job: Job) -> Iterator[LocalStore]:
    """Lock the work folder in *out* and note *job* in it.

    Raises:
        UsageError: *out* is a file, a folder with other content, or cannot be made.
        LockHeldError: Another process writes to it.
    """
    _refuse_other_content(out, job)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        hint = "name a folder in a place where this user may write"
        raise UsageError(f"`--out`: {out} cannot be made: {error.strerror}", hint=hint) from error
    work = LocalStore(out / WORK)
    with work.lock(_LOCK, subject=f"the folder {out}"):
        _refuse_other_content(out, job)
        if not work.exists(_JOB):
            work.write(_JOB, json.dumps({"job": job.address}))
        LocalStore(out).sweep("", last="")
        yield work


def _refuse_other_content(out: Path, job: Job) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"`--out`: {out} is a file", hint="name a folder that does not exist yet")
    names = sorted(path.name for path in out.iterdir()) if out.exists() else []
    noted = _noted_job(LocalStore(out / WORK))
    if not names or (names == [WORK] and noted is None) or noted == job.address:
        return
    if noted is None:
        if WORK in names and not any((out / WORK).iterdir()):  # killed after everything else was done
            LocalStore(out).remove_folder(WORK)
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise UsageError(
            f"`--out`: {out} is not empty; it has {shown}", hint="name another folder, or remove this one first"
        )
    raise UsageError(
        f"`--out`: {out} has an unfinished run of another command, or its files have changed since",
        hint=f"repeat that command to finish it, or start over after `rm -r {out}`",
    )


def _noted_job(work: LocalStore) -> str | None:
    """Return the address of the job that *work* belongs to, or None if it was never noted."""
    try:
        return str(json.loads(work.read(_JOB))["job"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _computed(
    job: Job, tasks: TaskStore, engine: Engine, observer: Observer, batch_rows: int | None
) -> Mapping[str, StepResult]:
    plan = compare_plan(job)
    compared = run_plan(plan, tasks, engine, observer=observer, batch_rows=batch_rows)
    _refuse_unusable_ids(job, compared, tasks)
    extended = output_plan(plan, job, compared[READ], tasks)
    later = _Later(observer, frozenset(compared))
    return run_plan(extended, tasks, engine, observer=later, batch_rows=batch_rows)


class _Later(Silent):
    """Passes the events of steps on, except those of steps that *observer* knows already."""

    def __init__(self, observer: Observer, known: frozenset[str]) -> None:
        self._observer = observer
        self._known = known

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """Pass the event on."""
        self._observer.step_started(step, tasks=tasks, missing=missing)

    def task_done(self, step: Step, done: TaskResult) -> None:
        """Pass the event on."""
        self._observer.task_done(step, done)

    def step_done(self, done: StepResult) -> None:
        """Pass the event on, unless the step was finished before."""
        if done.name not in self._known:
            self._observer.step_done(done)


def _refuse_unusable_ids(job: Job, results: Mapping[str, StepResult], tasks: TaskStore) -> None:
    """Check that each record has an id of its own.

    Raises:
        ChecksFailedError: One has none, or several share one.
    """
    name = job.columns.id
    if missing := results[READ].counters[NO_ID]:
        records = "1 record has" if missing == 1 else f"{missing:,} records have"
        place = _first_without_id(job, results, tasks)
        raise ChecksFailedError(
            f"{records} no id (a text or a whole number) in `{name}`, the first one in {place}",
            field="--id-column",
            value=name,
            hint="fill in the missing ids, or name a column that every record has: `--id-column NAME`",
        )
    if name is None or not (repeated := results[IDS].counters[REPEATED]):
        return
    files = (IpcFile(tasks.store, f"{tasks.out(done.fingerprint)}.arrow") for done in results[IDS].tasks)
    first = sorted(id_ for file in files for batch in file.batches() for id_ in batch["id"].to_pylist())[:SHOWN]
    names = original_ids(pa.array(first), pa.string()).to_pylist()
    shown = f"{', '.join(names)}{', …' if repeated > len(first) else ''}"
    several = "1 id occurs" if repeated == 1 else f"{repeated:,} ids occur"
    raise ChecksFailedError(
        f"{several} more than once in `{name}`: {shown}; {names[0]} is in {_with_id(names[0], job, results, tasks)}",
        field="--id-column",
        value=name,
        hint="give each record an id of its own, or name another column: `--id-column NAME`",
    )


def _first_without_id(job: Job, results: Mapping[str, StepResult], tasks: TaskStore) -> str:
    """Return file and position of the first record without an id."""

    def is_missing(records: pa.RecordBatch) -> pa.BooleanArray:
        return pc.and_(pc.equal(records["id"], ""), pc.is_null(records["rule"]))

    return _place_of(_first_record(results, tasks, is_missing), job)


def _with_id(name: str, job: Job, results: Mapping[str, StepResult], tasks: TaskStore) -> str:
    """Return file and position of the first two records to deduplicate with the id *name*."""

    def has_id(records: pa.RecordBatch) -> pa.BooleanArray:
        is_own = pc.and_(pc.greater_equal(records["part"], 0), pc.is_null(records["rule"]))
        ids = original_ids(pc.if_else(is_own, records["id"], None), pa.string())
        return pc.fill_null(pc.equal(ids, name), False)

    return " and in ".join(_place_of(row, job) for row in _first_records(results, tasks, has_id, count=2))


def _place_of(row: Mapping[str, Any], job: Job) -> str:
    part = next(part for part in job.parts if part.number == row["part"])
    return place_of(part, row["row"], job.json_reader)


def _first_broken(results: Mapping[str, StepResult], tasks: TaskStore) -> str:
    """Return why the first broken record of the reference could not be read."""

    def is_broken(records: pa.RecordBatch) -> pa.BooleanArray:
        return pc.and_(pc.is_valid(records["rule"]), pc.less(records["part"], 0))

    return str(_first_record(results, tasks, is_broken)["message"])


def _first_record(
    results: Mapping[str, StepResult], tasks: TaskStore, condition: Callable[[pa.RecordBatch], pa.BooleanArray]
) -> dict[str, Any]:
    """Return part, row, id, rule and message of the first record that meets *condition*; at least one does."""
    return _first_records(results, tasks, condition, count=1)[0]


def _first_records(
    results: Mapping[str, StepResult],
    tasks: TaskStore,
    condition: Callable[[pa.RecordBatch], pa.BooleanArray],
    *,
    count: int,
) -> list[dict[str, Any]]:
    """Return part, row, id, rule and message of the first *count* records that meet *condition*."""
    columns = ("part", "row", "id", "rule", "message")
    files = (
        IpcFile(tasks.store, f"{tasks.out(done.fingerprint)}.arrow", columns=columns) for done in results[READ].tasks
    )
    batches = (batch for file in files for batch in file.batches())
    found = (row for batch in batches for row in batch.filter(condition(batch)).slice(0, count).to_pylist())
    return heapq.nsmallest(count, found, key=lambda row: (row["part"] < 0, abs(row["part"]), row["row"]))


def _figures(results: Mapping[str, StepResult], tasks: TaskStore) -> dict[str, Any]:
    """Return the counts of records, and the message of the first broken record of the reference.

    Raises:
        ConservationError: A record was lost. This would be a bug.
    """
    read, written = results[READ].counters, results[WRITE].counters
    figures: dict[str, Any] = {
        "status": "done",
        "read": read[OWN_RECORDS],
        "kept": written[KEPT],
        "removed": written[REMOVED],
        "pairs": written[REMOVED],  # each with the kept document that it was compared with
        "set_aside": written[SET_ASIDE],
        "reference": read[REFERENCE_RECORDS],
        "reference_set_aside": read[BROKEN_REFERENCE],
        "without_text": read[NO_TEXT],
        "without_time": read[NO_TIME],
        "changed": read[CHANGED],
    }
    if figures["read"] != figures["kept"] + figures["removed"] + figures["set_aside"]:
        raise ConservationError(f"records were lost: {figures}", hint="this is a bug in corpusmill: please report it")
    if figures["reference_set_aside"]:
        figures["reference_message"] = _first_broken(results, tasks)
    return figures


def _publish(written: Sequence[TaskResult], tasks: TaskStore, out: LocalStore) -> None:
    """Give the files of the tasks their names in *out*, as hard links where the disk has them."""
    for index, done in enumerate(written):
        for name, file in (("kept", KEPT_FILE), ("ledger", LEDGER_FILE)):
            path = tasks.store.path(final_key(tasks.out(done.fingerprint), file))
            assert path is not None, "the work folder is on this machine"
            out.put(path, f"{name}-{index:05d}-of-{len(written):05d}.parquet")
