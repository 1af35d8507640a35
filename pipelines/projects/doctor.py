"""What this machine can do: the interpreter, optional parts, memory, disk, and what a cluster engine would need."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from corpusmill.pipelines.extras import distributions_of, installed_version, missing_from
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.installing import install_command
from corpusmill.schemas.storage import Store
from corpusmill.schemas.storage.cache import scratch_folder

EXTRAS: Final = {
    "nlp": "stems, lemmas and stop words",
    "train": "tokenizers and training",
    "spark": "the engine `spark`",
    "beam": "the engine `beam`",
    "s3": "workspaces on `s3://`",
}
MIN_PYTHON: Final = (3, 11)
MIN_JAVA: Final = 17
"""Spark 4 runs on Java 17 and later."""
MIN_FILES: Final = 1024
"""Open files that an exchange of the local engine may need at once, with some to spare."""
MIN_FREE_BYTES: Final = 10 * 10**9
MIN_MEMORY_BYTES: Final = 4 * 10**9


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warning", "missing"]
    found: str
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the check as a JSON object."""
        return asdict(self)


def doctor(workspace: str | Path = "corpus", *, store: Store | None = None) -> list[Check]:
    """Look at this machine, at *workspace*, which is not created, and at *store* where another one is used."""
    looks: list[Callable[[], Check]] = [
        python_version,
        *(lambda extra=extra: installed_extra(extra) for extra in EXTRAS),
        java_version,
        processors,
        memory,
        open_files,
        lambda: writable(Path(workspace)),
        lambda: disk_space(Path(workspace)),
    ]
    if store is not None:
        looks.append(lambda: store_access(store))
        looks += [scratch] if store.path() is None else []
    return [look() for look in looks]


def python_version() -> Check:
    """Look at the interpreter."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info[:2] < MIN_PYTHON:
        return Check("python", "missing", found, f"install Python {'.'.join(map(str, MIN_PYTHON))} or later")
    return Check("python", "ok", found)


def installed_extra(extra: str) -> Check:
    """Look at the distributions of *extra*."""
    name = f"extra {extra}"
    missing = missing_from(extra)
    if missing:
        hint = f"for {EXTRAS[extra]}: {install_command(extra)}"
        return Check(name, "missing", f"not installed: {', '.join(missing)}", hint)
    versions = (f"{distribution} {installed_version(distribution)}" for distribution in distributions_of(extra))
    found = ", ".join(versions)
    if not found:
        return Check(name, "warning", "unknown: corpusmill itself is not installed", install_command())
    return Check(name, "ok", found)


def java_version(command: str = "java") -> Check:
    """Look for the Java that Spark needs: that of JAVA_HOME, or the one in PATH."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which(str(Path(home) / "bin" / command) if home else command)
    hint = f"for the engine `spark`: install Java {MIN_JAVA} or later, or set JAVA_HOME"
    if program is None:
        return Check("java", "missing", "not found", hint)
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("java", "warning", f"{program} does not answer: {error}", hint)
    version = re.search(r'version "(\d+)[^"]*"', done.stderr + done.stdout)
    if version is None:
        return Check("java", "warning", f"{program} gives no version", hint)
    found = version[0].removeprefix("version ").strip('"')
    return Check("java", "ok", found) if int(version[1]) >= MIN_JAVA else Check("java", "warning", found, hint)


def processors() -> Check:
    """Count the processors that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("processors", "ok", str(count))


def memory() -> Check:
    """Look at the memory of the machine, or of the container when that is less."""
    size = min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_container_limits()])
    found = _size(size)
    if size < MIN_MEMORY_BYTES:
        return Check("memory", "warning", found, "run with `--workers 1`")
    return Check("memory", "ok", found)


def _container_limits() -> list[int]:
    limits = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        limits += [int(text)] if text.isdigit() else []
    return limits


def open_files() -> Check:
    """Look at the number of files that a process may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = "no limit" if limit == resource.RLIM_INFINITY else str(limit)
    if limit != resource.RLIM_INFINITY and limit < MIN_FILES:
        return Check("open files", "warning", found, f"ulimit -n {MIN_FILES}")
    return Check("open files", "ok", found)


def writable(workspace: Path, *, name: str = "workspace") -> Check:
    """Try to write where the workspace is, or would be; *name* is also that of the option for another folder."""
    folder = _existing(workspace)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = f"choose another folder with `--{name}`, or: chmod u+w {folder}"
        return Check(name, "missing", f"{folder}: {error.strerror}", hint)
    return Check(name, "ok", str(workspace.absolute()))


def store_access(store: Store) -> Check:
    """List *store*, then write an empty object to it, read it and remove it; a folder is tried as the workspace is.

    Nothing is written where listing fails, and no folder is made.
    """
    folder = store.path()
    try:
        store.folders()
        if folder is None:
            store.probe()
    except UnfinishedError as error:
        return Check("store", "missing", str(error), error.hint)
    return Check("store", "ok", store.address()) if folder is None else writable(folder, name="store")


def scratch() -> Check:
    """Look at the folder in which files wait to be sent to a store, and copies are kept."""
    try:
        return Check("scratch", "ok", str(scratch_folder()))
    except UnfinishedError as error:
        return Check("scratch", "missing", str(error), error.hint)


def disk_space(workspace: Path) -> Check:
    """Look at the free space where the workspace is, or would be."""
    free = shutil.disk_usage(_existing(workspace)).free
    if free < MIN_FREE_BYTES:
        return Check("disk", "warning", f"{_size(free)} free", "`corpusmill gc` removes what no version needs")
    return Check("disk", "ok", f"{_size(free)} free")


def _existing(path: Path) -> Path:
    """Give *path*, or the nearest above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(size: int) -> str:
    return f"{size / 10**9:.1f} GB"
