"""JSON that is not one object per line: arrays, arrays in a field, and consecutive values."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.loaders import json_values
from corpusmill.crawlers.loaders.jsonl import JsonLines
from tests.crawlers.loaders.reading import in_slices, rows

ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": 'A "quoted" [text] {with} brackets, and a backslash \\'},
    {"id": "2", "text": "Größe\n\u2028", "tags": [{"n": [1, 2]}, []], "empty": {}},
    {"id": "3", "text": "three"},
]
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text('a"\\{[]},: \n', max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("a]}", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def file_of(folder: Path, data: bytes) -> Path:
    path = folder / "x.json"
    path.write_bytes(data)
    return path


def texts(path: Path) -> list[tuple[str | None, str | None]]:
    return [(row["text"], row["rule"]) for row in rows(JsonLines(), path)]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps(ROWS, indent=2).replace("\n", "\r\n"),
        "\ufeff \n" + json.dumps(ROWS, ensure_ascii=False),
        "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
        "[\n" + "\n,".join(map(json.dumps, ROWS)) + "]",
        json.dumps({"data": ROWS}),
        json.dumps({"data": ROWS}, indent=1),
        json.dumps({"version": 1, "about": {"text": "no"}, "tags": ["x"], "rows": ROWS, "next": None}),
        json.dumps({"version": 1, "about": {"n": [{}]}, "rows": ROWS, "next": "[{"}, indent=4),
        json.dumps(ROWS[:1]) + "\n" + json.dumps(ROWS[1:]),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        "\n".join(map(json.dumps, ROWS)),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize("read_bytes", [7, 1 << 20])
def test_the_records_are_the_same_as_in_json_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, pack: Callable[[bytes], bytes], read_bytes: int
) -> None:
    """White space has no meaning in JSON, so the layout of a file must not change its records."""
    lines = file_of(tmp_path, b"".join(json.dumps(row).encode() + b"\n" for row in ROWS))
    expected = [{**row, "offset": None, "length": None} for row in rows(JsonLines(), lines)]
    path = file_of(tmp_path, pack(content.encode()))
    monkeypatch.setattr(json_values, "_READ_BYTES", read_bytes)

    (piece,) = JsonLines().slices(str(path))

    records = rows(JsonLines(), path, start=piece[0], end=piece[1])
    assert [{**row, "offset": None, "length": None} for row in records] == expected


@given(elements=st.lists(values, max_size=5), indent=st.sampled_from([None, 1]), data=st.data())
def test_slices_give_what_the_whole_array_gives(elements: list[Any], indent: int | None, data: st.DataObject) -> None:
    """Each element belongs to one slice, independent of the cuts, and has the right offset and length."""
    content = json.dumps([{"text": "first"}, *elements], indent=indent).encode()
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = file_of(Path(folder), content)

        whole = rows(JsonLines(), path)

        assert in_slices(JsonLines(), path, sorted([0, *cuts, len(content)])) == whole
        assert len(whole) == 1 + len(elements)
        for row, element in zip(whole[1:], elements, strict=True):
            assert json.loads(content[row["offset"] : row["offset"] + row["length"]]) == element


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        ('[{"text": "a"}, {"text": "b"', [None, "error.truncated"]),
        ('[{"text": "a"}, {"text": "b', [None, "error.truncated"]),
        ('[{"text": "a"}', [None, "error.truncated"]),
        ('[{"text": "a"} {"text": "b"}]', [None, "error.not_json"]),
        ('[{"text": "a"},]', [None, "error.not_json"]),
        ('[{"text": "a"}, [1], "x", 7, null]', [None, *["error.not_json"] * 4]),
        ('[{"text": "a"}, {"text": 1}, {text: 2}]', [None, "error.no_text", "error.not_json"]),
        ('[{"text": "a"}] and more', [None, "error.not_json", "error.not_json"]),
        ('{"data": [{"text": "a"}, {"text": "b"', [None, "error.truncated"]),
        ('{\n"data": [\n{"text": "a"}\n] "more": 1}', [None, "error.not_json"]),
        ("[]", []),
        ("[\n]\n", []),
        ('["a", "b"]', ["error.not_json"]),
    ],
)
def test_the_unreadable_rest_of_a_file_is_one_row(tmp_path: Path, content: str, rules: list[str]) -> None:
    """The records before the damage are read, and the damage is reported."""
    assert [row["rule"] for row in rows(JsonLines(), file_of(tmp_path, content.encode()))] == rules


@pytest.mark.parametrize(
    "lines",
    [
        ['{"tags": [{"n": 1}], "text": "one"}'],
        ['{"tags": [{"n": 1}], "text": "one"}', '{"tags": [{"n": 1}]}'],
        ['{"data": [{"text": "no"}]}', '{"text": "one"}'],
        ['{"data": [1, 2]}'],
        ["[1]", '{"text": "one"}'],
        ['{"text": ', '{"text": "one"}'],
    ],
)
def test_lines_stay_lines(tmp_path: Path, lines: list[str]) -> None:
    """A record can contain arrays of objects, and a line can be invalid; neither changes the form of the file."""
    assert len(rows(JsonLines(), file_of(tmp_path, "\n".join(lines).encode()))) == len(lines)


def test_an_element_that_is_too_large_is_only_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not be kept in memory, and the elements after it are read."""
    monkeypatch.setattr(json_values, "MAX_VALUE_BYTES", 100)
    monkeypatch.setattr(json_values, "_READ_BYTES", 16)
    long = '{"text": "' + "x" * 200 + '"}'

    assert texts(file_of(tmp_path, f'[{{"text": "a"}}, {long}, {{"text": "b"}}]'.encode())) == [
        ("a", None),
        (None, "error.too_large"),
        ("b", None),
    ]


@pytest.mark.parametrize(
    ("pack", "ends"), [pytest.param(open, ('{"data": [', "]}"), marks=pytest.mark.slow), (gzip.open, ("[", "]"))]
)
def test_an_array_of_200_mb_in_one_line_takes_little_memory(
    tmp_path: Path, pack: Callable[[Path, str], Any], ends: tuple[str, str]
) -> None:
    """The array must not be loaded as a whole."""
    path = tmp_path / "long.json"
    element = json.dumps({"text": "words " * 3000}).encode()
    with pack(path, "wb") as file:
        file.write(ends[0].encode() + element)
        for _ in range(11_000):
            file.write(b"," + element)
        file.write(ends[1].encode())
    script = (
        "import resource, sys; from corpusmill.crawlers.loaders.jsonl import JsonLines\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); rows = sum(b.num_rows for b in JsonLines().read(sys.argv[1], name=''))\n"
        "print(rows, (peak() - before) // 1024)"
    )

    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    count, mebibytes = map(int, result.stdout.split())
    assert count == 11_001
    assert mebibytes < 160
