"""JSON Lines: every line becomes a record or an error, independent of the slices."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.loaders import jsonl
from corpusmill.crawlers.loaders.frame_index import frame_index
from corpusmill.crawlers.loaders.jsonl import MAX_DIGITS, JsonLines
from corpusmill.crawlers.loaders.rows import MAX_DEPTH
from corpusmill.schemas.errors import DamagedFileError
from tests.crawlers.loaders.reading import in_slices, rows, samples

LINE = b'{"id": "a", "text": "one"}\n'
lines = st.lists(
    st.one_of(
        st.builds(
            lambda text: json.dumps({"text": text}, ensure_ascii=False).encode(),
            st.text(max_size=8).filter(str.isascii),
        ),
        st.sampled_from([b"", b"  ", b"no json", b"[1]", b"\xff", b'{"text": 1}', b'{"id": 7, "text": "\\u00e9"}']),
    ),
    max_size=12,
)


def file_of(folder: Path, data: bytes, name: str = "x.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@given(lines=lines, end=st.sampled_from([b"\n", b"\r\n"]), ends=st.booleans(), data=st.data())
def test_slices_give_what_the_whole_file_gives(lines: list[bytes], end: bytes, ends: bool, data: st.DataObject) -> None:
    """Each record belongs to one slice, independent of where the file is cut."""
    content = end.join(lines) + (end if ends else b"")
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(Path(folder), content)

        whole = rows(JsonLines(), path)

        assert in_slices(JsonLines(), path, sorted([0, *cuts, len(content)])) == whole
        assert len(whole) == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"text": ', "error.not_json"),
        (b"[1, 2]", "error.not_json"),
        (b'{"text": "a", "n": NaN}', "error.not_json"),
        (b'{"text": "a", "n": 1e999}', "error.not_json"),
        (b"[" * 100_000, "error.too_deep"),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "error.not_json"),
        (b'{"title": "a"}', "error.no_text"),
        (b'{"text": null}', "error.no_text"),
        (b'{"text": 17}', "error.no_text"),
        (b'{"text": "\xff"}', "error.encoding"),
        (b'{"text": "\\ud800"}', "error.encoding"),
        (b'{"text": "a", "id": "\\ud83d"}', "error.encoding"),
    ],
)
def test_a_bad_line_is_set_aside_and_the_others_are_read(tmp_path: Path, line: bytes, rule: str) -> None:
    """A bad line must not affect other records."""
    path = file_of(tmp_path, LINE + line + b"\n" + LINE.replace(b"one", b"two"))

    offered = rows(JsonLines(), path)

    assert [row["rule"] for row in offered] == [None, rule, None]
    assert [row["text"] for row in offered] == ["one", None, "two"]


@pytest.mark.parametrize(
    ("field", "metadata"),
    [
        ('"note": "\\ud83d"', {"note": "\ufffd"}),
        ('"note": {"deep": ["x\\udc00y"]}', {"note": '{"deep":["x\ufffdy"]}'}),
        ('"\\udfff": "b"', {"\ufffd": "b"}),
        ('"note": "\\ud83d\\ude00"', {"note": "\U0001f600"}),
    ],
)
def test_a_lone_surrogate_in_another_field_is_replaced(tmp_path: Path, field: str, metadata: dict[str, str]) -> None:
    """Programs that cut text by UTF-16 units leave halves of emoji in unimportant fields."""
    path = file_of(tmp_path, f'{{"text": "one", "title": "T\\ud83d", {field}}}'.encode())

    (row,) = rows(JsonLines(), path)

    assert (row["rule"], row["text"], row["title"], row["metadata"]) == (None, "one", "T\ufffd", metadata)


def test_rows_are_the_objects_as_they_stand_in_the_file(tmp_path: Path) -> None:
    """Nulls and nested values stay; a record without text is a row, and one that cannot be parsed has a rule."""
    lines = [
        b'{"text": null, "n": {"a": [1, null]}}',
        b"[1]",
        b'{"text": "\\ud800"}',
        b'{"text": "a", "note": "\\ud800"}',
        b'{"text": "b\xff"}',
    ]
    path = file_of(tmp_path, b"\n".join(lines))

    read = list(JsonLines().rows(str(path)))

    values = [{"text": None, "n": {"a": [1, None]}}, None, None, {"text": "a", "note": "\ufffd"}, None]
    assert [row.value for row in read] == values
    rules = [None, "error.not_json", "error.encoding", None, "error.encoding"]
    assert [row.rule for row in read] == rules
    assert [row.offset for row in read] == [sum(len(line) + 1 for line in lines[:number]) for number in range(5)]
    middle = read[2].offset
    slices = [*JsonLines().rows(str(path), end=middle), *JsonLines().rows(str(path), start=middle)]
    assert slices == read


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "1", "body": "Words.", "n": 3}', "has no field `text`; text fields: `body`, `id`; other fields: `n`"),
        (
            b'{"text": 17, "html": "<p>"}',
            "field `text` is a number, not text; text fields: `html`; other fields: `text`",
        ),
        (b"{}", "has no field `text`; it has no fields"),
    ],
)
def test_the_message_for_missing_text_lists_the_fields(tmp_path: Path, line: bytes, message: str) -> None:
    """A user who forgot `text_field` can choose one of them."""
    assert [row["message"] for row in rows(JsonLines(), file_of(tmp_path, line))] == [message]


def called_deeply(frames: int, path: Path) -> list[dict[str, Any]]:
    return called_deeply(frames - 1, path) if frames else rows(JsonLines(), path)


@pytest.mark.parametrize("frames", [0, 400])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"[\\\\\\"{": ', "}")])
def test_the_depth_limit_does_not_depend_on_the_stack(tmp_path: Path, opens: str, closes: str, frames: int) -> None:
    """Accepted rows decide the version id, and engines call a loader at different stack depths."""
    lines = [f'{{"text": "a", "deep": {opens * deep}1{closes * deep}}}\n' for deep in (MAX_DEPTH - 1, MAX_DEPTH)]
    path = file_of(tmp_path, "".join(lines).encode())

    assert [row["rule"] for row in called_deeply(frames, path)] == [None, "error.too_deep"]


def test_only_nested_brackets_count_for_the_depth(tmp_path: Path) -> None:
    """Brackets next to each other or in strings are harmless."""
    path = file_of(tmp_path, json.dumps({"text": '\\"[{' * 99 + "\\", "wide": [[]] * 99}).encode())

    assert [row["rule"] for row in rows(JsonLines(), path)] == [None]


@pytest.mark.parametrize("setting", ["640", "4300", "0"])
def test_the_limit_of_digits_does_not_depend_on_settings(tmp_path: Path, setting: str) -> None:
    """An environment variable must not change a version."""
    lines = [f'{{"text": "a", "n": -{"9" * digits}}}\n' for digits in (MAX_DIGITS, MAX_DIGITS + 1)]
    path = file_of(tmp_path, "".join(lines).encode())
    script = (
        "import sys; from corpusmill.crawlers.loaders.jsonl import JsonLines\n"
        "print([r for b in JsonLines().read(sys.argv[1], name='') for r in b['rule'].to_pylist()])"
    )
    environ = {**os.environ, "PYTHONINTMAXSTRDIGITS": setting}

    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, env=environ)

    assert result.stdout == "[None, 'error.not_json']\n", result.stderr


def test_a_text_above_the_bound_is_too_large(tmp_path: Path) -> None:
    """A batch has at most 32 MB, so a larger text does not fit."""
    path = file_of(tmp_path, json.dumps({"id": 1, "text": "a" * 32_000_001}).encode() + b"\n" + LINE)

    offered = rows(JsonLines(), path)

    assert [(row["source_id"], row["rule"]) for row in offered] == [("1", "error.too_large"), ("a", None)]


def test_a_long_line_is_hashed_without_keeping_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is too large to parse still has an id that depends on its content."""
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(jsonl, "_READ_BYTES", 16)
    long = b'{"text": "' + b"x" * 200 + b'"}'
    path = file_of(tmp_path, LINE + long + b"\n" + LINE)

    offered = rows(JsonLines(), path)

    assert [row["rule"] for row in offered] == [None, "error.too_large", None]
    assert offered[1]["record_sha256"] == hashlib.sha256(long).hexdigest()


