"""Running all schedules that are due: once (`tick`), or until it is stopped (`serve`)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from corpusmill.pipelines.scheduling.records import Run
from corpusmill.pipelines.scheduling.running import Runner
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import CorpusmillError, LockHeldError

_UNFINISHED_EXIT: Final = 5
_KNOWN_EXITS: Final = frozenset({0, 1, 2, 3, 4, 5, 130})


def clock() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def tick(
    workspace: Workspace,
    *,
    report: Callable[[Run], None],
    now: datetime | None = None,
    runner: Runner | None = None,
) -> None:
    """Run each schedule that is due at *now* once.

    A run that an earlier process left unfinished is finished first. A schedule that another process runs is left
    alone; its due times are claimed by the first tick after that.

    Args:
        report: Gets the runs when all have ended, by name of the schedule.
        now: A simulated time; None is the time of the clock.

    Raises:
        CorpusmillError: The table or a log cannot be written. The other schedules have run.
        KeyboardInterrupt: The runs were stopped, and stay unfinished.
    """
    runner = runner or Runner(workspace)
    due = clock() if now is None else now
    names = [schedule.name for schedule in runner.table.schedules()]
    threads = [_Thread(runner, name, lambda: due, is_simulated=now is not None) for name in names]
    _wait_for(threads, runner)
    for thread in threads:
        for run in thread.runs:
            report(run)
    for thread in threads:
        if thread.error is not None and not isinstance(thread.error, LockHeldError):
            raise thread.error


def run_schedule(workspace: Workspace, name: str, *, runner: Runner | None = None) -> list[Run]:
    """Run the schedule *name* now, even if it is not due, and return its runs.

    If an earlier process left a run unfinished, that run is resumed instead.

    Raises:
        UsageError: There is no such schedule.
        LockHeldError: A process runs it already.
        KeyboardInterrupt: The run was stopped, and stays unfinished.
    """
    runner = runner or Runner(workspace)
    thread = _Thread(runner, name, clock, is_asked_for=True)
    _wait_for([thread], runner)
    if thread.error is not None:
        raise thread.error
    return thread.runs


def serve(
    workspace: Workspace,
    *,
    poll_s: float,
    report: Callable[[Run], None],
    warn: Callable[[str, CorpusmillError | OSError], None],
    now: Callable[[], datetime] = clock,
    runner: Runner | None = None,
) -> None:
    """Run schedules when they are due, until SIGINT or SIGTERM (`KeyboardInterrupt`) stops the runs.

    Args:
        poll_s: How often the table is read, in seconds.
        report: Gets each run.
        warn: Gets the name of a schedule, and why it could not be run or recorded. It is tried again.
        now: The clock.

    Raises:
        CorpusmillError: The table cannot be read when this starts.
    """
    runner = runner or Runner(workspace)
    runner.table.schedules()
    threads: dict[str, _Thread] = {}
    try:
        while True:
            _report_ended(threads, report, warn)
            try:
                _start_ready(threads, runner, now)
            except (CorpusmillError, OSError) as error:
                warn("all", error)
            runner.stop.wait(poll_s)
    except KeyboardInterrupt:
        _stop(threads.values(), runner)
        _report_ended(threads, report, warn)


def _start_ready(threads: dict[str, _Thread], runner: Runner, now: Callable[[], datetime]) -> None:
    for schedule in runner.table.schedules():
        if schedule.name not in threads and runner.table.is_ready(schedule, now()):
            threads[schedule.name] = thread = _Thread(runner, schedule.name, now)
            thread.start()


def _report_ended(
    threads: dict[str, _Thread],
    report: Callable[[Run], None],
    warn: Callable[[str, CorpusmillError | OSError], None],
) -> None:
    for name, thread in list(threads.items()):
        if not thread.is_alive():
            del threads[name]
            for run in thread.runs:
                report(run)
            match thread.error:
                case None | LockHeldError():  # another process runs it
                    pass
                case CorpusmillError() | OSError() as error:
                    warn(name, error)
                case error:
                    raise error


def exit_code(runs: Iterable[Run]) -> int:
    """Return the exit code of the first of *runs* that did not succeed; 0 if all did.

    A run that was interrupted, or whose process was killed, can be resumed: 5.
    """
    codes = (_UNFINISHED_EXIT if run.exit not in _KNOWN_EXITS else run.exit or 0 for run in runs)
    return next((code for code in codes if code), 0)


class _Thread(threading.Thread):
    """Runs one schedule. Its processes start with SIGINT blocked, until they ignore it."""

    def __init__(
        self,
        runner: Runner,
        name: str,
        now: Callable[[], datetime],
        *,
        is_simulated: bool = False,
        is_asked_for: bool = False,
    ) -> None:
        super().__init__(name=f"schedule {name}")
        self._runner, self._schedule, self._now = runner, name, now
        self._is_simulated, self._is_asked_for = is_simulated, is_asked_for
        self.runs: list[Run] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        """Run the schedule and keep its runs, and the error that ended it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for run in self._runner.run(
                self._schedule, self._now, is_simulated=self._is_simulated, is_asked_for=self._is_asked_for
            ):
                self.runs.append(run)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self.error = error


def _wait_for(threads: Sequence[_Thread], runner: Runner) -> None:
    """Start *threads* and wait for their end. If this is interrupted, stop their runs first."""
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        _stop(threads, runner)
        raise


def _stop(threads: Iterable[_Thread], runner: Runner) -> None:
    """Ask the runs to stop, and wait for the end of *threads*."""
    runner.stop.set()
    for thread in threads:
        if thread.ident is not None:
            thread.join()
