"""`corpusmill extract`: formats, options and errors."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import get_args

import pytest

from corpusmill.commands.pages import KEEP
from corpusmill.pipelines.stages.extract.options import Keep
from tests.commands.conftest import Command

STORY = "The harbour reopened on Tuesday after a storm that closed it for nine days. Pilots had surveyed it twice."
PAGE = (
    "<html lang=en><head><title>Harbour</title><meta name=author content='Jo Day'></head><body>"
    "<nav><ul><li><a href=/>Home</a></li></ul></nav><article><h1>Harbour reopens</h1>"
    f"<p>{STORY} <a href=map>The map</a> shows where.</p>"
    f"<p class=ad>{STORY}</p><p>{STORY}</p><ul><li>{STORY}</li></ul>"
    f"<pre>depth = 9\n  metres</pre><p>{STORY}</p></article></body></html>"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.html"
    file.write_text(PAGE)
    return file


def test_markdown_has_the_structure_of_the_page(command: Command, page: Path) -> None:
    """Lists and code are kept; links are optional, and absolute if the page's address is known."""
    written = command("extract", page, "--format", "markdown", "--links", "--url", "https://example.org/a/").out

    assert f"\n- {STORY}\n" in written
    assert "```\ndepth = 9\n  metres\n```" in written
    assert "[The map](https://example.org/a/map)" in written
    assert "](" not in command("extract", page, "--format", "markdown").out


def test_json_says_why_a_block_was_kept(command: Command, page: Path) -> None:
    """The output has all blocks with kind, score and path, and metadata with its evidence."""
    result = json.loads(command("extract", page, "--format", "json").out)

    assert result["file"] == str(page)
    assert result["title"] == "Harbour reopens"
    assert result["metadata"]["authors"] == {"value": "Jo Day", "source": "meta:author"}
    menu, *_ = result["blocks"]
    assert menu["kind"] == "item"
    assert not menu["kept"]
    assert menu["path"].endswith("nav > ul > li")
    assert all(0 <= block["score"] <= 1 for block in result["blocks"])
    assert [block["text"] for block in result["blocks"] if block["kept"] and block["kind"] == "pre"] == [
        "depth = 9\n  metres"
    ]


def test_options_of_the_command_line_are_those_of_a_recipe(command: Command, page: Path) -> None:
    """`--keep` and `--select` work like the fields of the stage."""
    assert get_args(Keep) == KEEP
    assert "metres" not in command("extract", page, "--keep", "tables, links").out
    assert command("extract", page, "--drop", ".ad").out.count(STORY) == command("extract", page).out.count(STORY) - 1
    assert command("extract", page, "--select", "nav").out == "- Home\n"
    longer = len(command("extract", page, "--favor", "recall").out)
    assert longer >= len(command("extract", page, "--favor", "precision").out) > 0


def test_one_broken_file_does_not_stop_the_others(command: Command, page: Path, tmp_path: Path) -> None:
    """Each is reported with its reason, and the exit code says that something failed."""
    broken = tmp_path / "report.pdf"
    broken.write_bytes(b"%PDF-1.7\n\x00\x01")

    answer = command("extract", tmp_path / "missing.html", page, broken, tmp_path, "--format", "json")

    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 1
    assert [line.get("status", "read") for line in lines] == ["failed", "read", "failed", "failed"]
    assert [line["file"] for line in lines] == [str(tmp_path / "missing.html"), str(page), str(broken), str(tmp_path)]
    assert answer.err.count("error: ") == answer.err.count("hint: ") == 3
    assert "No such file" in answer.err
    assert "is a folder" in answer.err


def test_texts_of_several_files_are_apart(command: Command, page: Path, tmp_path: Path) -> None:
    """An empty line separates them, as it does paragraphs; JSON output keeps them apart."""
    other = tmp_path / "plain.txt"
    other.write_text("a < b\n  c\n")

    assert command("extract", other, page).out == f"a < b\n  c\n\n{command('extract', page).out}"
    assert command("extract", tmp_path / "missing.html", other).out == "a < b\n  c\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.html"], 2, "missing.html cannot be read: No such file or directory"),
        (["."], 2, "hint: run `corpusmill extract ./*.html"),
        (["https://example.org/a"], 2, "reads files, not URLs, got https://example.org/a\n"),
        (
            ["https://example.org/a"],
            2,
            "`curl -sL https://example.org/a | corpusmill extract --url https://example.org/a`",
        ),
        (["--select", "..a"], 2, "malformed class selector at position 0"),
        (["--keep", "tabels"], 2, "did you mean `tables`?"),
        (["--favor", "all"], 2, "allowed: precision, balanced, recall"),
        (["--drop", "p >>"], 2, "--drop: not a CSS selector: invalid character '>' at position 3, got `p >>`"),
        (["a.html", "b.html", "--url", "https://example.org"], 2, "--url is the address of one page"),
    ],
)
def test_wrong_use_is_reported_with_a_hint(command: Command, arguments: list[str], code: int, message: str) -> None:
    """Wrong options are refused before any file is read, if possible."""
    answer = command("extract", *arguments)

    assert answer.code == code
    assert message in answer.err
    assert answer.out == ""


def test_what_is_no_page_is_an_error_with_a_reason(command: Command, tmp_path: Path) -> None:
    """The command exits with 1, because a retry would not help."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")

    answer = command("extract", picture)

    assert answer.code == 1
    assert f"{picture}: not HTML or text\n" in answer.err
    assert "hint: `corpusmill extract` reads HTML" in answer.err


def test_standard_input_is_a_page_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes work with and without the dash."""
    for arguments in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PAGE.encode())))
        assert STORY in command("extract", *arguments).out


def test_a_page_without_text_is_reported(command: Command, tmp_path: Path) -> None:
    """No output at all would look like a bug."""
    empty = tmp_path / "empty.html"
    empty.write_text("<html><body><script>start()</script></body></html>")

    answer = command("extract", empty)

    assert answer.code == 0
    assert answer.out == "\n"
    assert "no main text found" in answer.err
