"""Match the files of a `path` in a recipe: a file, a folder, or a glob pattern.

Only regular files (or links to them) count, because a pipe or a device may never end.
Hidden files and folders are skipped unless the pattern names them. In folders and behind ``**``, links to folders and
to files outside of the folder are skipped, unless `matching_files` is called with *follow_links*.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from corpusmill.crawlers.folders import linked_files, own_files, refuse_broken_link, skipped_links, special_files
from corpusmill.schemas.errors import RecipeError, SourceError

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ANY_DEPTH: Final = "**"
_PACKED: Final = frozenset((".gz", ".bz2", ".xz", ".zst"))


@dataclass(frozen=True)
class Match:
    """A file, and its POSIX path relative to the pattern's fixed prefix."""

    path: Path
    name: str


def matching_files(pattern: str, *, base: Path, suffixes: tuple[str, ...], follow_links: bool = False) -> list[Match]:
    """Return the files that match *pattern*, sorted by name; relative patterns start at the folder *base*.

    Args:
        suffixes: Suffixes of the files that are used if *pattern* is a folder.
        follow_links: Search folders as `folders.linked_files` does, not as `folders.own_files`.

    Raises:
        RecipeError: An environment variable of *pattern* (``${NAME}``) is not set.
        SourceError: No file matches, or *pattern* is the path of a pipe, a socket or a device. With *follow_links*,
            also: a link is broken, or a folder cannot be read.
    """
    path = _place(pattern, base)
    if follow_links:
        refuse_broken_link(path)
    if path.is_dir():
        files = linked_files(path) if follow_links else own_files(path)
        below = [Match(file, file.relative_to(path).as_posix()) for file in files]
        matches = [match for match in below if match.name.lower().endswith(_lower(suffixes))]
        if not matches:
            names = [match.name for match in below]
            raise _nothing_in(path, pattern, names, suffixes, can_name_others=not follow_links)
    elif path.is_file():
        matches = [Match(path, path.name)]
    elif path.exists():
        raise SourceError(
            "not a regular file", file=str(path), field="path", value=pattern, hint="use the path of a file"
        )
    else:
        prefix, parts = _split(path)
        matches = [Match(file, file.relative_to(prefix).as_posix()) for file in _matching(prefix, parts, follow_links)]
        if not matches:
            raise _nothing_at(path, pattern)
    return sorted(matches, key=lambda match: match.name.encode(errors="surrogateescape"))


def skipped_files(pattern: str, *, base: Path, suffixes: tuple[str, ...]) -> Counter[str]:
    """Count the files in the folder *pattern* without one of *suffixes*, by suffix; empty for a file or glob.

    Pipes, sockets and devices are a kind of their own. Hidden files and links out of the folder are not counted.
    """
    path = _place(pattern, base)
    if not path.is_dir():
        return Counter()
    names = (file.name.lower() for file in own_files(path))
    counts = Counter(kind_of(name) for name in names if not name.endswith(_lower(suffixes)))
    return counts + Counter({"pipe or device": special_files(path)})


def links_skipped_in(pattern: str, *, base: Path) -> int:
    """Return the number of links in the folder *pattern* that are not followed; 0 for a file or glob."""
    path = _place(pattern, base)
    return skipped_links(path) if path.is_dir() else 0


def kind_of(name: str) -> str:
    """Return the suffix that shows the kind of a file, with the suffix of its compression.

    >>> kind_of("a/b.jsonl.gz"), kind_of("notes.v2.TXT"), kind_of("README")
    ('.jsonl.gz', '.txt', 'without a suffix')
    """
    suffixes = PurePosixPath(name.lower()).suffixes
    packed = suffixes[-2:] if suffixes and suffixes[-1] in _PACKED else suffixes[-1:]
    return "".join(packed) or "without a suffix"


def _place(pattern: str, base: Path) -> Path:
    """Return *pattern* as a path from the folder *base*."""
    return Path(os.path.normpath(base / Path(expanded(pattern)).expanduser()))


def expanded(pattern: str) -> str:
    """Return *pattern* with the values of environment variables, ``${NAME}``.

    Raises:
        RecipeError: A variable is not set.
    """

    def value(variable: re.Match[str]) -> str:
        if variable[1] not in os.environ:
            name = variable[1]
            raise RecipeError(f"the environment variable {name} is not set", field="path", hint=f"export {name}=…")
        return os.environ[variable[1]]

    return _VARIABLE.sub(value, pattern)


def _lower(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(suffix.lower() for suffix in suffixes)


def _split(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Split *path* into the part before the first wildcard, and the remaining parts.

    >>> _split(Path("/a/b/*.txt"))
    (PosixPath('/a/b'), ('*.txt',))
    """
    parts = path.parts
    fixed = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:fixed]), parts[fixed:]


def _matching(prefix: Path, parts: tuple[str, ...], follow_links: bool) -> Iterator[Path]:
    if _ANY_DEPTH in parts:
        files = linked_files if follow_links else own_files
        for file in files(prefix, hidden=any(part.startswith(".") for part in parts)):
            if fits(file.relative_to(prefix).parts, parts):
                yield file
    else:
        for name in glob.iglob(str(Path(*parts)), root_dir=prefix):  # noqa: PTH207, Path.glob includes hidden files
            if (prefix / name).is_file():
                yield prefix / name
            elif follow_links:
                refuse_broken_link(prefix / name)


def fits(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Return whether the path *names* matches the pattern *parts*; ``**`` matches any number of folders.

    >>> fits(("a", "b", "c.txt"), ("**", "*.txt")), fits(("c.txt",), ("**", "*.txt")), fits(("a",), ("**", "*.txt"))
    (True, True, False)
    """
    if not parts:
        return not names
    if parts[0] == _ANY_DEPTH:
        return fits(names, parts[1:]) or (bool(names) and not _is_hidden(names[0], "") and fits(names[1:], parts))
    if not names or _is_hidden(names[0], parts[0]):
        return False
    return fnmatchcase(names[0], parts[0]) and fits(names[1:], parts[1:])


def _is_hidden(name: str, part: str) -> bool:
    return name.startswith(".") and not part.startswith(".")


def _nothing_in(
    path: Path, pattern: str, names: list[str], suffixes: tuple[str, ...], *, can_name_others: bool
) -> SourceError:
    kinds = sorted({Path(name).suffix or Path(name).name for name in names})
    about = f"it has {', '.join(kinds[:8])}" if kinds else "it is empty"
    expected = ", ".join(suffixes)
    hint = "name a folder that has one"
    if kinds and can_name_others:
        hint = f"use a pattern such as `{pattern.rstrip('/')}/**/*{kinds[0]}`"
    return SourceError(
        f"the folder has no file that ends in {expected}; {about}",
        file=str(path),
        field="path",
        value=pattern,
        hint=hint,
    )


def _nothing_at(path: Path, pattern: str) -> SourceError:
    return SourceError(f"no file matches {pattern}", field="path", value=pattern, hint=_where_it_ends(path))


def _where_it_ends(path: Path) -> str:
    """Return the hint for *path*, which matches nothing: its longest existing part, and the names there."""
    place = _split(path)[0] if glob.has_magic(str(path)) else path
    missing = ""
    while not place.exists():
        missing, place = place.name, place.parent
    names = sorted(entry.name for entry in os.scandir(place)) if place.is_dir() else []
    if missing and (close := get_close_matches(missing, names, n=1)):
        return f"did you mean `{close[0]}` in {place}?"
    if not missing and names:
        return f"{place} has {', '.join(names[:5])}{', …' if names[5:] else ''}"
    return f"looked for {path}; {place} exists"
