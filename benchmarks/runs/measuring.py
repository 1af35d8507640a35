"""Measure the cost of a command and all processes that it starts: CPU, wall time, memory and bytes written.

Linux only. Processes that outlive their parent are adopted. Processes that nobody waits for, such as Spark's Python
workers, count with their last sample.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

SAMPLE_S: Final = 0.2
"""Seconds between two samples of memory. A shorter peak may be missed."""
_ORPHANS_S: Final = 10.0
"""Seconds to wait for processes that outlive the command."""
_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Args:
        cpu_s: User and system time of the process tree: the kernel's sum over processes that were waited for, or the
            sum of `cpu_by_name` if that is more because nobody waited for some processes.
        peak_bytes: Peak of the tree's proportional set size, in which shared pages count once.
        written_bytes: Bytes written to the disk or its cache, including deleted files.
        cpu_by_name: CPU seconds by the name of the executable, such as ``java``, from the last sample of each process;
            CPU time after that sample is missing.
        output: Standard output.
    """

    cpu_s: float
    wall_s: float
    peak_bytes: int
    written_bytes: int
    cpu_by_name: Mapping[str, float]
    output: str


class CommandError(Exception):
    """A measured command failed."""


def measure(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Cost:
    """Run *command* in *folder* and return what it cost.

    Raises:
        CommandError: The command exited with a code other than 0.
    """
    adopt_orphans()
    others = set(children(os.getpid()))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        cpu, written, started = _children_cpu_s(), _written_bytes(), time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, cwd=folder)
        peak = 0
        last_samples: dict[int, tuple[str, float]] = {}
        while process.poll() is None:
            roots = set(children(os.getpid())) - others
            tree = [process_id for root in roots for process_id in (root, *descendants(root))]
            peak = max(peak, sum(map(_proportional_bytes, tree)))
            samples = ((process_id, _name_and_cpu_s(process_id)) for process_id in tree)
            last_samples |= {process_id: sample for process_id, sample in samples if sample is not None}
            time.sleep(SAMPLE_S)
        wall = time.perf_counter() - started
        reap_orphans(others)
        if process.returncode:
            raise CommandError(f"{' '.join(command)} exited with {process.returncode}\n{_text(errors)[-2000:]}")
        by_name: defaultdict[str, float] = defaultdict(float)
        for name, seconds in last_samples.values():
            by_name[name] += seconds
        cpu = max(_children_cpu_s() - cpu, sum(by_name.values()))
        return Cost(cpu, wall, peak, _written_bytes() - written, dict(by_name), _text(output))


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose parent ends, so that it can wait for them and count them."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def reap_orphans(others: Collection[int] = ()) -> None:
    """Wait for adopted processes except *others*, so that their time counts, for at most `_ORPHANS_S` seconds."""
    deadline = time.monotonic() + _ORPHANS_S
    while (orphans := set(children(os.getpid())) - set(others)) and time.monotonic() < deadline:
        if not any(os.waitpid(process, os.WNOHANG)[0] for process in orphans):
            time.sleep(SAMPLE_S)


def children(process: int) -> list[int]:
    """Return the ids of the child processes of *process*."""
    try:
        lists = [(thread / "children").read_text() for thread in Path(f"/proc/{process}/task").iterdir()]
    except OSError:  # the process ended
        return []
    return [int(child) for child in " ".join(lists).split()]


def descendants(process: int) -> Iterator[int]:
    """Yield the ids of all descendants of *process*."""
    for child in children(process):
        yield child
        yield from descendants(child)


def size_of(folder: Path) -> tuple[int, int]:
    """Return the total bytes and the number of files below *folder*. A file with two names counts once."""
    stats = [path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for stat in stats}
    return sum(sizes.values()), len(sizes)


def machine() -> str:
    """Return one line that describes the machine and the versions of libraries."""
    versions = f"Python {platform.python_version()}, pyarrow {pa.__version__}, numpy {np.__version__}"
    load = os.getloadavg()[0]
    return f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; {versions}"


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print *rows* as aligned columns. All rows have the keys of the first row."""
    cells = [[str(name) for name in rows[0]], *([_cell(row[name]) for name in rows[0]] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        first, *rest = (cell.ljust(width) if not index else cell.rjust(width)
                        for index, (cell, width) in enumerate(zip(line, widths, strict=True)))  # fmt: skip
        print("  ".join([first, *rest]).rstrip(), flush=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _written_bytes() -> int:
    """Return the bytes written by this process and the processes that it waited for."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def _name_and_cpu_s(process: int) -> tuple[str, float] | None:
    try:
        name, _, rest = Path(f"/proc/{process}/stat").read_text().partition("(")[2].rpartition(") ")
    except OSError:  # the process ended
        return None
    user, system = rest.split()[11:13]
    return name, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _proportional_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # the process ended
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))