def test_reading_a_line_of_200_mb_takes_bounded_memory(tmp_path: Path) -> None:
    """A hostile line must not exhaust the worker's memory."""
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(LINE + b'{"text": "')
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + LINE)
    script = (
        "import resource, sys; from corpusmill.crawlers.loaders.jsonl import JsonLines\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); rules = [r for b in JsonLines().read(sys.argv[1], name='') for r in b['rule'].to_pylist()]\n"
        "print(rules, (peak() - before) // 1024)"
    )

    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    rules, mebibytes = result.stdout.rsplit(maxsplit=1)
    assert rules == "[None, 'error.too_large', None]"
    assert int(mebibytes) < 160


def pack_gzip(data: bytes) -> bytes:
    return gzip.compress(data[:30]) + gzip.compress(data[30:])


def pack_zstd(data: bytes) -> bytes:
    params = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(
        compression_params=params
    ).compressobj()  # no content size, as when compressing a pipe
    return packer.compress(data[:50]) + packer.flush() + zstandard.compress(data[50:])


def pack_bzip2(data: bytes) -> bytes:
    return bz2.compress(data[:30]) + bz2.compress(data[30:])


def pack_xz(data: bytes) -> bytes:
    return lzma.compress(data[:30]) + bytes(8) + lzma.compress(data[30:], preset=9) + bytes(4)


