"""Reading evaluation sets: forms, columns, and why a file is refused."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill.pipelines.stages.decontaminate import files
from corpusmill.pipelines.stages.decontaminate.files import UnreadableError, entries

RECORDS = [
    {"id": 7, "question": "What is it?", "choices": ["a stone", "a tree"], "meta": {"url": "https://example.org/x y"}},
    {"id": 8, "question": "Who was it?", "choices": [], "meta": {"url": "https://example.org/x"}},
]
LINES = b"\n".join(json.dumps(record).encode() for record in RECORDS)


def texts(data: bytes, *columns: str) -> list[tuple[int, str, str]]:
    read = entries(data, file="f", columns=columns or None)
    return [(entry.record, entry.field, entry.text) for entry in read]


def parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        b"\xef\xbb\xbf" + LINES + b"\n\n",
        LINES.replace(b"\n", b"\r\n"),
        gzip.compress(LINES[:99]) + gzip.compress(LINES[99:]),
        zstandard.compress(LINES[:99]) + zstandard.compress(LINES[99:]),
        json.dumps(RECORDS, indent=1).encode(),
        parquet(RECORDS),
    ],
    ids=["lines", "mark", "crlf", "gzip", "zstd", "array", "parquet"],
)
def test_all_forms_have_the_same_texts(data: bytes) -> None:
    """Evaluation sets are published in all of them; an address alone is no text."""
    assert texts(data) == [
        (1, "question", "What is it?"),
        (1, "choices.0", "a stone"),
        (1, "choices.1", "a tree"),
        (1, "meta.url", "https://example.org/x y"),
        (2, "question", "Who was it?"),
    ]


def test_columns_lead_into_nested_fields() -> None:
    """Chats and choices are lists of objects."""
    data = json.dumps({"turns": [{"role": "user", "content": "Hello you"}, {"role": "x"}], "n": {"a": "b"}}).encode()

    assert texts(data, "turns.content", "n") == [(1, "turns.content", "Hello you"), (1, "n.a", "b")]


def test_records_are_numbered_by_line() -> None:
    """A reader of the hits goes to this line."""
    assert texts(b'\n{"a": "x"}\n \n{"a": "y"}\n') == [(2, "a", "x"), (4, "a", "y")]


@pytest.mark.parametrize(
    ("data", "columns", "message", "hint"),
    [
        (b"", (), "the file has no text", "name a file with records"),
        (b'{"n": 1}\n', (), "the file has no text", "columns: n"),
        (b'{"n": 1}\n', ("n",), "the column `n` has no text", "columns: n"),
        (LINES, ("questions",), "no record has the column `questions`", "did you mean `question`?"),
        (LINES, ("meta.link",), "no record has the column `meta.link`", "columns: id, question"),
        (b'{"a": "b"}\n{"a": \n', (), "line 2: not JSON", "JSON Lines"),
        (b'{"a": "\xff"}', (), "line 1: not UTF-8", "JSON Lines"),
        (b"[" * 100_000, (), "not JSON", "JSON Lines"),
        (b'{"a": "b"}\n"c"\n', (), "record 2 is not an object, but `c`", '{"text": "…"}'),
        (b"PAR1 and so on", (), "not a readable Parquet file", "copy it again"),
        (gzip.compress(LINES)[:-20], (), "cannot be decompressed", "copy it again"),
        (zstandard.compress(LINES)[:-20], (), "cannot be decompressed", "copy it again"),
    ],
)
def test_unusable_files_are_refused(data: bytes, columns: tuple[str, ...], message: str, hint: str) -> None:
    """A set that is read as empty would let everything pass."""
    with pytest.raises(UnreadableError) as caught:
        texts(data, *columns)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.column == (0 if columns else None)


def test_a_bomb_is_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can hold terabytes of zeros."""
    monkeypatch.setattr(files, "MAX_BYTES", 1000)

    for data in (gzip.compress(bytes(10_000)), zstandard.compress(bytes(10_000))):
        with pytest.raises(UnreadableError, match="larger than 1,000 bytes"):
            texts(data)
