"""Find the files in a folder, with one of two answers to symbolic links.

`own_files` is for recipes, whose texts are published: a link in a folder from somewhere else must not pull in the files
of this machine. `linked_files` is for commands whose user names the folder and expects every file in it, also in a
folder that consists of links, such as a cache of downloads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from corpusmill.schemas.errors import SourceError


def own_files(folder: Path, *, hidden: bool = False) -> Iterator[Path]:
    """Yield the files at any depth under *folder*. Links count only if they lead to a file in it.

    Args:
        hidden: Also yield hidden files, and those in hidden folders.

    Raises:
        SourceError: A folder cannot be read, so its files would be lost without a word.
    """
    root = os.path.realpath(folder)  # unlike `Path.resolve`, it does not raise for links that lead to themselves
    for path in _entries(folder, hidden=hidden):
        if path.is_file() and (not path.is_symlink() or _is_inside(path, root)):
            yield path


def skipped_links(folder: Path) -> int:
    """Return how many links in *folder* `own_files` skips: to folders, out of *folder*, and broken ones."""
    root = os.path.realpath(folder)
    links = (path for path in _entries(folder, hidden=False) if path.is_symlink())
    return sum(not (path.is_file() and _is_inside(path, root)) for path in links)


def special_files(folder: Path) -> int:
    """Return how many entries in *folder* `own_files` skips because they are pipes, sockets or devices."""
    return sum(not path.is_symlink() and not path.is_file() for path in _entries(folder, hidden=False))


def linked_files(folder: Path, *, hidden: bool = False) -> Iterator[Path]:
    """Yield the files at any depth under *folder*, also behind links. Each folder is searched once, so loops end.

    Args:
        hidden: As in `own_files`.

    Raises:
        SourceError: A link is broken, or a folder cannot be read.
    """
    waiting, searched = deque([folder]), set[str]()
    while waiting:
        for path in _entries(waiting.popleft(), hidden=hidden, searched=searched):
            if path.is_file():
                yield path
            elif path.is_dir():
                waiting.append(path)
            else:
                refuse_broken_link(path)


def refuse_broken_link(path: Path) -> None:
    """Check that *path* is no link, or that its target exists.

    Raises:
        SourceError: It is a broken link.
    """
    if path.is_symlink() and not path.exists():
        message = f"broken link: its target {path.readlink()} does not exist"
        raise SourceError(message, file=str(path), hint="remove the link, or restore its target")


def _entries(folder: Path, *, hidden: bool, searched: set[str] | None = None) -> Iterator[Path]:
    """Yield the files at any depth under *folder*, and its links, without following them.

    Args:
        searched: Real paths of folders to leave out; those of all folders that were searched are added. None: no
            folder is searched twice anyway.

    Raises:
        SourceError: A folder cannot be read.
    """
    for place, folders, files in os.walk(folder, onerror=_refuse_folder):
        if searched is not None:
            real = os.path.realpath(place)
            if real in searched:
                folders.clear()
                continue
            searched.add(real)
        folders[:] = sorted(name for name in folders if hidden or not name.startswith("."))
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in (*files, *links) if hidden or not name.startswith("."))


def _refuse_folder(error: OSError) -> None:
    message = f"the folder cannot be read: {error.strerror}"
    raise SourceError(message, file=str(error.filename), hint="let this user read it (`chmod +rx`), or leave it out")


def _is_inside(path: Path, root: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)
