"""`explain --like`: the documents that are like a text, from the bands that a run published."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpusmill.pipelines.dataset import like as module
from corpusmill.pipelines.dataset.like import indexes_of, like
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.shingles import shingle_sets
from corpusmill.pipelines.stages.dedup.signatures import signatures
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from tests.pipelines.running.test_incremental import Project
from tests.pipelines.stages.dedup.corpus import edited, prose, similarity

RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: "data/*.jsonl"}
stages:
  - near_dedup: {index: true}
  - pii: {action: ACTION}
split: {train: 1, validation: 0, test: 0}
"""
MAIL = " ".join([*prose(random.Random(1), 30), "write to jane.doe@example.com", *prose(random.Random(2), 30)])
BASE = prose(random.Random(3), 80)
PAIR = [" ".join(prose(random.Random(4), 90)), " ".join(edited(prose(random.Random(4), 90), random.Random(5), 1))]


def texts() -> dict[str, str]:
    """Return 60 texts that are like BASE, a pair of near duplicates, three words, none, and a mail address."""
    chance = random.Random(6)
    alike = {f"alike-{n}": " ".join(edited(BASE, chance, 4)) for n in range(60)}
    others = {"few": "only three words", "none": "…", "mail": MAIL}
    return {**alike, **dict(zip(("first", "second"), PAIR, strict=True)), **others}


def publish(folder: Path, recipe: str, rows: dict[str, str]) -> Workspace:
    project = Project(folder, recipe=recipe, incremental=False)
    days = [{"fetched_at": f"2024-01-01T00:{day:02d}:00Z"} for day in range(60)]
    project.write(
        "notes", [{"id": name, "text": text} | days[place % 60] for place, (name, text) in enumerate(rows.items())]
    )
    project.run()
    return Workspace(folder / "w")


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return publish(tmp_path_factory.mktemp("masked"), RECIPE.replace("ACTION", "mask"), texts())


@pytest.fixture(scope="module")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return publish(tmp_path_factory.mktemp("dropped"), RECIPE.replace("ACTION", "drop"), texts())


def published(workspace: Workspace) -> dict[str, str]:
    rows = [row for batch in open_version("notes", workspace).documents() for row in batch.to_pylist()]
    return {row["source_id"]: row["text"] for row in rows}


def names(result: dict[str, Any]) -> list[str]:
    return [match["source_id"] for match in result["matches"]]


@pytest.mark.parametrize("text", [PAIR[0], PAIR[1], PAIR[0].upper() + "!"])
def test_a_text_finds_the_document_that_was_kept(masked: Workspace, text: str) -> None:
    """Also the text of the removed copy, whose own bands are not in the index."""
    (match,) = like(text, masked)["matches"]

    assert (match["source_id"], match["cluster_size"], match["status"]) == ("first", 2, "published")
    assert match["similarity"] == similarity(text, PAIR[0])
    assert match["is_near_duplicate"]
    assert match["sample_text"] == PAIR[0][:500]


def test_the_most_similar_documents_come_first_with_exact_similarities(masked: Workspace) -> None:
    """Bands select candidates only; what is printed is compared."""
    text = " ".join(edited(BASE, random.Random(7), 1))

    result = like(text, masked)

    expected = {name: similarity(text, other) for name, other in published(masked).items()}
    similarities = [match["similarity"] for match in result["matches"]]
    assert similarities == [expected[name] for name in names(result)] == sorted(similarities, reverse=True)
    assert len(similarities) == 10
    (searched,) = result["searched"]
    assert 10 < searched["similar"] <= searched["candidates"] < searched["documents"]
    assert searched["similar"] <= sum(value >= 0.4 for value in expected.values())
    assert not any(match["is_near_duplicate"] for match in result["matches"])


@pytest.mark.parametrize("ids", [1, 7])
def test_candidates_are_compared_a_few_at_a_time(masked: Workspace, monkeypatch: pytest.MonkeyPatch, ids: int) -> None:
    """A template can make millions of documents candidates; the result must not depend on the bound."""
    text = " ".join(BASE)
    whole = like(text, masked)
    sizes: list[int] = []

    def counted(*arguments: Any) -> Any:
        sizes.append(len(arguments[1]))
        return compare(*arguments)

    compare = module._published
    monkeypatch.setattr(module, "_published", counted)
    monkeypatch.setattr(module, "MAX_IDS", ids)

    assert like(text, masked) == whole
    assert max(sizes) == ids
    assert sum(sizes) == whole["searched"][0]["candidates"] > 10


@pytest.mark.parametrize("text", ["", "… — !", "quite other words than those of any document here"])
def test_no_match_is_an_answer(masked: Workspace, text: str) -> None:
    """A text without words has no band keys, although the signatures of all such texts are equal."""
    result = like(text, masked)

    assert result["matches"] == []
    assert result["has_words"] is text.startswith("quite")
    assert result["searched"][0]["candidates"] == 0


