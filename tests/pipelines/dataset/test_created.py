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


def test_what_a_stage_created_is_known_by_the_version_alone(workspace: Workspace) -> None:
    """The stage may be one that nobody has installed any more; a record that it rejected is still a record."""
    version = publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    assert created_rules(version) == ["foreign.piece"]
    assert [is_created(version, row.ledger()) for row in (*PIECES, EMPTY)] == [True] * 5 + [False]


def test_a_version_without_created_rows_is_not_looked_through(workspace: Workspace) -> None:
    """The manifest counts none."""
    version = publish_version(workspace, [*docs(range(9)), EMPTY])

    for file in version.files("ledger"):
        file.unlink()

    assert created_rules(version) == []
    assert not is_created(version, EMPTY.ledger())


def test_explain_tells_a_created_row_from_a_record(workspace: Workspace) -> None:
    """A piece never went through the stages before its own, and an address means the record that was fetched there."""
    publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    piece = explain(PIECES[0].id, workspace)

    assert [(step["stage"], step["rule"]) for step in piece["trail"]] == [("extract", "foreign.piece")]
    assert [step["stage"] for step in explain(EMPTY.id, workspace)["trail"]] == ["read", "extract"]
    renamed = replace(EMPTY, source_id="a record of another name")
    publish_version(workspace, [*docs(range(9)), *PIECES, renamed], dataset="others", stages=STAGES)
    assert explain("https://example.org/page", workspace, dataset="others")["id"] == renamed.id


def test_the_report_counts_records_alone(workspace: Workspace) -> None:
    """A row that a stage created was not read, so it was not rejected either."""
    version = publish_version(workspace, [*docs(range(9)), *PIECES, EMPTY], stages=STAGES)

    figures = statistics(version.path)

    assert figures["conservation"]["rows"] == {"shards": 9, "ledger": 1}
    assert [(rule["rule"], rule["documents"]) for rule in figures["rules"]] == [("foreign.nothing_left", 1)]
