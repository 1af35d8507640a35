"""The command `explain --like FILE`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from corpusmill.commands.like import _judgment
from corpusmill.pipelines.workspace import Workspace
from tests.commands.conftest import Command
from tests.pipelines.dataset.corpora import docs, publish_version
from tests.pipelines.dataset.test_like import BASE, MAIL, PAIR, RECIPE, publish, texts


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return publish(tmp_path_factory.mktemp("command"), RECIPE.replace("ACTION", "drop"), texts())


@pytest.fixture
def workspace(published: Workspace) -> Workspace:
    return published


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new.txt"


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_near_duplicate_is_shown_with_what_would_happen(command: Command, file: Path) -> None:
    """The answer to "do we have this text?" is the first line."""
    file.write_text(PAIR[1])

    answer = command("explain", "--like", file)

    first, empty, headline, *lines = answer.out.splitlines()
    assert (answer.code, answer.err, empty) == (0, "", "")
    assert first.startswith(f"{file} would be removed as a near duplicate of ")
    assert first.endswith(", threshold 0.8)")
    assert headline.split()[0] in first
    assert "  source_id: first" in lines
    assert "  cluster_size: 2" in lines
    assert lines[-1].strip() == PAIR[0][:400].rstrip() + " …"


def test_standard_input_and_json(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs get one object."""
    pipe(monkeypatch, PAIR[0].encode("utf-16"))

    result = json.loads(command("explain", "--like", "-", "--dataset", "notes", "--json").out)

    (match,) = result["matches"]
    assert result["like"] == "-"
    assert (match["dataset"], match["source_id"], match["similarity"], match["cluster_size"]) == (
        "notes",
        "first",
        1,
        2,
    )
    assert match.keys() >= {"version", "id", "url", "title", "sample_text", "is_near_duplicate"}


def test_more_documents_than_are_listed_are_counted(command: Command, file: Path) -> None:
    """The list is short, but says so."""
    file.write_text(" ".join(BASE))

    answer = command("explain", "--like", file)

    assert answer.out.count("source_id: alike-") == 10
    assert answer.err.startswith("… and ")
    assert answer.err.endswith(" more similar documents\n")


def test_a_rejected_candidate_is_shown_with_its_rule(command: Command, file: Path) -> None:
    """Its text is not published, so nothing is claimed about its similarity."""
    file.write_text(MAIL)

    lines = command("explain", "--like", file).out.splitlines()

    assert lines[0] == f"{file} has no near duplicate among the published documents"
    for line in ("similarity: unknown, because the text is not published", "rejected by: pii", "rule: pii.email"):
        assert f"  {line}" in lines


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("quite other words than those", "no document is like the text (64 documents searched)"), ("", "has no words")],
)
def test_no_match_is_a_sentence(command: Command, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str) -> None:
    """It is an answer, not an error."""
    pipe(monkeypatch, text.encode())
    shown = command("explain", "--like", "-")
    pipe(monkeypatch, text.encode())
    result = json.loads(command("explain", "--like", "-", "--json").out)

    assert shown.code == 0
    assert sentence in shown.out
    assert result["matches"] == []


def test_a_data_set_that_was_not_searched_is_a_warning(command: Command, file: Path, workspace: Workspace) -> None:
    """Otherwise "no document" would say more than is known."""
    publish_version(workspace, docs(range(3)), dataset="plain")
    file.write_text("quite other words than those")

    answer = command("explain", "--like", file)
    alone = command("explain", "--like", file, "--dataset", "plain")

    assert answer.code == 0
    assert answer.err.startswith("warning: not searched: plain@")
    assert alone.code == 2
    assert "hint: publish with `near_dedup: {index: true}`" in alone.err


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 2, "cannot be read: No such file or directory"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, 1, "the content is binary, not text"),
        (b"a " * 16_000_001, 1, "the text is larger than 32,000,000 bytes"),
        ("é".encode() * 32_000_002, 1, "the text is larger than 32,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_an_error(
    command: Command, file: Path, content: bytes | None, code: int, message: str
) -> None:
    """Bad input is an answer with a hint."""
    if content is not None:
        file.write_bytes(content)

    answer = command("explain", "--like", file)

    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert f"error: {file}" in answer.err
    assert "hint: " in answer.err


def test_a_folder_is_no_text(command: Command, tmp_path: Path) -> None:
    """The message names it."""
    assert f"{tmp_path} is a folder" in command("explain", "--like", tmp_path).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "no document was named"), (("abcdef", "--like", "-"), "a document and --like were named, got abcdef")],
)
def test_exactly_one_of_document_and_like_is_named(command: Command, arguments: Any, message: str) -> None:
    """Each has an answer of its own."""
    answer = command("explain", *arguments)

    assert answer.code == 2
    assert message in answer.err


def test_with_another_order_of_documents_nothing_is_promised() -> None:
    """Only with `keep: oldest` is a new text certainly the one that is removed."""
    match: dict[str, Any] = {"dataset": "a", "version": "0f", "id": "1d", "similarity": 0.9, "threshold": 0.8}
    match |= {"keep": "longest", "is_near_duplicate": True}

    (line,) = _judgment({"like": "-", "matches": [match, match | {"similarity": 0.85}]})

    assert line == (
        "the text is a near duplicate of 1d in a@0f (similarity 0.9, threshold 0.8); "
        "`keep: longest` decides which one stays"
    )
