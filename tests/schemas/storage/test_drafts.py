"""Atomic writing of local files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill.schemas.storage import appearing, write_atomically
from corpusmill.schemas.storage.drafts import draft_of, is_abandoned, is_draft


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("data", ["naïve\n", b"\xff\0", ""], ids=["text", "bytes", "nothing"])
def test_a_file_has_the_written_content(tmp_path: Path, data: str | bytes, sync: bool) -> None:
    """Callers rely on missing folders being created and on shorter content replacing longer content."""
    path = tmp_path / "new" / "folder" / "a"

    for content in ("something else, longer", data):
        write_atomically(path, content, sync=sync)

    assert path.read_bytes() == (data.encode() if isinstance(data, str) else data)
    assert list(path.parent.iterdir()) == [path]


def test_a_link_that_is_there_already_leaves_no_draft(tmp_path: Path) -> None:
    """Renaming one link to a file onto another one does nothing (POSIX), so the draft must be removed."""
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").hardlink_to(tmp_path / "a")

    with appearing(tmp_path / "b") as draft:
        draft.hardlink_to(tmp_path / "a")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_relative_path_is_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a folder has an empty dirname, which cannot be created or synced."""
    monkeypatch.chdir(tmp_path)

    write_atomically("a", "1", sync=True)
    with appearing("b", sync=True) as path:
        path.write_text("2")

    assert sorted(os.listdir(tmp_path)) == ["a", "b"]  # noqa: PTH208


def test_a_failed_draft_leaves_the_file_alone(tmp_path: Path) -> None:
    """Both the block and the rename can fail; no draft may be left."""
    path = tmp_path / "a"
    path.write_text("before")

    with pytest.raises(KeyboardInterrupt), appearing(path) as draft:  # noqa: PT012 - a failing block
        draft.write_text("half")
        raise KeyboardInterrupt
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one differs between systems
        write_atomically(tmp_path / "folder", "x")
    with pytest.raises(FileNotFoundError), appearing(path):
        pass

    assert path.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["a", "folder"]  # noqa: PTH208


def test_the_draft_of_a_killed_writer_is_abandoned(tmp_path: Path) -> None:
    """Its name contains the id of a process that no longer runs, so a sweep can remove it."""
    path = tmp_path / "a"
    path.write_text("before")
    program = (
        "import os, sys; from corpusmill.schemas.storage import appearing\n"
        "with appearing(sys.argv[1]) as draft: draft.write_text('half'); os.kill(os.getpid(), 9)"
    )

    result = subprocess.run([sys.executable, "-c", program, str(path)], check=False)

    assert result.returncode == -signal.SIGKILL
    (draft,) = [each for each in tmp_path.iterdir() if each != path]
    assert path.read_text() == "before"
    assert is_draft(draft.name)
    assert is_abandoned(draft)


def test_a_draft_of_another_machine_is_abandoned_after_a_day(tmp_path: Path) -> None:
    """This machine cannot check whether processes of another machine are running."""
    ours = Path(draft_of(str(tmp_path / "a")))
    theirs = tmp_path / "a.a00000000-1-00000000.tmp"
    theirs.write_text("x")

    assert not is_abandoned(theirs)
    os.utime(theirs, (0, 0))
    assert is_abandoned(theirs)
    theirs.unlink()
    assert not is_abandoned(theirs)
    assert not is_abandoned(ours)
    assert not is_abandoned(tmp_path / "manifest.json")
