"""Paths and glob patterns of a `load` source."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from corpusmill.schemas.problems import nearest
from corpusmill.schemas.storage import is_url

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class UnsetVariableError(Exception):
    """A path names an environment variable that is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.hint = f"export {name}=…"


def absolute_pattern(path: str, *, base: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return *path* as an absolute path, relative to the folder *base*, or a URL, with the values of ``${NAME}``.

    Paths are the only field of a recipe that uses the environment, because a version does not depend on them.

    Raises:
        UnsetVariableError: A variable is not set.

    >>> absolute_pattern("${DATA}/*.txt", base=Path("/x"), environ={"DATA": "me"})
    '/x/me/*.txt'
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise UnsetVariableError(match[1])
        return environ[match[1]]

    expanded = _VARIABLE.sub(value, path)
    return expanded if is_url(expanded) else str(base / Path(expanded).expanduser())


def matches(pattern: str) -> bool:
    """Return whether *pattern*, as a path or as a glob pattern, matches a regular file or a folder."""
    names = glob.iglob(pattern, recursive=True)  # noqa: PTH207, Path has no absolute patterns
    return _can_be_read(Path(pattern)) or any(_can_be_read(Path(name)) for name in names)


def matching_files(path: str, *, base: Path) -> dict[str, str]:
    """Return the locations of the regular files that *path* of a recipe means, by their paths in the recipe.

    A URL is one file. In the names of the files that match a pattern, its wildcards are replaced and its variables are
    not, so that names do not depend on the machine.

    Raises:
        UnsetVariableError: A variable is not set.
    """
    if is_url(path):
        return {path: path}
    pattern = absolute_pattern(path, base=base)
    if "\0" in pattern:
        return {}
    if Path(pattern).is_file() or not glob.has_magic(pattern):
        return {path: pattern} if Path(pattern).is_file() else {}
    files = sorted(name for name in glob.iglob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207
    fixed = Path(*_until_wildcard(Path(pattern).parts))
    written = PurePosixPath(*_until_wildcard(Path(path).parts))
    return {str(written / Path(name).relative_to(fixed).as_posix()): name for name in files}


def is_special(path: str) -> bool:
    """Return whether *path* is a pipe, a socket or a device, which may never end."""
    return Path(path).exists() and not _can_be_read(Path(path))


def _can_be_read(path: Path) -> bool:
    return path.is_file() or path.is_dir()


def path_hint(pattern: str) -> str:
    """Return the hint for *pattern*, which matches nothing: its longest existing part and the nearest name there."""
    fixed = Path(*_until_wildcard(Path(pattern).parts))
    while not fixed.exists():
        missing, fixed = fixed.name, fixed.parent
        if fixed.is_dir() and (close := nearest(missing, (entry.name for entry in fixed.iterdir()))):
            return f"looked for {pattern}; did you mean `{close}`?"
    return f"looked for {pattern}; {fixed} exists"


def _until_wildcard(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part
