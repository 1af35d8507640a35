"""One suite for all stores: local disk, memory and S3."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.storage import Entry, Store, open_store

KEYS_OUTSIDE = ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", ".", "..", "a/", "a/..", "a\0b", "/"]


def keys(store: Store, prefix: str = "") -> list[str]:
    """Return the keys of the files below *prefix*."""
    return [entry.key for entry in store.files(prefix)]


@pytest.mark.parametrize("data", [b"", b"\0\xff", "first", "naïve ☃", b"x" * 3_000_000], ids=len)
def test_written_content_can_be_read(store: Store, data: bytes | str) -> None:
    """Bytes are unchanged and text is UTF-8; the size matches."""
    expected = data.encode() if isinstance(data, str) else data

    store.write("a/b.bin", data)

    assert store.read("a/b.bin") == expected
    assert store.size("a/b.bin") == len(expected)
    assert store.exists("a/b.bin")


def test_writing_again_replaces(store: Store) -> None:
    """The last content counts, even if it is shorter than the content before."""
    store.write("a", "a long first content")
    store.write("a", "second", sync=True)

    assert store.read_text("a") == "second"
    assert keys(store) == ["a"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 30), length=st.integers(0, 30))
@example(start=0, length=26)
@example(start=26, length=1)
def test_a_range_is_a_piece_of_the_whole(store: Store, start: int, length: int) -> None:
    """A range beyond the end is empty, not an error."""
    whole = b"abcdefghijklmnopqrstuvwxyz"
    if not store.exists("letters"):
        store.write("letters", whole)

    assert store.read_range("letters", start, length) == whole[start : start + length]


@pytest.mark.parametrize("key", ["missing", "folder"])
def test_a_missing_key_raises_file_not_found(store: Store, key: str) -> None:
    """Callers must be able to distinguish a missing file from a store that does not respond. A folder is not a file."""
    store.write("folder/file", "x")

    assert not store.exists(key)
    for read in (store.read, store.size, store.open, store.sha256, lambda key: store.read_range(key, 0, 1)):
        with pytest.raises(FileNotFoundError, match=key):
            read(key)
    with pytest.raises(FileNotFoundError, match=key), store.fetched(key):
        pass
    with pytest.raises(FileNotFoundError, match=key):
        store.copy(key, "copy")
    assert keys(store) == ["folder/file"]


@pytest.mark.parametrize("key", KEYS_OUTSIDE, ids=repr)
def test_no_key_leaves_the_store(store: Store, key: str) -> None:
    """A manifest from elsewhere can contain hostile paths."""
    for use in (
        store.read,
        store.size,
        store.exists,
        store.open,
        store.remove,
        store.below,
        lambda key: store.write(key, b""),
        lambda key: store.append(key, ""),
        lambda key: store.read_range(key, 0, 1),
        lambda key: store.copy(key, "a"),
        lambda key: store.copy("a", key),
        lambda key: store.write_hashed([b""], key),
        lambda key: store.creating(key).__enter__(),
        lambda key: store.fetched(key).__enter__(),
        lambda key: store.lock(key).__enter__(),
        lambda key: store.appearing_folder(key, last="m").__enter__(),
    ):
        with pytest.raises(ValueError, match="not a name in a store"):
            use(key)
    for use in (store.files, store.folders, store.remove_folder):
        if key:
            with pytest.raises(ValueError, match="not a name in a store"):
                use(key)


@pytest.mark.parametrize("key", ["a*b", "a?b", "[ab]", "a b", "ä☃", "a%20b", "a#b", "-rf", "a+b", "a&b=c"])
def test_a_key_is_taken_literally(store: Store, key: str) -> None:
    """fsspec drivers expand wildcards in names by default."""
    others = ["aXb", "a", "b", "ab"]
    for name in [key, *others]:
        store.write(f"folder/{name}", name)

    assert store.read_text(f"folder/{key}") == key
    store.copy(f"folder/{key}", f"copy/{key}")
    with store.fetched(f"copy/{key}") as path:
        assert path.read_text() == key
    store.remove(f"folder/{key}")
    assert keys(store, "folder") == sorted(f"folder/{name}" for name in others)
    assert keys(store, "copy") == [f"copy/{key}"]


def test_files_are_listed_by_key_with_their_sizes(store: Store) -> None:
    """The folder `ab` starts with `a` but is not below it."""
    for size, key in enumerate(["b/x", "a/2", "a/10/y", "ab/1", "a/1"]):
        store.write(key, b"." * size)

    assert store.files("a") == [Entry("a/1", 4), Entry("a/10/y", 2), Entry("a/2", 1)]
    assert keys(store) == ["a/1", "a/10/y", "a/2", "ab/1", "b/x"]
    assert store.folders() == ["a", "ab", "b"]
    assert store.folders("a") == ["10"]
    assert store.files("none") == store.files("a/1") == []
    assert store.folders("none") == []


def test_a_store_below_another_sees_its_files(store: Store) -> None:
    """Code that handles one version gets the store of `versions/handbook`, with short keys."""
    store.write("versions/handbook/x", "1")

    inner = store.below("versions").below("handbook")
    inner.write("y", "2")

    assert keys(inner) == ["x", "y"]
    assert store.read_text("versions/handbook/y") == "2"
    assert inner.address("y") == store.address("versions/handbook/y")


def test_a_store_is_its_url(store: Store, url: str) -> None:
    """A store is sent to workers as its URL."""
    store.write("a", "1")

    for again in (pickle.loads(pickle.dumps(store)), open_store(store.url), open_store(f"{url}/")):
        assert again == store
        assert hash(again) == hash(store)
        assert again.read_text("a") == "1"
    assert store.below("a") != store
    assert store.url in repr(store)


def test_removing_missing_files_is_not_an_error(store: Store) -> None:
    """A sweep that was killed is repeated."""
    for key in ("a/1", "a/2", "a/b/3", "ab"):
        store.write(key, "x")

    store.remove()
    store.remove("a/1", "none", "none/x")
    assert keys(store) == ["a/2", "a/b/3", "ab"]
    store.remove_folder("a")
    store.remove_folder("a")
    assert keys(store) == ["ab"]


def test_more_objects_are_removed_than_one_request_takes(store: Store) -> None:
    """S3 accepts 1,000 keys in one request."""
    store.write("keep", "x")

    store.remove(*(f"a/{number}" for number in range(1001)), "keep")

    assert keys(store) == []


def test_a_local_file_can_be_removed_after_it_was_put(store: Store, tmp_path: Path) -> None:
    """A crawl writes archives locally, then puts them into the store."""
    local = tmp_path / "site.warc.gz"
    local.write_bytes(b"archive")

    store.put(local, "raw/site.warc.gz")
    local.unlink()

    assert store.read("raw/site.warc.gz") == b"archive"
    with pytest.raises(FileNotFoundError, match="does not exist"):
        store.put(local, "raw/other")


def test_a_reader_behaves_like_a_python_file(store: Store) -> None:
    """Archive readers need a Python file object."""
    store.write("a", bytes(range(250)) * 1000)

    with io.BufferedReader(store.reader("a"), 1000) as file:
        assert file.peek(2)[:2] == b"\x00\x01"
        assert file.seek(-3, os.SEEK_END) == 249_997
        assert file.read() == b"\xf7\xf8\xf9"
        assert file.seek(251) == 251
        assert file.read(2) == b"\x01\x02"
    with pytest.raises(FileNotFoundError):
        store.reader("b")


@pytest.mark.parametrize("size", [0, 5, 40 << 20], ids=["empty", "small", "in parts"])
def test_a_stream_appears_when_it_is_complete(store: Store, size: int) -> None:
    """Readers must not see an incomplete file, even if a large file is uploaded in parts."""
    with store.writing("a/stream") as file:
        for _ in range(4):
            file.write(b"z" * (size // 4))
        assert not store.exists("a/stream")
        assert keys(store) == []

    assert store.size("a/stream") == size // 4 * 4
    assert store.read_range("a/stream", max(size - 6, 0), 3) == b"zzz"[: size // 4 * 4]


def test_nothing_is_left_of_a_stream_that_failed(store: Store) -> None:
    """The previous file is still valid."""
    store.write("a", "before")

    for key in ("a", "b"):
        with pytest.raises(ZeroDivisionError), store.writing(key, sync=True) as file:  # noqa: PT012 - it fails
            file.write(b"half")
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        store.write_hashed((bytes(1 // number) for number in (1, 0)), "c")

    assert store.files() == [Entry("a", 6)]
    root = store.path()
    assert root is None or [path.name for path in root.rglob("*")] == ["a"]


def test_a_library_can_write_to_a_local_path(store: Store) -> None:
    """Parquet and safetensors writers need a path. A path that was never written is an error."""
    with store.creating("t/1.parquet") as path:
        pq.write_table(pa.table({"n": [1, 2]}), path)

    with store.fetched("t/1.parquet") as path:
        assert path.suffix == ".parquet"
        assert pq.read_table(path)["n"].to_pylist() == [1, 2]
    with pytest.raises(UnfinishedError), store.creating("t/2"):
        pass
    assert keys(store) == ["t/1.parquet"]


def test_copied_content_is_hashed(store: Store) -> None:
    """The key can be the hash of the content, which is known only at the end."""
    chunks = [b"one ", b"", b"two"]
    sha256 = hashlib.sha256(b"one two").hexdigest()

    by_content = store.write_hashed(chunks, lambda digest: f"files/{digest}.txt")
    by_name = store.write_hashed(iter(chunks), "named")

    assert by_content == (f"files/{sha256}.txt", 7, sha256)
    assert by_name == ("named", 7, sha256)
    assert store.read_text(by_content.key) == "one two"
    assert store.sha256("named") == sha256
    assert keys(store) == [by_content.key, "named"]


def test_a_copy_is_independent_of_the_original(store: Store) -> None:
    """Publishing links the file of a task; removing the task must not change the version."""
    store.write("tasks/1", "content")
    store.write("versions/1", "old and longer content")

    store.copy("tasks/1", "versions/1")
    store.copy("tasks/1", "versions/new/1")
    store.write("tasks/1", "other")
    store.remove("tasks/1")

    assert store.read_text("versions/1") == store.read_text("versions/new/1") == "content"


def test_lines_are_appended_after_an_incomplete_one(store: Store) -> None:
    """A crash can cut the last line of a log; the next line must not be joined to it."""
    store.append("log/a.jsonl", "1")
    store.append("log/a.jsonl", "2")
    store.write("torn", b"1\n2")
    store.append("torn", "3")

    assert store.read("log/a.jsonl") == b"1\n2\n"
    assert store.read("torn") == b"1\n2\n3\n"


def table() -> pa.Table:
    """Return a table of several row groups, with a column that is not read."""
    return pa.table({"id": [f"{n:08d}" for n in range(40_000)], "text": [os.urandom(50).hex() for _ in range(40_000)]})


def test_parquet_and_arrow_files_are_read_in_place(store: Store) -> None:
    """pyarrow reads the files that `open` returns at any position."""
    rows = table()
    sink, stream = io.BytesIO(), io.BytesIO()
    pq.write_table(rows, sink, row_group_size=10_000)
    with pa.ipc.new_file(stream, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=7_000)
    store.write("t.parquet", sink.getvalue())
    store.write("t.arrow", stream.getvalue())

    with pq.ParquetFile(store.open("t.parquet"), pre_buffer=True) as file:
        assert file.read_row_group(2, columns=["id"])["id"].to_pylist() == rows["id"].to_pylist()[20_000:30_000]
        assert file.read().equals(rows)
    with pq.ParquetFile(store.open("t.parquet", size=len(sink.getvalue()))) as file:
        assert file.metadata.num_rows == len(rows)
    with store.open("t.arrow") as opened, pa.ipc.open_file(opened) as arrow:
        assert arrow.get_batch(3).num_rows == 7_000
        assert arrow.read_all().equals(rows)


def test_an_empty_file_opens(store: Store) -> None:
    """Some tasks write empty files, which cannot be memory-mapped everywhere."""
    store.write("empty", b"")

    with store.open("empty") as file:
        assert file.size() == 0
        assert file.read() == b""


def test_a_folder_appears_at_once(store: Store) -> None:
    """A version without its manifest must never be visible."""
    with store.appearing_folder("versions/1", last="manifest.json") as folder:
        for name in ("manifest.json", "a.parquet", "z.parquet"):
            (folder / name).write_text(name)
        assert store.folders("versions") == []
    with (  # noqa: PT012 - a failing block
        pytest.raises(ZeroDivisionError),
        store.appearing_folder("versions/2", last="manifest.json") as folder,
    ):
        (folder / "manifest.json").write_text("half")
        raise ZeroDivisionError

    assert keys(store, "versions") == [f"versions/1/{name}" for name in ("a.parquet", "manifest.json", "z.parquet")]
    assert store.folders("versions") == ["1"]
    assert store.sweep("versions", last="manifest.json") == 0


def test_a_probe_leaves_no_file(store: Store) -> None:
    """It runs before hours of work whose result could not be written otherwise."""
    store.probe()

    assert keys(store) == []


def test_a_lock_has_one_holder(store: Store) -> None:
    """The error names the holder, so that the user can wait for it or end it."""
    with store.lock("locks/dataset-a.lock", subject="the data set `a`") as lock:
        lock.check()
        with store.lock("locks/dataset-b.lock"):
            pass
        with (
            pytest.raises(UnfinishedError, match=f"the data set `a` .* by process {os.getpid()} on ") as refused,
            store.lock("locks/dataset-a.lock", subject="the data set `a`"),
        ):
            pass
        assert "wait for it" in str(refused.value.hint)
        lock.check()

    with store.lock("locks/dataset-a.lock"):
        pass
    with pytest.raises(ZeroDivisionError), store.lock("locks/dataset-a.lock"):
        raise ZeroDivisionError
    with store.lock("locks/dataset-a.lock"):
        pass


def test_a_lock_can_be_waited_for(store: Store) -> None:
    """The wait must end after `wait_s`."""
    with (
        store.lock("a"),
        pytest.raises(UnfinishedError, match="`a` is in use"),
        store.lock("a", wait_s=0.2),
    ):
        pass


def test_a_replaced_file_is_fetched_again(store: Store, tmp_path: Path) -> None:
    """A cached copy of the old content would be wrong."""
    store.write("a.txt", "first")
    with store.fetched("a.txt") as path:
        assert path.read_text() == "first"
        store.write("a.txt", "other")
        with store.fetched("a.txt") as again:
            assert again.read_text() == "other"
