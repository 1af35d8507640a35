from dataclasses import replace

from corpusmill.pipelines.dataset.created import created_rules, is_created
from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.workspace import Workspace
from tests.pipelines.dataset.corpora import RECIPE_STAGES, Doc, docs, publish_version

PIECE = Doc(
    "example.org#1", "a line of the footer", url="https://example.org/page", stage="extract", rule="foreign.piece",
    value=0.9, threshold=0.5, is_measured=False, is_created=True,
)  # fmt: skip
EMPTY = replace(PIECE, source_id="https://example.org/page", text="", rule="foreign.nothing_left", is_created=False)
PIECES = [replace(PIECE, source_id=f"example.org#{number}", text=f"line {number}") for number in range(5)]
STAGES = ("foreign", *RECIPE_STAGES)


def test_created_rows_are_recognized_without_their_stage(workspace: Workspace) -> None:
    """The stage may no longer be installed; records that it rejected are not created rows."""
    version = publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    assert created_rules(version) == ["foreign.piece"]
    assert [is_created(version, row.ledger()) for row in (*PIECES, EMPTY)] == [True] * 5 + [False]


def test_a_version_without_created_rows_is_not_searched(workspace: Workspace) -> None:
    """The manifest says that there are none."""
    version = publish_version(workspace, [*docs(range(9)), EMPTY])

    for file in version.files("ledger"):
        file.unlink()

    assert created_rules(version) == []
    assert not is_created(version, EMPTY.ledger())


def test_explain_distinguishes_created_rows_from_records(workspace: Workspace) -> None:
    """A created row did not pass earlier stages, and an address means the fetched record."""
    publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    piece = explain(PIECES[0].id, workspace)

    assert [(step["stage"], step["rule"]) for step in piece["trail"]] == [("extract", "foreign.piece")]
    assert [step["stage"] for step in explain(EMPTY.id, workspace)["trail"]] == ["read", "extract"]
    renamed = replace(EMPTY, source_id="a record of another name")
    publish_version(workspace, [*docs(range(9)), *PIECES, renamed], dataset="others", stages=STAGES)
    assert explain("https://example.org/page", workspace, dataset="others")["id"] == renamed.id


def test_the_report_counts_only_records(workspace: Workspace) -> None:
    """A created row was not read, so it does not count as rejected."""
    version = publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    figures = statistics(version.path)

    assert figures["conservation"]["rows"] == {"shards": 9, "ledger": 1}
    assert [(rule["rule"], rule["documents"]) for rule in figures["rules"]] == [("foreign.nothing_left", 1)]
