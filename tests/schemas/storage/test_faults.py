"""Disks and stores that refuse, vanish in the middle, or are not what their name says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.schemas.errors import MissingExtraError, UnfinishedError, UsageError
from corpusmill.schemas.installing import install_command
from corpusmill.schemas.storage import Entry, LocalStore, Store, is_url, open_store
from tests.s3 import Server

# -- a store


def test_a_store_that_vanishes_in_the_middle_can_be_gone_on_with(s3: Server, s3_url: str) -> None:
    """Exit 5, the object by name, and nothing half-written."""
    store = open_store(s3_url)
    store.write("before", "x")

    s3.puts_until_down = 2  # the first two parts of five
    with (
        pytest.raises(UnfinishedError, match="cannot write: the store does not answer") as stopped,
        store.writing("large") as file,
    ):
        file.write(b"x" * (80 << 20))
    with pytest.raises(UnfinishedError, match="cannot read"):
        store.read("before")

    assert stopped.value.exit_code == 5
    assert stopped.value.file == f"{s3_url}/large"
    assert "run the same command" in str(stopped.value.hint)
    assert "AWS_ENDPOINT_URL" in str(stopped.value.hint)
    s3.heal()
    assert store.files() == [Entry("before", 1)]


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "files": lambda store: store.files(),
    "folders": lambda store: store.folders(),
    "exists": lambda store: store.exists("a"),
    "remove": lambda store: store.remove("a"),
    "copy": lambda store: store.copy("a", "b"),
    "append": lambda store: store.append("a", "x"),
    "probe": lambda store: store.probe(),
    "lock": lambda store: store.lock("a").__enter__(),
    "fetched": lambda store: store.fetched("a").__enter__(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_whatever_a_store_is_asked_while_it_is_away_is_unfinished(s3: Server, s3_url: str, question: str) -> None:
    """No exception of a driver comes through, and `exists` does not say no."""
    store = open_store(s3_url)
    store.write("a", "x")
    s3.is_down = True

    with pytest.raises(UnfinishedError):
        QUESTIONS[question](store)


def test_an_object_that_is_listed_but_unreadable_is_named(s3: Server, s3_url: str) -> None:
    """By its URL, and with what may be wrong."""
    store = open_store(s3_url)
    store.write("versions/secret.parquet", "x")
    s3.denied = "secret.parquet"

    assert store.files("versions") == [Entry("versions/secret.parquet", 1)]
    for read in (store.read, store.open, store.sha256, store.exists):
        with pytest.raises(UnfinishedError, match="permission denied") as refused:
            read("versions/secret.parquet")
        assert refused.value.file == f"{s3_url}/versions/secret.parquet"
        assert "credentials" in str(refused.value.hint)


def test_an_answer_that_ends_in_the_middle_is_no_answer(s3: Server, s3_url: str) -> None:
    """Half a file is never taken for the whole."""
    store = open_store(s3_url)
    store.write("cut", b"x" * 100_000)
    s3.cut = "/cut"

    for read in (store.read, lambda key: store.read_range(key, 0, 50_000)):
        with pytest.raises(UnfinishedError, match="cannot read"):
            read("cut")
    with pytest.raises(UnfinishedError), store.fetched("cut"):
        pass


def test_errors_come_through_pyarrow(s3: Server, s3_url: str) -> None:
    """A reader of Parquet gets our error, not one of Arrow."""
    store = open_store(s3_url)
    with store.creating("t.parquet") as path:
        pq.write_table(pa.table({"n": range(100_000)}), path)
    with pq.ParquetFile(store.open("t.parquet")) as file:
        s3.is_down = True

        with pytest.raises(UnfinishedError, match="cannot read"):
            file.read()


def test_an_object_that_became_shorter_is_an_error(s3_url: str) -> None:
    """Somebody replaced it while it was read."""
    store = open_store(s3_url)
    store.write("a", b"x" * 100_000)

    with store.open("a") as file:
        store.write("a", b"y" * 10)
        with pytest.raises(OSError, match="10 bytes instead of 100000"):
            file.read()


def test_parquet_is_read_by_ranges(s3: Server, s3_url: str) -> None:
    """One column of one row group of a file costs its bytes and the footer's, not the file's."""
    store = open_store(s3_url)
    rows = pa.table({"id": range(100_000), "text": [os.urandom(50) for _ in range(100_000)]})
    with store.creating("t.parquet") as path:
        pq.write_table(rows, path, row_group_size=10_000)
    s3.requests.clear()

    with pq.ParquetFile(store.open("t.parquet"), pre_buffer=True) as file:
        assert file.read_row_group(5, columns=["id"])["id"][0].as_py() == 50_000

    gets = [seen for seen in s3.requests if seen.method == "GET"]
    assert all(seen.range for seen in gets)
    assert len(gets) <= 3
    assert sum(seen.sent for seen in gets) < store.size("t.parquet") / 10


def test_a_folder_on_a_store_is_there_when_its_manifest_is(s3: Server, s3_url: str) -> None:
    """The store vanished between the shards and the manifest: the next run sweeps what lies there."""
    store = open_store(s3_url)
    with store.appearing_folder("versions/whole", last="manifest.json") as folder:
        (folder / "manifest.json").write_text("{}")
    s3.puts_until_down = 2
    with (  # noqa: PT012 - the end of the block is what fails
        pytest.raises(UnfinishedError),
        store.appearing_folder("versions/half", last="manifest.json") as folder,
    ):
        for name in ("manifest.json", "a.parquet", "z.parquet"):
            (folder / name).write_text(name)
    s3.heal()

    assert [entry.key for entry in store.files("versions/half")] == [
        "versions/half/a.parquet",
        "versions/half/z.parquet",
    ]
    assert store.sweep("versions", last="manifest.json") == 1
    assert [entry.key for entry in store.files()] == ["versions/whole/manifest.json"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://", "not the URL of a store"),
        ("s3:///x", "not the URL of a store"),
        ("s3://bucket/../other", "not the URL of a store"),
        ("s3://key:secret@bucket/x", "not the URL of a store"),
        ("nowhere://bucket", "no store is called nowhere://"),
        ("simplecache::s3://bucket", "no store is called"),
        ("gs://bucket/prefix", "there is no driver for gs://"),
        ("memory://", "not the URL of a store: memory://…"),
        ("ftp://example.org/x", "no store: the driver of ftp:// needs `host` beside the URL"),
        ("local://x", "no store is called local://"),
    ],
)
def test_a_url_that_names_no_store_is_wrong_use(url: str, message: str) -> None:
    """Exit 2, with the right form, and without a secret that it may hold."""
    with pytest.raises(UsageError, match=message) as refused:
        open_store(url)

    assert refused.value.hint
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("url", ["data://x", "https://example.org/x", "zip://x.zip"])
def test_what_can_only_be_read_is_no_place_for_a_workspace(url: str) -> None:
    """Single files may come from there all the same."""
    with pytest.raises(UsageError, match=r"no place for a workspace: \w+:// can only be read"):
        open_store(url).refuse_read_only()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be installed."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)

    with pytest.raises(MissingExtraError) as missing:
        open_store("s3://bucket")

    assert missing.value.hint == install_command("s3")


def test_missing_credentials_and_buckets_are_said() -> None:
    """In a process of its own: drivers keep what they found out."""
    program = (
        "from corpusmill.schemas.storage import open_store\n"
        "try: open_store('s3://bucket').read('x')\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)"
    )
    names = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    done = subprocess.run(
        [sys.executable, "-c", program], env={**names, **settings}, capture_output=True, text=True, check=True
    )

    assert "UnfinishedError s3://bucket/x: cannot read: there are no credentials" in done.stdout
    assert "AWS_ACCESS_KEY_ID" in done.stdout


def test_a_bucket_that_is_not_there_is_no_empty_store(s3: Server) -> None:
    """A mistyped `--store` is not a new workspace."""
    store = open_store("s3://not-there/x")

    for use in (store.files, store.folders, store.probe, lambda: store.read("a"), lambda: store.exists("a")):
        with pytest.raises(UnfinishedError, match="the bucket is not there"):
            use()


def test_an_inherited_store_works_in_a_child_process(s3_url: str) -> None:
    """Workers are forked while connections are open."""
    store = open_store(s3_url)
    store.write("a", "parent")

    child = os.fork()
    if not child:
        code = 1
        try:
            store.write("b", store.read_text("a") + " and child")
            code = 0
        finally:
            os._exit(code)

    assert os.waitpid(child, 0)[1] == 0
    assert store.read_text("b") == "parent and child"


# -- a disk


def test_a_disk_that_refuses_is_unfinished(tmp_path: Path) -> None:
    """A file where a folder should be is refused to root, too; the path is named."""
    (tmp_path / "file").write_text("x")
    store = LocalStore(tmp_path / "file")

    for use in (
        lambda: store.write("a/b", "x"),
        lambda: store.append("a/b", "x"),
        store.probe,
        lambda: store.lock("a/b").__enter__(),
        lambda: store.creating("a/b").__enter__(),
        lambda: store.appearing_folder("a/b", last="m").__enter__(),
    ):
        with pytest.raises(UnfinishedError) as refused:
            use()
        assert str(tmp_path / "file") in str(refused.value)
        assert refused.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what helps, and no draft."""
    monkeypatch.setattr("corpusmill.schemas.storage.drafts.draft_of", lambda path: "/dev/full")
    monkeypatch.setattr("corpusmill.schemas.storage.drafts.forget", lambda path: None)

    with pytest.raises(UnfinishedError, match="the disk is full") as refused:
        LocalStore(tmp_path).write("a", "x")

    assert "make room" in str(refused.value.hint)


