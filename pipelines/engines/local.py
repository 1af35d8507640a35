"""The local engine: a pool of processes on this machine. It is the reference for the other engines."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Final

import pyarrow as pa

from corpusmill.pipelines.engines.budget import check_bound, set_bound, watch
from corpusmill.pipelines.engines.tasks import Task, TaskResult
from corpusmill.pipelines.engines.work import run_task
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.interrupts import held_interrupts, ignore_interrupts

ATTEMPTS: Final = 3
_ORPHAN_CHECK_S: Final = 1.0


class LocalEngine:
    """Runs tasks in *workers* processes. With 0, tasks run in this process, and a task that dies ends the run.

    Args:
        memory_bytes: Bound on the resident memory of a worker. Sorts, joins and deduplication stay within it by
            spilling. A task that exceeds it fails.

    Raises:
        UsageError: *memory_bytes* is too small for any task.
    """

    name = "local"

    def __init__(self, workers: int | None = None, *, memory_bytes: int | None = None) -> None:
        check_bound(memory_bytes)
        self._workers = _processors() if workers is None else workers
        self._memory_bytes = memory_bytes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self.close(at_once=kind is not None and issubclass(kind, KeyboardInterrupt))

    def close(self, *, at_once: bool = False) -> None:
        """Stop the workers: after the running tasks finish, or *at_once*, as after an interrupt."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if at_once:
            _terminate(pool)
            return
        try:
            pool.shutdown(wait=True, cancel_futures=True)
        except KeyboardInterrupt:
            _terminate(pool)
            raise

    def map(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run independent *tasks* and yield their results in the order in which they finish."""
        if self._workers == 0 or not tasks:
            set_bound(self._memory_bytes)
            for task in tasks:
                yield from run_task(task)
            return
        yield from self._map_in_pool(tasks)

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
        """Sort the input into spills, then merge the spills of each partition."""
        yield from self.map(scatters)
        yield from self.map(gathers)

    def _map_in_pool(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        waiting = deque(_Try(task) for task in tasks)
        running: dict[Future[tuple[TaskResult, ...]], _Try] = {}
        while waiting or running:
            try:
                while waiting and len(running) < 2 * self._workers:
                    attempt = waiting.popleft()
                    try:
                        running[self._submit(attempt.task)] = attempt
                    except BrokenProcessPool:
                        waiting.appendleft(attempt)
                        raise
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    results = self._result(future, running[future].task)
                    del running[future]
                    yield from results
            except BrokenProcessPool:
                self._restart()
                waiting.extendleft(_again(attempt, self._workers) for attempt in running.values())
                running.clear()
            except Exception:
                for future in running:
                    future.cancel()
                raise

    def _result(self, future: Future[tuple[TaskResult, ...]], task: Task) -> tuple[TaskResult, ...]:
        try:
            return future.result()
        except MemoryError as error:
            limit = "" if self._memory_bytes is None else f" (limit: {self._memory_bytes / 1e6:,.0f} MB a worker)"
            raise WorkError(
                f"step {task.step}: task {task.fingerprint[:12]} needs more memory than is available{limit}",
                hint="raise --memory, or use fewer --workers",
            ) from error

    def _submit(self, task: Task) -> Future[tuple[TaskResult, ...]]:
        resource_tracker.ensure_running()  # a tracker started by the first worker would not ignore interrupts
        with held_interrupts():  # submitting may start a worker
            return self._executor().submit(run_task, task)

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=start_worker,
                initargs=(os.getpid(), self._memory_bytes),
            )
        return self._pool

    def _restart(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _terminate(pool: ProcessPoolExecutor) -> None:
    """Stop the workers of *pool* now. The next run removes their unfinished files.

    Waiting tasks are not canceled: in Python 3.11 the thread of a broken pool fails at a canceled task.
    """
    with held_interrupts():
        for process in tuple((pool._processes or {}).values()):  # `terminate_workers` from Python 3.14 on
            process.terminate()
        pool.shutdown(wait=True)


@dataclass(frozen=True)
class _Try:
    task: Task
    number: int = 1


def _again(attempt: _Try, workers: int) -> _Try:
    """Count an attempt that ended because a worker died.

    A dead worker also ends the tasks of the other workers, so each task gets `ATTEMPTS` per worker.
    """
    if attempt.number >= ATTEMPTS * max(1, workers):
        raise WorkError(
            f"step {attempt.task.step}: a worker died {attempt.number} times at task {attempt.task.fingerprint[:12]}",
            hint="out of memory? try --workers 1; `corpusmill runs` lists what has finished",
        )
    return _Try(attempt.task, attempt.number + 1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_worker(parent: int, memory_bytes: int | None = None) -> None:
    """Prepare a worker: one thread for Arrow, a memory bound, and exit when the process *parent* is gone.

    Workers ignore interrupts; the parent stops them.
    """
    ignore_interrupts()
    set_bound(memory_bytes)
    if memory_bytes is not None:
        # Arrow's own pools reserve far more than they use, and all of it would count.
        pa.set_memory_pool(pa.system_memory_pool())
        watch(memory_bytes)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_ORPHAN_CHECK_S)
    os._exit(1)
