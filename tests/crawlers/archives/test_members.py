"""Members of archives as raw files of a source."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard

from corpusmill.crawlers.archives import entries, members
from corpusmill.crawlers.archives.members import entries_of
from corpusmill.crawlers.load import changed_files, load, loader_of
from corpusmill.crawlers.loaders.streams import open_file
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.raw import RawManifest
from tests.crawlers.test_load import source

FILES = {"a/one.txt": b"one", "a/deep/two.txt": b"two", "three.txt": b"three", "note.md": b"# n", "a/.hid.txt": b"h"}


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tar_of(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in others:
            archive.addfile(info)
    return data.getvalue()


PACKINGS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "a.zip": zip_of,
    "stored.ZIP": lambda files: zip_of(files, zipfile.ZIP_STORED),
    "a.tar": tar_of,
    "a.tar.gz": lambda files: gzip.compress(tar_of(files)),
    "a.tgz": lambda files: gzip.compress(tar_of(files)),
    "a.tar.bz2": lambda files: bz2.compress(tar_of(files)),
    "a.tar.xz": lambda files: lzma.compress(tar_of(files)),
    "a.tar.zst": lambda files: zstandard.compress(tar_of(files)),
}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSMILL_SCRATCH", str(tmp_path / "scratch"))


def loaded(folder: Path, path: Any, form: str = "text", **options: Any) -> RawManifest:
    return load(source(path, form), folder / "raw", base=folder, **options)


def texts(manifest: RawManifest, form: str = "text") -> dict[str, str | None]:
    """Return the texts of the documents by their ids, or the rules of records that are set aside."""
    loader = loader_of(source("x", form))
    return {
        row["source_id"]: row["text"] if row["rule"] is None else row["rule"]
        for file in manifest.files
        if file.rule is None
        for batch in loader.read(file.path, name=file.name)
        for row in batch.to_pylist()
    } | {file.name: file.rule for file in manifest.files if file.rule is not None}


@pytest.mark.parametrize("name", PACKINGS)
def test_members_of_each_kind_of_archive_are_files(tmp_path: Path, name: str) -> None:
    """The id of a document is its path in the archive; hidden members are left out, as in folders."""
    (tmp_path / name).write_bytes(PACKINGS[name](FILES))

    manifest = loaded(tmp_path, f"{name}!/**/*.txt")

    assert texts(manifest) == {"a/deep/two.txt": "two", "a/one.txt": "one", "three.txt": "three"}
    assert [file.size for file in manifest.files] == [3, 3, 5]
    assert manifest.files[0].path == f"{tmp_path}/{name}!/a/deep/two.txt"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.zip!/", ["a/deep/two.txt", "a/one.txt", "three.txt"]),
        ("a.zip!/a", ["a/deep/two.txt", "a/one.txt"]),
        ("a.zip!/a/*.txt", ["a/one.txt"]),
        ("a.zip!/note.md", ["note.md"]),
        ("a.zip!/a/.hid.txt", ["a/.hid.txt"]),
        ("*.zip!/a/*.txt", ["a.zip!/a/one.txt"]),
        ("**/*.zip!/*.txt", ["a.zip!/three.txt", "sub/b.zip!/four.txt"]),
    ],
)
def test_a_pattern_in_an_archive_is_as_one_in_a_folder(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """A pattern for archives puts the archive's name before the path of the member."""
    (tmp_path / "a.zip").write_bytes(zip_of(FILES))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.zip").write_bytes(zip_of({"four.txt": b"4"}))

    assert [file.name for file in loaded(tmp_path, pattern).files] == names


def test_an_archive_may_lie_in_an_archive_but_not_deeper(tmp_path: Path) -> None:
    """Each level can expand, so their number is bounded."""
    inner = zip_of({"x.txt": b"x", "in.zip": zip_of({"y.txt": b"y"})})
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of({"d/in.zip": inner})))

    assert texts(loaded(tmp_path, "a.tar.gz!/**/*.zip!/*.txt")) == {"d/in.zip!/x.txt": "x"}
    assert texts(loaded(tmp_path, "a.tar.gz!/**/*.zip!/*.zip!/*.txt")) == {"d/in.zip!/in.zip": "error.unreadable"}


