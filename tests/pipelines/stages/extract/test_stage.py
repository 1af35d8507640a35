"""The stage: columns in, columns out, verdicts, parameters."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.registry import STAGES
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT
from corpusmill.pipelines.stages.extract import Extract
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.metadata import metadata_column

STORY = "The harbour reopened on Tuesday, after a storm that closed it for nine days."
LICENSED = (
    f"<html lang=de><title>From page</title><meta name=date content=2020-01-01><p>{STORY}"
    "<a rel=license href=https://creativecommons.org/licenses/by/4.0/>by</a>"
).encode()


def captures(*records: dict[str, Any]) -> pa.RecordBatch:
    rows = [
        {"id": f"{place:032x}", "source": "s", "source_id": str(place), "record_sha256": "0", **record}
        for place, record in enumerate(records)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CAPTURE)


def test_a_page_becomes_text_and_a_text_passes_unchanged() -> None:
    """One list of stages must serve pages as well as records that have text already."""
    batch = captures({"content": LICENSED}, {"text": "as it is  \n", "title": "kept"})

    out = Extract().build()(batch)

    assert out.column("text").to_pylist() == [f"{STORY} by".replace(". by", ".by"), "as it is  \n"]
    assert out.column("title").to_pylist() == ["From page", "kept"]
    assert out.column("content").null_count == 2
    assert out.slice(1).select(CAPTURE.names).equals(batch.slice(1))


def test_a_license_of_the_page_replaces_that_of_the_recipe() -> None:
    """The recipe speaks for records that state none."""
    recipe = {"license": "MIT", "license_source": "recipe"}
    plain = b"<p>A page without a license, which has a sentence of enough words to be kept as text.</p>"

    out = Extract().build()(captures({"content": LICENSED, **recipe}, {"content": plain, **recipe}))

    assert out["license_source"].to_pylist() == ["page:rel-license", "recipe"]
    assert out["license"].to_pylist()[0] != "MIT"
    assert out["license"].to_pylist()[1] == "MIT"


def test_columns_that_a_source_has_filled_stay() -> None:
    """The license and the date in a feed are more reliable than the page itself."""
    given = {
        "title": "t",
        "license": "MIT",
        "published_at": datetime(1999, 1, 1, tzinfo=UTC),
        "metadata": [{"key": "declared_language", "value": "x"}, {"key": "a", "value": "b"}],
    }

    out = Extract().build()(captures({"content": LICENSED, **given}))
    row = out.to_pylist()[0]

    assert {name: row[name] for name in ("title", "license", "license_source", "published_at")} == {
        "title": "t",
        "license": "MIT",
        "license_source": None,
        "published_at": given["published_at"],
    }
    assert out["metadata"].equals(metadata_column([{"a": "b", "declared_language": "x"}]))


def test_evidence_fills_columns_that_are_null() -> None:
    """Most sources set none of them."""
    out = Extract().build()(captures({"content": LICENSED}))

    row = out.to_pylist()[0]
    assert (row["license"], row["license_source"]) == ("CC-BY-4.0", "page:rel-license")
    assert row["published_at"] == datetime(2020, 1, 1, tzinfo=UTC)
    facts = {
        "declared_language": "de",
        "declared_language_source": "html:lang",
        "published_at_source": "meta:date",
        "title_source": "html:title",
    }
    assert out["metadata"].equals(metadata_column([facts]))


def test_records_without_text_get_a_verdict_and_keep_their_row() -> None:
    """Nothing may be dropped silently: each row has a rule, and value and bound if the rule has them."""
    batch = captures({"content": b"%PDF-1.7"}, {"content": b""}, {"content": b"<p>short"}, {"text": "short"})

    out = Extract(min_characters=10).build()(batch)

    assert out.column("rule").to_pylist() == ["error.not_html", "extract.empty", "extract.too_short", None]
    assert out.column("value").to_pylist() == [None, None, 5.0, None]
    assert out.column("threshold").to_pylist() == [None, None, 10.0, None]
    assert "%PDF-1.7" in out.column("message")[0].as_py()


def test_bytes_of_text_are_conserved() -> None:
    """Before + added = after + cut for every document; the engine fails runs that violate it."""
    batch = captures({"content": LICENSED}, {"text": "ünchanged"}, {"content": b""}, {"content": b"\x1f\x8b"})

    out = Extract().build()(batch)

    def size(column: pa.Array) -> list[int]:
        return [len((text or "").encode()) for text in column.to_pylist()]

    added, cut = out.column(TEXT_ADDED).to_pylist(), out.column(TEXT_CUT).to_pylist()
    assert [b + a - c for b, a, c in zip(size(batch["text"]), added, cut, strict=True)] == size(out["text"])
    assert out.schema.names == [*CAPTURE.names, TEXT_ADDED, TEXT_CUT]
    assert out.schema.types[: len(CAPTURE)] == CAPTURE.types


def test_the_output_does_not_depend_on_where_batches_are_cut() -> None:
    """Every stage must guarantee this."""
    batch = captures(*({"content": b"<p>%d %s" % (n, STORY.encode())} if n % 2 else {"text": str(n)} for n in range(7)))
    transform = Extract().build()

    whole = pa.Table.from_batches([transform(batch)])
    parts = pa.Table.from_batches([transform(batch.slice(start, 1)) for start in range(7)])

    assert whole.equals(parts.combine_chunks())
    assert transform(batch.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ('{"favor": "speed"}', "favor"),
        ('{"drop": ["p:::x["]}', "not a CSS selector"),
        ('{"sites": {"https://example.org": {}}}', "not a host name"),
        ('{"min_characters": -1}', "min_characters"),
        ('{"selects": []}', "selects"),
    ],
)
def test_a_wrong_parameter_is_refused(parameters: str, message: str) -> None:
    """The recipe is refused before work starts, with a message about the parameter."""
    with pytest.raises(ValidationError, match=message):
        Extract.model_validate_json(parameters, strict=True)


def test_a_stage_is_rebuilt_from_its_parameters() -> None:
    """Workers receive JSON."""
    stage = Extract.model_validate_json(
        '{"select": ["main"], "sites": {"a.org": {"drop": [".ad"]}}, "favor": "recall"}', strict=True
    )

    assert Extract.model_validate_json(stage.model_dump_json(), strict=True) == stage
    assert resolve(STAGES["extract"]) is Extract


def test_real_pages_come_out_with_most_of_their_text() -> None:
    """A lower bound on quality, on public pages with known main text; a benchmark measures it exactly."""
    data = Path(os.environ.get("CORPUSMILL_SHARED", "../shared")) / "data/extraction/public.parquet"
    if not data.exists():
        pytest.skip(f"no {data}: set CORPUSMILL_SHARED")
    pages = pq.ParquetFile(data).read_row_group(0, ["html", "gold_text"]).slice(0, 40)
    batch = captures(*({"content": html} for html in pages["html"].to_pylist()))

    out = Extract().build()(batch)

    shares = []
    for text, gold in zip(out["text"].to_pylist(), pages["gold_text"].to_pylist(), strict=True):
        found, wanted = set(text.lower().split()), set(gold.lower().split())
        shares.append(2 * len(found & wanted) / (len(found) + len(wanted)))
    assert sum(shares) / len(shares) > 0.85
    assert pc.sum(pc.is_valid(out["rule"])).as_py() == 0
