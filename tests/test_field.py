"""The reported faults of `../shared/data/field`: each input is run as its user would run it, and read right.

The inputs lie outside the project. Tests of further inputs of the same kinds, which need nothing else, are beside the
code that reads them: `tests/schemas/decoding`, `tests/crawlers`, `tests/pipelines/stages`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.command import main

FIELD = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[2] / "shared")) / "data/field"

pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason=f"no {FIELD}: set CORPUSMILL_SHARED")


@dataclass(frozen=True)
class Run:
    """What a run of a case printed and left behind."""

    code: int
    result: dict[str, Any]
    err: str
    workspace: Path

    def documents(self) -> list[dict[str, Any]]:
        return [row for row in self._rows("train", "validation", "test") if "text" in row]

    def texts(self) -> list[str]:
        return [row["text"] for row in self.documents()]

    def text(self) -> str:
        (text,) = self.texts()
        return text

    def by_name(self) -> dict[str, dict[str, Any]]:
        return {Path(row["source_id"]).name: row for row in self.documents()}

    def rules(self) -> Counter[str]:
        return Counter(row["rule"] for row in self._rows("ledger"))

    def refused(self) -> list[dict[str, Any]]:
        """Return the rows of the crawl's ledger."""
        files = sorted((self.workspace / "raw").rglob("ledger-*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def _rows(self, *folders: str) -> list[dict[str, Any]]:
        version = Path(self.result["path"])
        files = [file for folder in folders for file in sorted(version.rglob(f"{folder}*/**/*.parquet"))]
        files += [file for folder in folders for file in sorted(version.rglob(f"{folder}*.parquet"))]
        return [row for file in dict.fromkeys(files) for row in pq.read_table(file).to_pylist()]


def run(case: str, tmp_path: Path, *options: str, port: int | None = None) -> Run:
    """Run the recipe of *case* in a copy of its folder."""
    (source,) = FIELD.glob(f"{case}-*")
    folder = tmp_path / "case"
    shutil.copytree(source, folder)
    if port is not None:
        recipe = folder / "recipe.yaml"
        recipe.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", recipe.read_text()))
    workspace = tmp_path / "corpus"
    arguments = ["run", "recipe.yaml", "--json", "--workers", "0", "--workspace", str(workspace), *options]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code(arguments)
    lines = out.getvalue().splitlines()
    return Run(code, json.loads(lines[-1]) if lines else {}, err.getvalue(), workspace)


def exit_code(arguments: list[str]) -> int:
    """Run the command in this process: starting one for each case would take longer than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as end:
            main(arguments)
    return int(end.value.code or 0)


@contextmanager
def site(case: str) -> Iterator[int]:
    """Start the web site of *case* on a free port and yield the port."""
    (folder,) = FIELD.glob(f"{case}-*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(folder / "server.py"), str(port)])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def test_01_a_script_does_not_change_the_encoding_of_a_page(tmp_path: Path) -> None:
    """The letters of a script are no text, so the guess must not look at them."""
    pages = run("01", tmp_path).by_name()

    for encoding, beginning in (("cp1251", "Каждую субботу"), ("gbk", "近年来"), ("sjis", "図書館は")):
        plain, scripted = pages[f"{encoding}-no-script.html"]["text"], pages[f"{encoding}-script.html"]["text"]
        assert beginning in plain
        assert plain == scripted


def test_02_old_text_files_are_read_in_their_encoding(tmp_path: Path) -> None:
    """Other letters than the author's are never right."""
    texts = {name: row["text"] for name, row in run("02", tmp_path).by_name().items()}

    assert "£5" in texts["pound.txt"]
    assert "The café costs £5." in texts["cafe.txt"]
    assert "it’s" in texts["apostrophe.txt"]
    assert "naïve, isn’t it?" in texts["long-en.txt"]
    assert "façade" in texts["long-en.txt"]
    assert "På söndag" in texts["long-sv.txt"]
    assert "maçãs. Não" in texts["long-pt.txt"]
    assert "così è più bello" in texts["long-it.txt"]


def test_03_a_number_names_a_record_however_it_is_written(tmp_path: Path) -> None:
    """5.0 and 5 are one number in JSON."""
    names = [row["source_id"] for row in run("03", tmp_path).documents()]

    assert {"5", "7"} <= set(names)
    assert len(names) == 4


@pytest.mark.parametrize(("case", "documents"), [("04", 3), ("05", 2)])
def test_04_05_heads_of_warc_records_are_read_as_they_occur(case: str, documents: int, tmp_path: Path) -> None:
    """Field names in any case, lines that end in LF."""
    result = run(case, tmp_path)

    assert len(result.texts()) == documents
    assert not result.rules()


def test_06_every_member_of_a_compressed_body_is_read(tmp_path: Path) -> None:
    """The text must not end where the first gzip member does."""
    (text,) = run("06", tmp_path).texts()

    assert len([line for line in text.splitlines() if line.strip()]) == 2


def test_07_only_a_day_of_publication_is_one(tmp_path: Path) -> None:
    """The days of comments, other articles, events and sentences are about something else."""
    rows = run("07", tmp_path).by_name()

    days = {name: row["published_at"] and row["published_at"].date() for name, row in rows.items()}
    bylined = ("comment.html", "smallest.html", "sidebar.html", "event.html")
    assert days == {
        **dict.fromkeys(bylined, date(2018, 8, 27)),
        **dict.fromkeys(("future-prose.html", "past-prose.html", "modified-only.html")),
    }
    assert "2017-11-27" in str(rows["modified-only.html"]["metadata"])


@pytest.mark.parametrize(
    ("case", "present", "absent"),
    [
        ("08", ("3×10⁶ euros", "2¹⁰ of which"), ("3×106", "about 210")),
        ("09", ("この図書館は", "朗読会を"), ("しょ館",)),
        ("10", ("I have waited two years",), ("said I have",)),
        ("11", ("Membership stays free",), ("Ignore this", "We use cookies", "Cheap pills")),
        ("12", ("Quickstart for Python", "Quickstart for .NET", "Quickstart for Java"), ()),
    ],
)
def test_08_to_12_markup_that_carries_meaning(
    case: str, present: tuple[str, ...], absent: tuple[str, ...], tmp_path: Path
) -> None:
    """Exponents, readings, quotation marks, hidden text, and a list that ends a sentence."""
    text = run(case, tmp_path).text()

    assert [part for part in present if part not in text] == []
    assert [part for part in absent if part in text] == []


def test_13_a_redirect_to_another_spelling_is_followed(tmp_path: Path) -> None:
    """The canonical address names the document; it is not the address that was asked for."""
    with site("13") as port:
        result = run("13", tmp_path, port=port)

    assert len(result.texts()) == 8
    assert not result.refused()


def test_14_location_is_read_as_browsers_read_it(tmp_path: Path) -> None:
    """Raw UTF-8, and any number of slashes in front of the host."""
    with site("14") as port:
        result = run("14", tmp_path, port=port)

    names = [row["source_id"] for row in result.documents()]
    elsewhere = [*names, *(row["url"] for row in result.refused())]
    assert any(name.endswith("/%DA%A9%D9%88%D9%87") for name in names)
    assert any(re.fullmatch(r"http://localhost:\d+/other-host", name) for name in elsewhere)
    assert not any("127.0.0.1" in name and "other-host" in name for name in elsewhere)


def test_15_compressed_answers_are_read_whole(tmp_path: Path) -> None:
    """Two members, no trailer, no zlib wrapper."""
    with site("15") as port:
        result = run("15", tmp_path, port=port)

    pages = [row["text"] for row in result.documents() if not row["source_id"].endswith("/")]
    assert len(pages) == 3
    assert [sum(bool(line.strip()) for line in text.splitlines()) >= 2 for text in pages] == [True] * 3


def test_16_near_duplicates_are_found_in_scripts_without_spaces(tmp_path: Path) -> None:
    """One of each pair, in English, Chinese and Japanese."""
    result = run("16", tmp_path)

    assert len(result.texts()) == 3
    assert list(result.rules().items()) == [("near_dedup.duplicate", 3)]


def test_17_right_letters_stay_and_escapes_go_whole(tmp_path: Path) -> None:
    """A lone letter is no evidence of a wrong encoding."""
    assert sorted(run("17", tmp_path).texts()) == ["A letra Ã é nasal", "red text", "Â é uma letra"]


def test_18_ids_that_begin_again_are_a_warning(tmp_path: Path) -> None:
    """Half of the data must not go with no more than a row in the ledger."""
    result = run("18", tmp_path, "--strict")

    assert result.code == 4
    assert any("id_from" in warning for warning in result.result["warnings"])


def test_19_an_array_of_records_is_read(tmp_path: Path) -> None:
    """As Scrapy's feed export writes it."""
    result = run("19", tmp_path)

    assert sorted(result.texts()) == ["five", "four", "one", "three", "two"]
    assert not result.rules()


def test_20_a_late_declaration_counts(tmp_path: Path) -> None:
    """HTML: a parser that meets a charset later reads the page again."""
    assert "Каждую субботу библиотека" in run("20", tmp_path).text()


def test_21_an_endless_query_ends(tmp_path: Path) -> None:
    """A page that links to itself with one more parameter does not spend the budget of pages."""
    with site("21") as port:
        result = run("21", tmp_path, port=port)

    names = [row["source_id"] for row in result.documents()]
    assert any(name.endswith("/about") for name in names)
    assert sum("/dup" in name for name in names) <= 12
    assert any("/dup" in row["url"] for row in result.refused())


def test_22_an_empty_result_is_no_success(tmp_path: Path) -> None:
    """The message names the column that holds the text."""
    result = run("22", tmp_path)

    assert result.code == 3
    assert "body" in result.err