@pytest.mark.parametrize("pack", [pack_gzip, pack_zstd, pack_bzip2, pack_xz])
def test_a_compressed_file_has_the_same_records(tmp_path: Path, pack: object) -> None:
    """Files can have several members or frames, and windows as long as those of large public dumps."""
    data = b"".join(json.dumps({"id": i, "text": f"text {i}"}).encode() + b"\n" for i in range(5000))
    plain, packed = file_of(tmp_path, data), file_of(tmp_path, pack(data), "y.json.gz")  # type: ignore[operator]

    assert JsonLines().slices(str(packed)) == [(0, -1)]
    assert rows(JsonLines(), packed) == rows(JsonLines(), plain)


def bgzip(data: bytes) -> bytes:
    """Compress *data* in blocks as bgzip does; an empty block marks the end."""
    blocks = []
    for start in [*range(0, len(data), 30_000), len(data)]:
        piece = data[start : start + 30_000]
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(piece) + packer.flush()
        head = struct.pack("<4sIBBHBBHH", b"\x1f\x8b\x08\x04", 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
        blocks.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join(blocks)


def zstd_frames(data: bytes) -> bytes:
    """Compress *data* in frames, as parallel tools do, with skippable frames between them."""
    packer = zstandard.ZstdCompressor(write_checksum=True)
    frames = [packer.compress(data[start : start + 300_000]) for start in range(0, len(data), 300_000)]
    return (struct.pack("<II", 0x184D2A50, 5) + b"hello").join([b"", *frames])


DOCUMENTS = b"".join(
    json.dumps({"id": i, "text": hashlib.sha256(b"%d" % i).hexdigest() * (i % 60)}).encode() + b"\n" * (1 + i % 3)
    for i in range(2000)
)


@pytest.mark.parametrize("pack", [bgzip, zstd_frames])
def test_a_compressed_file_with_frames_has_many_slices(
    tmp_path: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices begin at frames; a line across frames belongs to one slice; every cut gives the same records."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.base.MAX_SLICE_BYTES", 320_000)
    packed, plain = file_of(tmp_path, pack(DOCUMENTS), "x.json"), file_of(tmp_path, DOCUMENTS)

    slices = JsonLines().slices(str(packed))

    assert len(slices) >= 6
    assert [end for _, end in slices] == [*(start for start, _ in slices[1:]), len(DOCUMENTS)]
    whole = rows(JsonLines(), plain)
    assert rows(JsonLines(), packed) == whole
    assert in_slices(JsonLines(), packed, [start for start, _ in slices] + [len(DOCUMENTS)]) == whole
    for cut in (1, 299_999, 300_000, 300_001, len(DOCUMENTS) - 1):
        assert in_slices(JsonLines(), packed, [0, cut, len(DOCUMENTS)]) == whole


@pytest.mark.parametrize("pack", [bgzip, zstd_frames])
@pytest.mark.parametrize("change", [lambda data: data[:-3], lambda data: data + b"x", lambda data: data[5:]])
def test_a_file_with_inconsistent_frames_has_no_index(
    tmp_path: Path, pack: Callable[[bytes], bytes], change: Callable[[bytes], bytes]
) -> None:
    """Such a file is read as one stream, which reports the damage."""
    path = file_of(tmp_path, change(pack(DOCUMENTS)))

    assert frame_index(str(path)) is None
    assert JsonLines().slices(str(path))[0][0] == 0


@pytest.mark.parametrize("pack", [bgzip, zstd_frames])
def test_damage_in_one_frame_affects_only_its_slice(
    tmp_path: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later slices are read, and one row reports the lost part."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.base.MAX_SLICE_BYTES", 320_000)
    packed = bytearray(pack(DOCUMENTS))
    path = file_of(tmp_path, bytes(packed))
    index = frame_index(str(path))
    slices = JsonLines().slices(str(path))
    assert index is not None
    damage = index.frame_at(slices[2][1] - 1)[0] + 200  # in the last frame of the third slice
    packed[damage : damage + 50] = bytes(50)
    path.write_bytes(packed)

    offered = [rows(JsonLines(), path, start=start, end=end) for start, end in slices]

    rules = [[row["rule"] for row in part if row["rule"]] for part in offered]
    assert rules[2].count("error.truncated") == 1
    assert rules[:2] + rules[4:] == [[]] * (len(slices) - 2)
    assert rules[3] in ([], ["error.not_json"])
    assert sum(map(len, offered)) > 1500


def test_a_compressed_file_that_was_truncated_after_loading_is_an_error(tmp_path: Path) -> None:
    """The planned slices no longer match the file."""
    path = file_of(tmp_path, zstd_frames(DOCUMENTS))
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(DamagedFileError, match="frames of the file have changed"):
        rows(JsonLines(), path, start=300_000, end=600_000)


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.compress, partial(bz2.compress, compresslevel=1), lzma.compress]
)
def test_the_complete_lines_of_a_truncated_stream_are_read(tmp_path: Path, pack: object) -> None:
    """The damage is one record, whose id is the hash of the file."""
    data = b"".join(
        json.dumps({"id": i, "text": hashlib.sha256(b"%d" % i).hexdigest()}).encode() + b"\n" for i in range(9000)
    )
    packed = pack(data)  # type: ignore[operator]
    path = file_of(tmp_path, packed[: len(packed) * 2 // 3])

    offered = rows(JsonLines(), path)

    assert [row["source_id"] for row in offered[:-1]] == [str(i) for i in range(len(offered) - 1)]
    assert len(offered) > 3000
    assert offered[-1]["rule"] == "error.truncated"
    assert offered[-1]["source_id"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_trailing_zeros_of_a_gzip_file_are_padding(tmp_path: Path) -> None:
    """Block stores pad files with zeros, which gzip ignores."""
    path = file_of(tmp_path, gzip.compress(LINE) + bytes(50_000))

    assert [row["rule"] for row in rows(JsonLines(), path)] == [None]


def test_output_beyond_the_buffer_is_not_lost_at_the_end(tmp_path: Path) -> None:
    """The last bytes of a stream can expand to megabytes."""
    path = file_of(tmp_path, gzip.compress(b'{"text": "' + b"a" * 5_000_000 + b'"}'))

    assert [len(row["text"]) for row in rows(JsonLines(), path)] == [5_000_000]


def test_known_fields_describe_the_document_and_others_are_metadata(tmp_path: Path) -> None:
    """Only long values are dropped."""
    row = {
        **{"text": "t", "id": "n1", "title": "T", "url": "https://a.example/", "license": "CC BY 4.0"},
        **{"date": "2020-03-29T09:04:10Z", "stars": 3, "ok": True, "nested": {"b": [1], "a": None}, "long": "x" * 5000},
    }
    path = file_of(tmp_path, json.dumps(row).encode())

    offered = rows(JsonLines(), path)[0]

    assert (offered["source_id"], offered["title"], offered["url"]) == ("n1", "T", "https://a.example/")
    assert (offered["license"], offered["license_source"]) == ("CC-BY-4.0", "field:license")
    assert offered["published_at"] == datetime(2020, 3, 29, 9, 4, 10, tzinfo=UTC)
    assert offered["metadata"] == {"nested": '{"b":[1]}', "ok": "true", "stars": "3"}


def test_an_unknown_license_stays_in_the_metadata(tmp_path: Path) -> None:
    """The column `license` has an SPDX expression or null, but the original value is kept."""
    path = file_of(tmp_path, b'{"text": "t", "license": "see the back cover"}')

    offered = rows(JsonLines(), path)[0]

    assert (offered["license"], offered["metadata"]) == (None, {"license": "see the back cover"})


def test_the_id_of_a_record_without_one_is_its_hash(tmp_path: Path) -> None:
    """An id must not depend on the position: the same records in another order have the same ids."""
    one, two = b'{"text": "one", "n": null}\n', b'{"text":"two"}\n'
    path, reverse = file_of(tmp_path, one + two), file_of(tmp_path, two + one, "reverse.jsonl")

    assert {row["source_id"] for row in rows(JsonLines(), path)} == {
        row["source_id"] for row in rows(JsonLines(), reverse)
    }
    assert rows(JsonLines(), path)[0]["source_id"] == hashlib.sha256(b'{"text":"one"}').hexdigest()


def test_every_sample_is_read() -> None:
    """The samples are real files, compressed with gzip and zstd."""
    for path in samples("jsonl"):
        assert rows(JsonLines(), path)
