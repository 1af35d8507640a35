"""Files in folders with real symbolic links, followed and not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpusmill.crawlers.folders import linked_files, own_files, skipped_links
from corpusmill.crawlers.patterns import matching_files, skipped_files
from corpusmill.schemas.errors import SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two files, and links: to a file in it, out of it, to a folder, and in circles."""
    for name in ("in/a.txt", "in/deep/b.txt", "in/.hidden", "out/c.txt", "out/d.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    links = {"same": "a.txt", "c": "../out/c.txt", "far": "../out", "deep/circle": "..", "deep/here": "."}
    for name, target in links.items():
        (tmp_path / "in" / name).symlink_to(target)
    (tmp_path / "out" / "back").symlink_to("../in")
    return tmp_path / "in"


def _names(paths: list[Path], folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_links_are_followed_without_end(folder: Path) -> None:
    """A folder is searched once, however many links lead to it."""
    names = _names(list(linked_files(folder)), folder)

    assert names == ["a.txt", "c", "deep/b.txt", "far/c.txt", "far/d.txt", "same"]


def test_own_files_do_not_come_from_elsewhere(folder: Path) -> None:
    """A recipe publishes what is in the folder. The links that it leaves out are counted."""
    (folder / "broken").symlink_to("nowhere")

    assert _names(list(own_files(folder)), folder) == ["a.txt", "deep/b.txt", "same"]
    assert _names(list(own_files(folder, hidden=True)), folder)[0] == ".hidden"
    assert skipped_links(folder) == 5


@pytest.mark.parametrize("target", ["nowhere", "broken"])
@pytest.mark.parametrize("pattern", [".", "*", "**/*", "broken"])
def test_a_broken_link_is_an_error(folder: Path, target: str, pattern: str) -> None:
    """Its target may have been any number of records. A link to itself is broken too."""
    (folder / "broken").symlink_to(target)

    with pytest.raises(SourceError, match=f"broken link: its target {target} does not exist") as refused:
        matching_files(pattern, base=folder, suffixes=("",), follow_links=True)

    assert refused.value.file == str(folder / "broken")
    assert refused.value.hint


@pytest.mark.parametrize("files", [linked_files, own_files])
def test_a_folder_that_cannot_be_read_is_an_error(
    folder: Path, files: Callable[[Path], Iterator[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files would be missing from the result. Tests may run as root, who can read every folder."""

    def walk(place: Path, onerror: Callable[[OSError], None]) -> Iterator[None]:
        onerror(PermissionError(13, "Permission denied", str(place)))
        yield

    monkeypatch.setattr(os, "walk", walk)

    with pytest.raises(SourceError, match="the folder cannot be read: Permission denied"):
        list(files(folder))


def test_pipes_in_a_folder_are_counted(folder: Path) -> None:
    """They have no records, and reading them may never end; the user sees that they are left out."""
    os.mkfifo(folder / "deep" / "pipe.txt")

    assert skipped_files(str(folder), base=folder, suffixes=(".txt",)) == {"without a suffix": 1, "pipe or device": 1}
