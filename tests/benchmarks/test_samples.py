"""The table of sample files."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from benchmarks.loaders.samples import PAGE, rows_of


def test_a_row_says_what_a_file_gives(tmp_path: Path) -> None:
    """Documents, records that are set aside, and files that are refused, are told apart, and no folder is named."""
    files = {
        "jsonl/good.jsonl": b'{"text": "one"}\n{"text": "two"}\n{broken\n',
        "wikipedia/wrong.xml.bz2": gzip.compress(b"cut off")[:-9],
        "sitemap/list.xml": b"https://example.org/a\nhttps://example.org/b\n",
        "robots/example.org": b"User-agent: *\nDisallow: /\n",
        "robots/example.net": "User-agent: *\n".encode("utf-16")[2:] + b"\x00\xff\x00",
        "new/file.xyz": b"?",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)

    rows = {row.split("`")[1]: row for row in rows_of(tmp_path)}

    assert rows["jsonl/good.jsonl"].startswith("| `jsonl/good.jsonl` | `jsonl` | 2 | – | 1 `error.not_json`")
    assert rows["wikipedia/wrong.xml.bz2"].startswith("| `wikipedia/wrong.xml.bz2` | `wikipedia` | 0 | – | 1 `error.")
    assert "2 pages and 0 sitemaps" in rows["sitemap/list.xml"]
    assert "(2 files)" in rows["robots/*"]
    assert "no format for this folder" in rows["new/file.xyz"]
    assert str(tmp_path) not in "".join(rows.values())


def test_the_page_lists_every_sample_file() -> None:
    """A file that is added to the samples gets a row."""
    shared = os.environ.get("CORPUSMILL_SHARED")
    root = Path(shared or "/nonexistent") / "data" / "samples"
    if not root.is_dir():
        pytest.skip("no sample files: set CORPUSMILL_SHARED")
    page = PAGE.read_text(encoding="utf-8")
    names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    robots = [name for name in names if name.startswith("robots/")]

    assert f"`robots/*` ({len(robots)} files)" in page
    assert [name for name in names if name not in robots and f"| `{name}` |" not in page] == []
