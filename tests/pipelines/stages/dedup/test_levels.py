from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.reports.findings import findings
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.dedup import normalized, urls
from corpusmill.pipelines.stages.dedup.letters import letter_hashes, letters
from corpusmill.pipelines.stages.dedup.normalized import NormalizedDedup
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.pipelines.stages.dedup.urls import UrlDedup
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.identity import document_id
from corpusmill.schemas.urls import canonical_url
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates
from tests.test_promises import hashes, run_once

TEXTS = (
    "Hello, World!",
    "hello  world",
    "“HELLO”\n\nworld",
    "hello worlds",
    "é",
    "É",
    "e\u0301 …",
    "½",
    "1/2",
    "* * *",
    "",
)
URLS = ("http://a.example", "HTTP://A.example/#x", "http://a.example/?utm_source=b", "http://b.example", "a.md", None)
STAGES: tuple[tuple[str, Stage], ...] = (
    ("normalized_dedup", NormalizedDedup()),
    ("normalized_dedup", NormalizedDedup(keep="longest")),
    ("url_dedup", UrlDedup()),
    ("url_dedup", UrlDedup(keep="oldest")),
)


def letters_of(text: str) -> str:
    """Return the letters, marks and numbers of *text* by the definition, one character at a time."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] in "LMN")
    folded = unicodedata.normalize("NFKC", kept).casefold()
    kept = "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")
    return kept if re.search(r"[^\W_]", kept) else ""


def key_of(name: str, row: dict[str, Any]) -> str | None:
    """Return what makes two documents equal for a stage; None: the document is never a duplicate."""
    if name == "normalized_dedup":
        return letters_of(row["text"]) or None
    try:
        return canonical_url(row["url"] or "")
    except ValueError:
        return None


def expected(name: str, keep: Keep, captures: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return the document that each document is a duplicate of, by comparing all documents."""

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        day = 0.0 if row["fetched_at"] is None else row["fetched_at"].timestamp()
        dated = (row["fetched_at"] is None, -day if keep == "newest" else day)
        return (-row["text_bytes"] if keep == "longest" else dated, row["id"])

    first: dict[str, str] = {}
    result: dict[str, str | None] = {}
    for row in sorted(captures, key=order):
        key = key_of(name, row)
        kept = row["id"] if key is None else first.setdefault(key, row["id"])
        result[row["id"]] = None if kept == row["id"] else kept
    return result


@pytest.mark.parametrize(("name", "stage"), STAGES)
@settings(deadline=None, max_examples=40)
@given(
    captures=st.lists(
        st.builds(
            capture,
            st.sampled_from("abcdefghij"),
            st.sampled_from(TEXTS),
            day=st.none() | st.integers(0, 3),
            url=st.sampled_from(URLS),
        ),
        max_size=12,
        unique_by=lambda row: row["id"],
    ),
    rows=st.sampled_from([1, 7, 1000]),
    seed=st.integers(0, 1000),
)
def test_one_document_of_each_key_stays(
    name: str, stage: Stage, captures: list[dict[str, Any]], rows: int, seed: int
) -> None:
    """In any execution, the decisions are those of a comparison of all documents, one by one."""
    results = fates(table(captures), [(name, stage)], Contrary(rows=rows, seed=seed))

    assert {row["id"]: row["duplicate_of"] for row in results} == expected(name, getattr(stage, "keep"), captures)  # noqa: B009
    assert {row["rule"] for row in results if row["duplicate_of"]} <= {f"{name}.duplicate"}


@given(st.text(st.characters(codec="utf-8")))
def test_letters_are_those_of_the_definition(text: str) -> None:
    """The fast path for ASCII must not make a difference."""
    assert letters(text.encode()).decode() == letters_of(text)


def test_rows_of_a_slice_are_hashed_as_such() -> None:
    """Batches are slices of larger columns."""
    column = pa.array([*TEXTS, None])

    assert letter_hashes(column.slice(1)).equals(letter_hashes(column).slice(1))


RECIPE = """\
dataset: levels
sources:
  - load: {name: old, format: jsonl, path: old.jsonl}
  - load: {name: new, format: jsonl, path: new.jsonl}
stages:
  - url_dedup: {keep: first_source}
  - exact_dedup
  - normalized_dedup: {keep: first_source}
split: {train: 1, validation: 0, test: 0}
checks: {max_rejected: 0.6}
"""
OLD = (
    {"id": "page", "url": "https://example.org/?utm_source=x", "text": "A page."},
    {"id": "text", "text": "Some words, and more words."},
)
NEW = (
    {"id": "page", "url": "https://EXAMPLE.org/", "text": "The same page, later."},
    {"id": "copy", "text": "some words and more WORDS"},
    {"id": "own", "text": "Words of its own."},
    {"id": "again", "text": "Words of its own."},
)


def write_levels(folder: Path) -> Path:
    """Write a project with two sources that share a page and a text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("old", OLD), ("new", NEW)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


def test_a_run_removes_copies_at_every_level_and_explains_them(tmp_path: Path) -> None:
    """Recipe, ledger, `explain` and report must know the stages as they know `exact_dedup`."""
    result, manifest = run_once(write_levels(tmp_path), tmp_path / "corpus")

    own, again = sorted([document_id("new", "own"), document_id("new", "again")])
    kept = {"page": document_id("old", "page"), "copy": document_id("old", "text")}
    for name, rule in (("page", urls.RULE), ("copy", normalized.RULE)):
        explained = explain(document_id("new", name), Workspace(tmp_path / "corpus"))
        assert (explained["status"], explained["duplicate_of"]) == ("rejected", kept[name])
        assert explained["trail"][-1]["rule"] == rule
    assert explain(again, Workspace(tmp_path / "corpus"))["duplicate_of"] == own
    assert (manifest.counts.published, manifest.counts.ledger) == (3, 3)
    figures = statistics(open_version(result["path"]).path)
    assert figures["duplicates"]["stages"] == ["url_dedup", "exact_dedup", "normalized_dedup"]
    texts = [finding["text"] for finding in findings(figures) if finding["code"] in ("duplicates", "no_dedup")]
    assert any(text.startswith("Documents with the same URL: 25.0 %") for text in texts)
    assert any(text.startswith("The recipe does not remove near duplicates") for text in texts)


@pytest.mark.parametrize("rows", [1, 7])
def test_sizes_of_batches_change_nothing(tmp_path: Path, rows: int) -> None:
    """Promise 1, for a whole run."""
    versions = [
        run_once(write_levels(tmp_path / name), tmp_path / name / "corpus", batch_rows=size)[1]
        for name, size in (("whole", None), ("cut", rows))
    ]

    assert hashes(versions[0]) == hashes(versions[1])
