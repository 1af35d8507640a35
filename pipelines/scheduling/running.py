"""Running one schedule: claim what is due, attempt it until it succeeds or is given up, and report it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Final

from corpusmill.pipelines.scheduling.attempt import Outcome, child_command, run_process
from corpusmill.pipelines.scheduling.folders import appended_log, schedule_lock
from corpusmill.pipelines.scheduling.metrics import write_metrics
from corpusmill.pipelines.scheduling.records import FAILED, INTERRUPTED, RETRYING, Run, Schedule, as_text
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.scheduling.webhook import post
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.storage.local import FileLock

_log = logging.getLogger(__name__)

_FINAL: Final = frozenset({2, 3, 4, 130})
"""Exit codes after which there is no retry: a wrong recipe, a failed check, warnings, and a deliberate interrupt.

Exit code 1 is retried, although the same input would fail again: the next attempt may get another answer from a site.
"""
_INTERRUPTED_EXIT: Final = 130
_FIRST_BACKOFF_S: Final = 10.0
_MAX_BACKOFF_S: Final = 600.0


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failed attempts, in seconds: 10, 20, 40, … up to 600.

    >>> [backoff_s(failures) for failures in (1, 2, 3, 7, 1000)]
    [10.0, 20.0, 40.0, 600.0, 600.0]
    """
    return min(_FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 30), _MAX_BACKOFF_S)


@dataclass(frozen=True)
class Runner:
    """Runs schedules of a workspace. Threads may share it.

    Args:
        stop: Asks all runs to stop; they stay unfinished and are resumed later.
        turn: Held while a run computes, so that runs of several schedules take turns. A run that waits for its next
            attempt does not hold it.
        backoff: Seconds to wait after a number of failed attempts.
    """

    workspace: Workspace
    stop: threading.Event = field(default_factory=threading.Event)
    turn: threading.Lock = field(default_factory=threading.Lock)
    backoff: Callable[[int], float] = backoff_s

    @property
    def table(self) -> Table:
        """The table of the workspace."""
        return Table(self.workspace)

    def run(
        self, name: str, now: Callable[[], datetime], *, is_simulated: bool = False, is_asked_for: bool = False
    ) -> Iterator[Run]:
        """Finish the unfinished run of the schedule *name*, then run it if it is due; yield the runs.

        Args:
            now: Returns the time up to which due times are claimed. It is called when the run can start.
            is_simulated: Whether that is another time than that of the clock.
            is_asked_for: Run it even if it is not due, unless there was an unfinished run.

        Raises:
            LockHeldError: A process runs the schedule already.
            CorpusmillError: The table or a log cannot be written.
        """
        schedule = self.table.schedule(name)
        with schedule_lock(self.workspace, name) as lock:
            unfinished = self.table.unfinished(name)
            if unfinished is not None:
                yield self._finished(schedule, unfinished, lock)
            with self.turn:
                pass  # due times that pass while another schedule runs belong to the same run
            if self.stop.is_set():
                return
            is_asked_for = is_asked_for and unfinished is None
            claimed = self.table.claim(name, now(), is_simulated=is_simulated, is_asked_for=is_asked_for)
            if claimed is not None:
                yield self._finished(schedule, claimed, lock)

    def _finished(self, schedule: Schedule, run: Run, lock: FileLock) -> Run:
        """Attempt *run* until it succeeds, may not be retried, or is asked to stop; return it."""
        with appended_log(self.workspace, schedule.name, run.due) as log:
            while not self.stop.is_set():
                run = self._attempted(schedule, run, log, lock)
                if run.status != RETRYING:
                    break
                self.stop.wait(self.backoff(_failures(run)))
            if run.ended_at is None:
                return self.table.update_run(run, status=INTERRUPTED)
            if run.is_success and schedule.keep is not None and not self.stop.is_set():
                self._collect_garbage(schedule.keep, log, lock)
        if schedule.webhook is not None:
            problem = post(schedule.webhook, run.as_dict())
            run = self.table.update_run(run, webhook_error=problem)
        self._write_metrics()
        return run

    def _attempted(self, schedule: Schedule, run: Run, log: BinaryIO, lock: FileLock) -> Run:
        """Run the recipe once, and return the run: ended, waiting for its next attempt, or interrupted."""
        arguments = child_command(self.workspace, "run", schedule.recipe, "--json")
        with self.turn:
            if self.stop.is_set():
                return run
            run = self.table.start_attempt(run)
            _note(log, f"attempt {run.attempts} of `{schedule.name}`, due {as_text(run.due)}")
            outcome = run_process(
                arguments, folder=self.workspace.root, log=log, inherited=lock.fileno(), stop=self.stop
            )
        _note(log, f"exit {outcome.exit}")
        if outcome.was_stopped and outcome.exit != 0:
            return self.table.end_attempt(run, None, is_last=False, status=INTERRUPTED)
        return self._recorded(schedule, run, outcome)

    def _recorded(self, schedule: Schedule, run: Run, outcome: Outcome) -> Run:
        is_retried = outcome.exit != 0 and outcome.exit not in _FINAL and _failures(run) + 1 <= schedule.retries
        error = outcome.result.get("error") or {}
        counts = outcome.result.get("counts") or {}
        return self.table.end_attempt(
            run,
            outcome.exit,
            is_last=not is_retried,
            status=RETRYING if is_retried else _status(outcome),
            version=outcome.result.get("version"),
            documents=counts.get("published"),
            message=error.get("message"),
        )

    def _collect_garbage(self, keep: int, log: BinaryIO, lock: FileLock) -> None:
        """Remove the intermediate results of older versions. If that fails, the log says why, and the run succeeded."""
        _note(log, f"gc --keep {keep}")
        arguments = child_command(self.workspace, "gc", "--keep", str(keep))
        with self.turn:
            outcome = run_process(
                arguments, folder=self.workspace.root, log=log, inherited=lock.fileno(), stop=self.stop
            )
        _note(log, f"exit {outcome.exit}")

    def _write_metrics(self) -> None:
        try:
            write_metrics(self.workspace, self.table)
        except (CorpusmillError, OSError) as error:
            _log.warning("metrics not written", extra={"error": str(error)})


def _failures(run: Run) -> int:
    """Return the number of attempts that failed; those that were interrupted do not count."""
    return sum(1 for exit_code in run.exits if exit_code)


def _status(outcome: Outcome) -> str:
    if outcome.exit == 0:
        return str(outcome.result.get("status", "published"))
    return INTERRUPTED if outcome.exit == _INTERRUPTED_EXIT else FAILED


def _note(log: BinaryIO, text: str) -> None:
    log.write(f"== {datetime.now(UTC).isoformat(timespec='seconds')} {text}\n".encode())
