"""Check this machine: interpreter, extras, memory, disk, and the requirements of cluster engines."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
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
    "browser": "crawls with `render: true`",
    "pdf": "the format `pdf`",
    "postgresql": "the format `postgresql`",
    "huggingface": "the format `huggingface`",
}
MIN_PYTHON: Final = (3, 11)
MIN_JAVA: Final = 17
"""Spark 4 requires Java 17 or later."""
MIN_FILES: Final = 1024
"""Files that an exchange of the local engine may have open at once, with a margin."""
MIN_FREE_BYTES: Final = 10 * 10**9
MIN_MEMORY_BYTES: Final = 4 * 10**9


@dataclass(frozen=True)
class Check:
    """The result of one check. What is `optional` is not installed, and only some features need it."""

    name: str
    status: Literal["ok", "warning", "optional", "missing"]
    found: str
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return asdict(self)


def doctor(workspace: str | Path = "corpus", *, store: Store | None = None) -> list[Check]:
    """Check this machine, *workspace* (which is not created), and *store* if it is elsewhere."""
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


def readiness(checks: Iterable[Mapping[str, Any]]) -> str:
    """Return what this machine can do, from the name and the status of each of *checks*.

    >>> readiness([{"name": "python", "status": "ok"}, {"name": "extra train", "status": "optional"}])
    'ready: corpora yes, training no'
    """
    statuses = {check["name"]: check["status"] for check in checks}
    corpora = not {"missing", "damaged"} & set(statuses.values())
    training = corpora and statuses.get("extra train") == "ok"
    return f"ready: corpora {'yes' if corpora else 'no'}, training {'yes' if training else 'no'}"


def python_version() -> Check:
    """Check the version of the interpreter."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info[:2] < MIN_PYTHON:
        return Check("python", "missing", version, f"install Python {'.'.join(map(str, MIN_PYTHON))} or later")
    return Check("python", "ok", version)


def installed_extra(extra: str) -> Check:
    """Check that the distributions of *extra* are installed."""
    name = f"extra {extra}"
    missing = missing_from(extra)
    if missing:
        hint = f"for {EXTRAS[extra]}: {install_command(extra)}"
        return Check(name, "optional", f"not installed: {', '.join(missing)}", hint)
    versions = (f"{distribution} {installed_version(distribution)}" for distribution in distributions_of(extra))
    installed = ", ".join(versions)
    if not installed:
        return Check(name, "warning", "unknown: corpusmill itself is not installed", install_command())
    return Check(name, "ok", installed)


def java_version(command: str = "java") -> Check:
    """Check the version of Java that Spark needs, from JAVA_HOME or PATH."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which(str(Path(home) / "bin" / command) if home else command)
    hint = f"for the engine `spark`: install Java {MIN_JAVA} or later, or set JAVA_HOME"
    if program is None:
        return Check("java", "optional", "not found", hint)
    try:
        process = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("java", "warning", f"{program} cannot be run: {error}", hint)
    version = re.search(r'version "(\d+)[^"]*"', process.stderr + process.stdout)
    if version is None:
        return Check("java", "warning", f"{program} prints no version", hint)
    number = version[0].removeprefix("version ").strip('"')
    return Check("java", "ok", number) if int(version[1]) >= MIN_JAVA else Check("java", "warning", number, hint)


def processors() -> Check:
    """Count the processors that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("processors", "ok", str(count))


def memory() -> Check:
    """Check the memory of the machine, or of the container if that is less."""
    size = min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_container_limits()])
    text = _size(size)
    if size < MIN_MEMORY_BYTES:
        return Check("memory", "warning", text, "run with `--workers 1`")
    return Check("memory", "ok", text)


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
    """Check the number of files that a process may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = "no limit" if limit == resource.RLIM_INFINITY else str(limit)
    if limit != resource.RLIM_INFINITY and limit < MIN_FILES:
        return Check("open files", "warning", text, f"ulimit -n {MIN_FILES}")
    return Check("open files", "ok", text)


def writable(workspace: Path, *, name: str = "workspace") -> Check:
    """Check that the folder of the workspace can be written; ``--<name>`` is the option for another folder."""
    folder = _existing(workspace)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = f"choose another folder with `--{name}`, or: chmod u+w {folder}"
        return Check(name, "missing", f"{folder}: {error.strerror}", hint)
    return Check(name, "ok", str(workspace.absolute()))


def store_access(store: Store) -> Check:
    """Check that *store* can be listed, and that an empty object can be written, read and removed.

    Nothing is written if listing fails. A folder is checked like the workspace, and is not created.
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
    """Check the folder for files that are sent to a store, and for copies of its files."""
    try:
        return Check("scratch", "ok", str(scratch_folder()))
    except UnfinishedError as error:
        return Check("scratch", "missing", str(error), error.hint)


def disk_space(workspace: Path) -> Check:
    """Check the free disk space of the workspace."""
    free = shutil.disk_usage(_existing(workspace)).free
    if free < MIN_FREE_BYTES:
        return Check(
            "disk",
            "warning",
            f"{_size(free)} free",
            "free space with `corpusmill gc`, which removes what no version needs",
        )
    return Check("disk", "ok", f"{_size(free)} free")


def _existing(path: Path) -> Path:
    """Return *path*, or its nearest parent that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(size: int) -> str:
    return f"{size / 10**9:.1f} GB"
