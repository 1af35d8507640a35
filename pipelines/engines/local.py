"""The local engine: a pool of processes on this machine; the reference for the others."""

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
from corpusmill.pipelines.engines.tasks import Done, Task
from corpusmill.pipelines.engines.work import do
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.interrupts import held_interrupts, ignore_interrupts

ATTEMPTS: Final = 3
_ORPHAN_CHECK_S: Final = 1.0


class LocalEngine:
    """Does tasks in *workers* processes; with 0 in this process, where a dying task takes the run with it.

    Args:
        memory_bytes: Resident memory that a worker may take. Sorts, joins and decisions keep within it by spilling; a
            task that takes more all the same fails, and not the machine.

    Raises:
        UsageError: *memory_bytes* is too little for any task.
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
        """End the workers, when the tasks that run are finished or, as after an interrupt, *at_once*."""
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

    def map(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do independent *tasks*; give what each tells, in the order in which they finish."""
        if self._workers == 0 or not tasks:
            set_bound(self._memory_bytes)
            for task in tasks:
                yield from do(task)
            return
        yield from self._map_in_pool(tasks)

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[Done]:
        """Sort the input into spills, then merge the spills of each partition."""
        yield from self.map(scatters)
        yield from self.map(gathers)

    def _map_in_pool(self, tasks: Sequence[Task]) -> Iterator[Done]:
        waiting = deque(_Try(task) for task in tasks)
        running: dict[Future[tuple[Done, ...]], _Try] = {}
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

    def _result(self, future: Future[tuple[Done, ...]], task: Task) -> tuple[Done, ...]:
        try:
            return future.result()
        except MemoryError as error:
            limit = "" if self._memory_bytes is None else f" (limit: {self._memory_bytes / 1e6:,.0f} MB a worker)"
            raise WorkError(
                f"step {task.step}: task {task.fingerprint[:12]} needs more memory than there is{limit}",
                hint="give more with --memory, or use fewer --workers",
            ) from error

    def _submit(self, task: Task) -> Future[tuple[Done, ...]]:
        resource_tracker.ensure_running()  # started with the first worker, it would let interrupts through
        with held_interrupts():  # it may start a worker
            return self._executor().submit(do, task)

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
    """End the workers of *pool* now; what they were writing is swept by the next run.

    Tasks that wait are not canceled: in Python 3.11 the thread of a broken pool fails at a canceled one.
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
    """Count an attempt that a dead worker took along.

    A dead worker takes down the tasks of its neighbours too, so each task is granted that many more attempts.
    """
    if attempt.number >= ATTEMPTS * max(1, workers):
        raise WorkError(
            f"step {attempt.task.step}: a worker died {attempt.number} times at task {attempt.task.fingerprint[:12]}",
            hint="out of memory? try --workers 1; `corpusmill runs` tells what was finished",
        )
    return _Try(attempt.task, attempt.number + 1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_worker(parent: int, memory_bytes: int | None = None) -> None:
    """Prepare a worker: one thread for Arrow, its bound on memory, and an end when the process *parent* is gone.

    Interrupts are the parent's: it ends its workers.
    """
    ignore_interrupts()
    set_bound(memory_bytes)
    if memory_bytes is not None:
        # Arrow's own pools set aside far more than they use, and all of it would count.
        pa.set_memory_pool(pa.system_memory_pool())
        watch(memory_bytes)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_ORPHAN_CHECK_S)
    os._exit(1)
