"""Local copies of objects: kept, bounded, and private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage import cache, open_store
from corpusmill.schemas.storage.cache import cached, scratch_folder
from tests.read_only import read_only
from tests.s3 import Server


def test_an_object_is_fetched_once(s3: Server, s3_url: str) -> None:
    """Until it is another one."""
    store = open_store(s3_url)
    store.write("a", b"x" * 1000)
    for _ in range(3):
        with store.fetched("a"):
            pass
    assert sum(seen.sent for seen in s3.requests if seen.method == "GET") == 1000

    store.write("a", b"y" * 1000)

    with store.fetched("a") as path:
        assert path.read_bytes() == b"y" * 1000


def test_old_copies_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    """The one that was not read for the longest time goes first; its reader keeps it."""
    kept = tmp_path / "fetched"

    def fetch(path: Path) -> None:
        path.write_bytes(b"x" * 10)

    with cached(kept, "first", fetch, max_bytes=25) as first:
        os.utime(kept / "first", (1, 1))
        for name in ("second", "third"):
            with cached(kept, name, fetch, max_bytes=25):
                pass

        assert first.read_bytes() == b"x" * 10
    assert sorted(path.name for path in kept.iterdir()) == ["second", "third"]
    assert [path.name for path in tmp_path.iterdir()] == ["fetched"]


def test_many_copies_are_not_looked_through_for_each_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 16,000 tasks on a store fetches as many: the square of that is a day."""
    looks = 0

    def counted(folder: Path, max_bytes: int) -> None:
        nonlocal looks
        looks += 1
        bound(folder, max_bytes)

    bound = cache._bound
    monkeypatch.setattr(cache, "_bound", counted)

    for number in range(1_000):
        with cached(tmp_path / "fetched", str(number), lambda path: path.write_bytes(b"x" * 10), max_bytes=5_000):
            pass

    assert looks < 80
    assert sum(path.stat().st_size for path in (tmp_path / "fetched").iterdir()) <= 5_000 * (1 + 1 / 32)


def test_a_copy_that_failed_is_not_kept(tmp_path: Path) -> None:
    """The next one tries again."""

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), cached(tmp_path / "fetched", "a", fail):
        pass

    assert list((tmp_path / "fetched").iterdir()) == []


def test_the_scratch_folder_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that everybody can write to, somebody else may have been there first."""
    monkeypatch.delenv("CORPUSMILL_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    folder = scratch_folder()

    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(UnfinishedError, match="belongs to somebody else"):
        scratch_folder()


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("file", "it is not a folder"),
        ("file/scratch", "not a directory"),
        ("missing/scratch", "there is no folder {folder}/missing"),
        ("closed", "it cannot be written"),
        ("closed/scratch", "operation not permitted" if os.geteuid() == 0 else "permission denied"),
    ],
)
def test_a_scratch_folder_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, problem: str
) -> None:
    """The variable, its value and what is wrong: the path alone would not tell where it comes from."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "closed").mkdir()
    monkeypatch.setenv("CORPUSMILL_SCRATCH", f"{tmp_path}/{place}")

    with read_only(tmp_path / "closed"), pytest.raises(UnfinishedError) as refused:
        scratch_folder()

    found = f"CORPUSMILL_SCRATCH={tmp_path}/{place} cannot be used: {problem.format(folder=tmp_path)}"
    assert str(refused.value) == found
    assert "unset it" in str(refused.value.hint)
    assert not (tmp_path / "missing").exists()


def test_a_temporary_folder_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`TMPDIR` is another program's variable, so the way out is ours."""
    monkeypatch.delenv("CORPUSMILL_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))

    with pytest.raises(UnfinishedError, match=r"the scratch folder .* cannot be used: there is no folder") as refused:
        scratch_folder()

    assert refused.value.hint == "set CORPUSMILL_SCRATCH to a folder that can be written"


def test_a_scratch_folder_is_made_in_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this user alone."""
    monkeypatch.setenv("CORPUSMILL_SCRATCH", str(tmp_path / "new"))

    assert scratch_folder() == tmp_path / "new"
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
