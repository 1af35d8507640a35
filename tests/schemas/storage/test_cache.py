"""The cache of local copies of objects: reuse, bound and permissions."""

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
    """A cached object costs no further requests, but a replaced object must be fetched again."""
    store = open_store(s3_url)
    store.write("a", b"x" * 1000)
    for _ in range(3):
        with store.fetched("a"):
            pass
    assert sum(seen.sent for seen in s3.requests if seen.method == "GET") == 1000

    store.write("a", b"y" * 1000)

    with store.fetched("a") as path:
        assert path.read_bytes() == b"y" * 1000


def test_the_least_recently_used_copy_is_removed_and_stays_readable(tmp_path: Path) -> None:
    """Eviction must not break a process that is reading the copy."""
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


def test_the_cache_is_not_checked_after_each_new_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 16,000 tasks on a store fetches as many files; listing all of them each time would take a day."""
    checks = 0

    def counted(folder: Path, max_bytes: int) -> None:
        nonlocal checks
        checks += 1
        evict(folder, max_bytes)

    evict = cache._evict
    monkeypatch.setattr(cache, "_evict", counted)

    for number in range(1_000):
        with cached(tmp_path / "fetched", str(number), lambda path: path.write_bytes(b"x" * 10), max_bytes=5_000):
            pass

    assert checks < 80
    assert sum(path.stat().st_size for path in (tmp_path / "fetched").iterdir()) <= 5_000 * (1 + 1 / 32)


def test_a_copy_that_failed_is_not_kept(tmp_path: Path) -> None:
    """A partial copy would be used as if it were complete."""

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), cached(tmp_path / "fetched", "a", fail):
        pass

    assert list((tmp_path / "fetched").iterdir()) == []


def test_the_scratch_folder_belongs_to_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that everybody can write to, another user can create the folder first."""
    monkeypatch.delenv("CORPUSMILL_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    folder = scratch_folder()

    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(UnfinishedError, match="belongs to another user"):
        scratch_folder()


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("file", "it is not a folder"),
        ("file/scratch", "not a directory"),
        ("missing/scratch", "the folder {folder}/missing does not exist"),
        ("closed", "it is not writable"),
        ("closed/scratch", "operation not permitted" if os.geteuid() == 0 else "permission denied"),
    ],
)
def test_a_scratch_folder_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, problem: str
) -> None:
    """The message contains the variable, because a path alone does not show where it was set."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "closed").mkdir()
    monkeypatch.setenv("CORPUSMILL_SCRATCH", f"{tmp_path}/{place}")

    with read_only(tmp_path / "closed"), pytest.raises(UnfinishedError) as refused:
        scratch_folder()

    expected = f"CORPUSMILL_SCRATCH={tmp_path}/{place} cannot be used: {problem.format(folder=tmp_path)}"
    assert str(refused.value) == expected
    assert "unset it" in str(refused.value.hint)
    assert not (tmp_path / "missing").exists()


def test_a_temporary_folder_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint proposes `CORPUSMILL_SCRATCH`, because other programs use `TMPDIR` too."""
    monkeypatch.delenv("CORPUSMILL_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))

    with pytest.raises(UnfinishedError, match=r"scratch folder .* cannot be used: the folder .* does not") as refused:
        scratch_folder()

    assert refused.value.hint == "set CORPUSMILL_SCRATCH to a writable folder"


def test_a_missing_scratch_folder_is_created_in_an_existing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other users must not be able to read it."""
    monkeypatch.setenv("CORPUSMILL_SCRATCH", str(tmp_path / "new"))

    assert scratch_folder() == tmp_path / "new"
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
