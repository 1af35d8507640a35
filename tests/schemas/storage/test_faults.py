"""Disks and stores that fail, become unreachable during an operation, or have an invalid URL."""

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


def test_a_store_that_becomes_unreachable_can_be_used_again(s3: Server, s3_url: str) -> None:
    """The error has exit code 5 and names the object, and no incomplete object is left."""
    store = open_store(s3_url)
    store.write("before", "x")

    s3.puts_until_down = 2  # the first two parts of five
    with (
        pytest.raises(UnfinishedError, match="cannot write: the store does not respond as expected") as stopped,
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


OPERATIONS: dict[str, Callable[[Store], object]] = {
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


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_on_an_unreachable_store_is_unfinished(s3: Server, s3_url: str, operation: str) -> None:
    """Exceptions of a driver must not escape, and `exists` must not return False."""
    store = open_store(s3_url)
    store.write("a", "x")
    s3.is_down = True

    with pytest.raises(UnfinishedError):
        OPERATIONS[operation](store)


def test_an_object_that_is_listed_but_unreadable_is_named(s3: Server, s3_url: str) -> None:
    """The error has the URL of the object and a hint about credentials."""
    store = open_store(s3_url)
    store.write("versions/secret.parquet", "x")
    s3.denied = "secret.parquet"

    assert store.files("versions") == [Entry("versions/secret.parquet", 1)]
    for read in (store.read, store.open, store.sha256, store.exists):
        with pytest.raises(UnfinishedError, match="permission denied") as refused:
            read("versions/secret.parquet")
        assert refused.value.file == f"{s3_url}/versions/secret.parquet"
        assert "credentials" in str(refused.value.hint)


def test_a_truncated_response_is_an_error(s3: Server, s3_url: str) -> None:
    """Half a file must never pass for the whole file."""
    store = open_store(s3_url)
    store.write("cut", b"x" * 100_000)
    s3.cut = "/cut"

    for read in (store.read, lambda key: store.read_range(key, 0, 50_000)):
        with pytest.raises(UnfinishedError, match="cannot read"):
            read("cut")
    with pytest.raises(UnfinishedError), store.fetched("cut"):
        pass


def test_errors_pass_through_pyarrow(s3: Server, s3_url: str) -> None:
    """Reading Parquet raises our error with its hint, not an error of Arrow."""
    store = open_store(s3_url)
    with store.creating("t.parquet") as path:
        pq.write_table(pa.table({"n": range(100_000)}), path)
    with pq.ParquetFile(store.open("t.parquet")) as file:
        s3.is_down = True

        with pytest.raises(UnfinishedError, match="cannot read"):
            file.read()


def test_an_object_that_became_shorter_is_an_error(s3_url: str) -> None:
    """Another process can replace an object while it is being read."""
    store = open_store(s3_url)
    store.write("a", b"x" * 100_000)

    with store.open("a") as file:
        store.write("a", b"y" * 10)
        with pytest.raises(OSError, match="10 bytes instead of 100000"):
            file.read()


def test_parquet_is_read_by_ranges(s3: Server, s3_url: str) -> None:
    """Reading one column of one row group must not transfer the whole file."""
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


def test_a_folder_without_its_manifest_is_swept(s3: Server, s3_url: str) -> None:
    """If the store becomes unreachable between shards and manifest, the next run removes the shards."""
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
        ("nowhere://bucket", "unknown protocol nowhere://"),
        ("simplecache::s3://bucket", "unknown protocol"),
        ("gs://bucket/prefix", "there is no driver for gs://"),
        ("memory://", "not the URL of a store: memory://…"),
        ("ftp://example.org/x", "not usable: the driver of ftp:// needs `host` besides the URL"),
        ("local://x", "unknown protocol local://"),
    ],
)
def test_an_invalid_url_is_a_usage_error(url: str, message: str) -> None:
    """The error has a hint, and does not repeat a secret in the URL."""
    with pytest.raises(UsageError, match=message) as refused:
        open_store(url)

    assert refused.value.hint
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("url", ["data://x", "https://example.org/x", "zip://x.zip"])
def test_a_read_only_store_is_refused_for_a_workspace(url: str) -> None:
    """Such stores can be opened for reading source files only."""
    with pytest.raises(UsageError, match=r"not usable for a workspace: \w+:// is read-only"):
        open_store(url).refuse_read_only()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is the command that installs the driver."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)

    with pytest.raises(MissingExtraError) as missing:
        open_store("s3://bucket")

    assert missing.value.hint == install_command("s3")


def test_missing_credentials_are_reported() -> None:
    """Runs in a new process, because drivers cache credentials."""
    program = (
        "from corpusmill.schemas.storage import open_store\n"
        "try: open_store('s3://bucket').read('x')\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)"
    )
    names = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    result = subprocess.run(
        [sys.executable, "-c", program], env={**names, **settings}, capture_output=True, text=True, check=True
    )

    assert "UnfinishedError s3://bucket/x: cannot read: there are no credentials" in result.stdout
    assert "AWS_ACCESS_KEY_ID" in result.stdout


def test_a_missing_bucket_is_not_an_empty_store(s3: Server) -> None:
    """A mistyped `--store` must not look like a new workspace."""
    store = open_store("s3://not-there/x")

    for use in (store.files, store.folders, store.probe, lambda: store.read("a"), lambda: store.exists("a")):
        with pytest.raises(UnfinishedError, match="the bucket does not exist"):
            use()


def test_an_inherited_store_works_in_a_child_process(s3_url: str) -> None:
    """Workers can be forked while connections are open."""
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


def test_errors_of_a_disk_are_unfinished_and_name_the_path(tmp_path: Path) -> None:
    """Uses a file in place of a folder, because that fails for root too."""
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
def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint differs from the hints for other errors of a disk."""
    monkeypatch.setattr("corpusmill.schemas.storage.drafts.draft_of", lambda path: "/dev/full")
    monkeypatch.setattr("corpusmill.schemas.storage.drafts.remove_draft", lambda path: None)

    with pytest.raises(UnfinishedError, match="the disk is full") as refused:
        LocalStore(tmp_path).write("a", "x")

    assert "free some space" in str(refused.value.hint)


def test_a_listed_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Uses a link to itself, because even root cannot read it."""
    (tmp_path / "loop").symlink_to("loop")
    store = LocalStore(tmp_path)

    with pytest.raises(UnfinishedError, match="too many levels of symbolic links") as refused:
        store.read("loop")

    assert refused.value.file == str(tmp_path / "loop")


def test_linked_folders_are_listed_without_loops(tmp_path: Path) -> None:
    """A user can link a data set that is on another disk."""
    (tmp_path / "disk" / "x").mkdir(parents=True)
    (tmp_path / "disk" / "x" / "1").write_text("1")
    (tmp_path / "disk" / "x" / "loop").symlink_to(tmp_path / "disk")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "data").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "store")

    assert store.folders() == ["data"]
    assert store.files("data") == [Entry("data/x/1", 1)]


def test_a_sweep_removes_only_drafts_of_dead_processes(tmp_path: Path) -> None:
    """Drafts of running processes must stay, and no draft may be listed."""
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
    """Users can write `--store file:///data` instead of the path."""
    store = open_store(f"file://{tmp_path}")

    assert store == open_store(tmp_path) == LocalStore(tmp_path)
    assert store.path("a") == tmp_path / "a"
    assert open_store("memory://x").path("a") is None
    assert not is_url(str(tmp_path))