def test_compressed_members_and_formats_with_random_access_can_be_read(tmp_path: Path) -> None:
    """`reports.zip!/x.jsonl.gz` is decompressed twice, and Parquet is read from the archive."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], "text": ["row"]}), table)
    lines = gzip.compress(b'{"id": "7", "text": "line"}\n')
    for name in ("a.zip", "a.tar.xz"):
        (tmp_path / name).write_bytes(PACKINGS[name]({"x.jsonl.gz": lines, "t.parquet": table.getvalue()}))

        assert texts(loaded(tmp_path, f"{name}!/*.gz", "jsonl"), "jsonl") == {"7": "line"}
        assert texts(loaded(tmp_path, f"{name}!/", "parquet"), "parquet") == {"1": "row"}


def test_a_copy_outlives_the_archive_and_a_change_is_noticed(tmp_path: Path) -> None:
    """Members are identified by content: a rewritten archive with equal members has not changed."""
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of(FILES))
    copied = load(source("a.zip!/a"), tmp_path / "copies", base=tmp_path, copy=True)
    manifest = loaded(tmp_path, "a.zip!/a")

    path.write_bytes(zip_of(FILES, zipfile.ZIP_STORED))
    assert changed_files(manifest) == []
    path.write_bytes(zip_of({"a/one.txt": b"ONE"}))
    assert [file.name for file in changed_files(manifest)] == ["a/deep/two.txt", "a/one.txt"]
    path.unlink()
    assert len(changed_files(manifest)) == 2
    assert changed_files(copied, raw=tmp_path / "copies") == []
    assert [file.name for file in copied.files] == ["a/deep/two.txt", "a/one.txt"]


def test_archives_on_a_store_are_read_in_ranges() -> None:
    """A URL may name an object, a folder or a pattern, and members of archives there."""
    store = fsspec.filesystem("memory")
    store.pipe({"/dumps/a.zip": zip_of(FILES), "/dumps/b.tar.gz": gzip.compress(tar_of(FILES)), "/dumps/x/n.txt": b"n"})
    folder = Path("/nowhere")

    def names(path: str) -> list[str]:
        manifest = load(source(path), "memory://raws", base=folder)  # type: ignore[arg-type]
        assert None not in texts(manifest).values()
        assert changed_files(manifest) == []
        return [file.name for file in manifest.files]

    assert names("memory://dumps/a.zip!/a/*.txt") == ["a/one.txt"]
    assert names("memory://dumps/*.tar.gz!/*.txt") == ["b.tar.gz!/three.txt"]
    assert names("memory://dumps/**/*.txt") == ["x/n.txt"]
    assert names("memory://dumps/x/n.txt") == ["n.txt"]
    assert names("memory://dumps/x") == ["n.txt"]
    with pytest.raises(SourceError, match="no object matches"):
        names("memory://dumps/y/*.txt")


def encrypted(data: bytes) -> bytes:
    """Set the flag of encryption of the first member."""
    at = data.index(b"PK\x01\x02")
    return data[:6] + b"\x01" + data[7 : at + 8] + b"\x01" + data[at + 9 :]


def test_members_that_cannot_be_read_are_set_aside_and_their_neighbors_are_not(tmp_path: Path) -> None:
    """Encrypted ones, paths that leave the archive, repeated names, links, and damage."""
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in ("secret.txt", "../../out.txt", "/abs.txt", "same.txt", "good.txt", "broken.txt"):
            archive.writestr(name, f"text of {name}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("same.txt", "again")
        archive.writestr(link, "good.txt")
    (tmp_path / "a.zip").write_bytes(encrypted(data.getvalue()).replace(b"text of broken", b"text of BROKEN", 1))

    manifest = loaded(tmp_path, "a.zip!/**/*.txt")

    assert texts(manifest) == {
        "a.zip!/secret.txt": "error.encrypted",
        "a.zip!/../../out.txt": "error.unsafe_path",
        "a.zip!//abs.txt": "error.unsafe_path",
        "a.zip!/same.txt": "error.duplicate_name",
        "a.zip!/link.txt": "error.not_regular",
        "broken.txt": "error.damaged",
        "same.txt": "text of same.txt",
        "good.txt": "text of good.txt",
    }


def test_a_tar_keeps_its_readable_members(tmp_path: Path) -> None:
    """Links to members are read, other links are set aside; of a truncated tar, the rest is one row."""
    hard, soft = tarfile.TarInfo("hard.txt"), tarfile.TarInfo("soft.txt")
    hard.type, hard.linkname = tarfile.LNKTYPE, "./good.txt"
    soft.type, soft.linkname = tarfile.SYMTYPE, "/etc/passwd"
    whole = tar_of({"good.txt": b"good", "../up.txt": b"up"}, hard, soft)
    (tmp_path / "a.tar").write_bytes(whole)
    cut = tar_of({"good.txt": b"good", "cut.txt": bytes(5000)})[:4000]
    (tmp_path / "cut.tar").write_bytes(cut)
    (tmp_path / "cut.tar.gz").write_bytes(gzip.compress(tar_of({"g.txt": b"g", "r.txt": random_bytes(9000)}))[:-4000])
    (tmp_path / "damaged.tar").write_bytes(whole[:1024] + b"?" * 512 + whole[1536:])
    (tmp_path / "no.tar").write_bytes(b"this is not a tar" * 100)
    (tmp_path / "no.zip").write_bytes(zip_of(FILES)[:-30])

    assert texts(loaded(tmp_path, "a.tar!/**/*.txt")) == {
        "good.txt": "good",
        "hard.txt": "good",
        "a.tar!/../up.txt": "error.unsafe_path",
        "a.tar!/soft.txt": "error.not_regular",
    }
    assert texts(loaded(tmp_path, "cut.tar!/*.txt")) == {
        "good.txt": "good",
        "cut.tar!/cut.txt": "error.truncated",
        "cut.tar": "error.truncated",
    }
    assert texts(loaded(tmp_path, "cut.tar.gz!/*.txt")) == {
        "g.txt": "g",
        "cut.tar.gz!/r.txt": "error.truncated",
        "cut.tar.gz": "error.truncated",
    }
    assert texts(loaded(tmp_path, "damaged.tar!/*.txt")) == {"good.txt": "good", "damaged.tar": "error.damaged"}
    assert texts(loaded(tmp_path, ["no.tar!/*.txt", "no.zip!/*.txt"])) == {
        "no.tar": "error.damaged",
        "no.zip": "error.damaged",
    }


def random_bytes(size: int) -> bytes:
    import random

    return random.Random(7).randbytes(size)


def test_bombs_are_refused_before_they_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound for each member, and one for a compressed tar as a whole."""
    monkeypatch.setattr(entries, "MIN_JUDGED_BYTES", 1 << 20)
    monkeypatch.setattr("corpusmill.crawlers.archives.tars.MIN_JUDGED_BYTES", 1 << 20)
    files = {"good.txt": b"good", "bomb.txt": bytes(8 << 20)}
    (tmp_path / "a.zip").write_bytes(zip_of(files))
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of(files)))

    for name, also in (("a.zip", {}), ("a.tar.gz", {"a.tar.gz": "error.too_large"})):
        rule = "error.truncated" if also else "error.too_large"
        assert texts(loaded(tmp_path, f"{name}!/*.txt")) == {"good.txt": "good", f"{name}!/bomb.txt": rule} | also
    copies = list((tmp_path / "scratch" / "archives").iterdir())
    assert sum(path.stat().st_size for path in copies) < 4 << 20