def test_a_listed_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A link to itself is what even root cannot read."""
    (tmp_path / "loop").symlink_to("loop")
    store = LocalStore(tmp_path)

    with pytest.raises(UnfinishedError, match="too many levels of symbolic links") as refused:
        store.read("loop")

    assert refused.value.file == str(tmp_path / "loop")


def test_folders_elsewhere_can_be_linked_in_and_loops_end(tmp_path: Path) -> None:
    """A user may keep one data set on another disk."""
    (tmp_path / "disk" / "x").mkdir(parents=True)
    (tmp_path / "disk" / "x" / "1").write_text("1")
    (tmp_path / "disk" / "x" / "loop").symlink_to(tmp_path / "disk")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "data").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "store")

    assert store.folders() == ["data"]
    assert store.files("data") == [Entry("data/x/1", 1)]


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    """And neither is listed."""
    store = LocalStore(tmp_path)
    program = "import os, sys; from corpusmill.schemas.storage.drafts import draft_of; print(draft_of(sys.argv[1]))"
    dead = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "d" / "a")], capture_output=True, text=True, check=True
    ).stdout.strip()
    with store.writing("d/b"):
        Path(dead).write_text("half")
        assert store.files() == []
        assert store.sweep("d", last="manifest.json") == 0
        assert len(list((tmp_path / "d").iterdir())) == 1

    assert store.files() == [Entry("d/b", 0)]


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    """`--store file:///data` is a path."""
    store = open_store(f"file://{tmp_path}")

    assert store == open_store(tmp_path) == LocalStore(tmp_path)
    assert store.path("a") == tmp_path / "a"
    assert open_store("memory://x").path("a") is None
    assert not is_url(str(tmp_path))