def test_a_text_shorter_than_a_shingle_is_found_whole(masked: Workspace) -> None:
    """It is one shingle."""
    assert names(like("Only three words.", masked)) == ["few"]
    assert names(like("only three", masked)) == []


def test_a_text_that_a_later_stage_changed_is_compared_as_published(masked: Workspace) -> None:
    """Its original is not stored in the version."""
    (match,) = like(MAIL, masked)["matches"]

    assert match["source_id"] == "mail"
    assert match["similarity"] == similarity(MAIL, published(masked)["mail"]) < 1


def test_a_candidate_that_a_later_stage_rejected_is_listed_with_the_rule(dropped: Workspace) -> None:
    """Its text is not published, so its similarity is unknown, but nobody should conclude that it was never seen."""
    result = like(MAIL, dropped)

    (match,) = result["matches"]
    assert (match["status"], match["similarity"], match["source_id"]) == ("rejected", None, "mail")
    assert (match["stage"], match["rule"]) == ("pii", "pii.email")
    assert result["searched"][0] | {"candidates": 1, "similar": 0, "not_published": 1} == result["searched"][0]


def test_the_signature_of_datasketch_is_ours() -> None:
    """Long texts are signed in several parts."""
    text = " ".join(prose(random.Random(8), 25_000))

    signature = module._signature(shingle_sets([text], ngram=5).values, count=30)

    assert np.array_equal(signature, signatures([text], ngram=5, count=30)[0])


def test_versions_without_an_index_are_named(masked: Workspace, tmp_path: Path) -> None:
    """The index must be published; with several data sets, the others are still searched."""
    plain = RECIPE.replace("dataset: notes", "dataset: plain").replace("{index: true}", "{}")
    plain = plain.replace("pii: {action: ACTION}", "line_dedup")
    alone = publish(tmp_path, plain, {"a": PAIR[0]})
    assert [*open_version("plain", alone).manifest.side_tables()] == ["line_dedup.cuts"]
    with pytest.raises(UsageError, match=r"plain@\w+ has no index of near duplicates") as error:
        like("text", alone)
    assert error.value.hint == "publish with `near_dedup: {index: true}`"

    publish(tmp_path / "more", RECIPE.replace("ACTION", "mask"), {"a": PAIR[0]})
    both = Workspace(tmp_path / "more/w")
    open_version("plain", alone).path.parent.rename(open_version("notes", both).path.parents[1] / "plain")

    result = like(PAIR[1], both)

    assert names(result) == ["a"]
    assert [version["dataset"] for version in result["not_searched"]] == ["plain"]
    assert "no index" in result["not_searched"][0]["reason"]


def test_a_version_is_searched_by_its_name(masked: Workspace) -> None:
    """As every command names versions."""
    version = open_version("notes", masked)

    assert names(like(PAIR[0], masked, dataset=version.name)) == ["first"]
    assert names(like(PAIR[0], masked, dataset=str(version.path))) == ["first"]
    with pytest.raises(UsageError, match="no data set 'note'"):
        like(PAIR[0], masked, dataset="note")


def test_nothing_published_is_an_error(tmp_path: Path) -> None:
    """The workspace may be another one."""
    with pytest.raises(UsageError, match="nothing is published in"):
        like("text", Workspace(tmp_path))


def test_an_index_of_another_installation_is_refused(masked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys would silently match nothing."""
    monkeypatch.setattr(NearDedup, "version", NearDedup.version + 1)

    with pytest.raises(UsageError, match=r"made by another installation: `version` was \d+ and is \d+"):
        like("text", masked)


def test_each_stage_with_an_index_is_searched(tmp_path: Path) -> None:
    """Their parameters differ, and so do their similarities."""
    recipe = RECIPE.replace("  - pii: {action: ACTION}", "  - near_dedup: {index: true, ngram: 2, keep: longest}")
    workspace = publish(tmp_path, recipe, {"a": PAIR[0], "none": "…"})
    text = " ".join(edited(PAIR[0].split(), random.Random(9), 3))

    matches = like(text, workspace)["matches"]

    by_index = {match["index"]: (match["similarity"], match["keep"]) for match in matches}
    assert by_index == {
        "near_dedup.index": (similarity(text, PAIR[0]), "oldest"),
        "near_dedup_2.index": (similarity(text, PAIR[0], ngram=2), "longest"),
    }


def test_an_empty_index_has_no_matches(tmp_path: Path) -> None:
    """A version may hold only texts without words."""
    workspace = publish(tmp_path, RECIPE.replace("ACTION", "mask"), {"none": "…"})

    assert like("text", workspace)["matches"] == []
    assert [index.parameters for index in indexes_of(open_version("notes", workspace))] == [{}]