def test_a_large_compressed_member_is_read_at_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is decompressed once, to a copy, so that slices do not decompress what lies before them."""
    monkeypatch.setattr(members, "_STREAMED_BYTES", 1000)
    content = b"".join(b"%07d\n" % number for number in range(10_000))
    (tmp_path / "a.zip").write_bytes(zip_of({"big.txt": content}))

    with open_file(f"{tmp_path}/a.zip!/big.txt") as file:
        file.seek(79_992)
        assert file.read() == content[79_992:]
        file.seek(8)
        assert file.readline() == b"0000001\n"
    assert len(list((tmp_path / "scratch" / "archives").iterdir())) == 1


def test_names_keep_their_letters(tmp_path: Path) -> None:
    """Names in UTF-8 without the flag for it, and with backslashes, as some programs write them."""
    data = bytearray(zip_of({"d/ä.txt": b"x"}))
    for at in (6, data.index(b"PK\x01\x02") + 8):
        data[at : at + 2] = struct.pack("<H", struct.unpack("<H", data[at : at + 2])[0] & ~0x800)
    (tmp_path / "a.zip").write_bytes(bytes(data).replace(b"d/", b"d\\"))

    assert [entry.name for entry in entries_of(str(tmp_path / "a.zip"))] == ["d/ä.txt"]


@pytest.mark.parametrize("path", ["a.zip!/*.rst", "missing.zip!/*.txt", "a.zip!/b/"])
def test_a_pattern_without_members_is_an_error_with_a_hint(tmp_path: Path, path: str) -> None:
    """The hint shows what is there."""
    (tmp_path / "a.zip").write_bytes(zip_of(FILES))

    with pytest.raises(SourceError) as error:
        loaded(tmp_path, path)
    assert error.value.hint


def with_raw_names(names: list[bytes]) -> bytes:
    """Return a zip whose names are these bytes, without the flag of UTF-8, as Windows writes them."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for letter, name in zip("AB", names, strict=True):
            archive.writestr(letter * len(name), "text")
    result = data.getvalue()
    for letter, name in zip("AB", names, strict=True):
        result = result.replace(letter.encode() * len(name), name)
    return result


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("cp932", ["報告書/東京の資料.txt", "表示と機能について.txt"]),
        ("cp866", ["Отчёты/Москва и область.txt", "Погода вчера вечером.txt"]),
        ("cp437", ["Grüße.txt", "Fuß ball.txt"]),
        ("utf-8", ["Grüße.txt", "日本.txt"]),
    ],
)
def test_names_in_the_encoding_of_a_country_are_recognized(tmp_path: Path, codec: str, names: list[str]) -> None:
    """They are ids; a letter of Shift_JIS may contain a backslash, which is no folder."""
    (tmp_path / "a.zip").write_bytes(with_raw_names([name.encode(codec) for name in names]))

    assert set(texts(loaded(tmp_path, "a.zip!/**/*.txt"))) == set(names)


def test_members_that_share_bytes_are_set_aside(tmp_path: Path) -> None:
    """A zip of 180 kB can otherwise expand to terabytes, each member within all bounds."""
    data = zip_of({"a.txt": b"a" * 4000, "b.txt": b"b" * 4000, "c.txt": b"good"})
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data = data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]  # b begins where a does
    (tmp_path / "a.zip").write_bytes(data)

    found = texts(loaded(tmp_path, "a.zip!/*.txt"))

    assert found == {"a.zip!/a.txt": "error.too_large", "a.zip!/b.txt": "error.too_large", "c.txt": "good"}


def test_many_small_bombs_are_a_bomb(tmp_path: Path) -> None:
    """Each member stays below the size at which one alone is judged."""
    (tmp_path / "a.zip").write_bytes(zip_of({f"{name}.txt": b"0" * (30 << 20) for name in "abc"} | {"ok.txt": b"fine"}))

    found = texts(loaded(tmp_path, "a.zip!/*.txt"))

    assert found == {"ok.txt": "fine"} | {f"a.zip!/{name}.txt": "error.too_large" for name in "abc"}
