import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.dataset.inspect import Question, inspect
from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import DOCUMENT, METADATA, TIMESTAMP
from corpusmill.schemas.errors import UsageError
from tests.pipelines.dataset.corpora import Doc, docs, publish_version

LONG = Doc("long", "a much longer document with more words than any other one here", title="Long")
REJECTED = Doc("short", "no", stage="quality", rule="gopher.word_count", value=1.0, threshold=5.0)
UNMEASURED = Doc("french", "en bon", stage="language", rule="language.not_kept", is_measured=False)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    workspace = Workspace(tmp_path_factory.mktemp("inspect"))
    return publish_version(workspace, [*docs(range(20)), LONG, REJECTED, UNMEASURED])


def ask(version: Version, **question: Any) -> list[dict[str, Any]]:
    return list(inspect(version, Question(**question)))


def titles(version: Version, **question: Any) -> list[str]:
    return [row["title"] for row in ask(version, **question)]


def test_all_columns_are_converted_for_json(version: Version) -> None:
    """Other programs read the output."""
    (row,) = ask(version, where="title = 'Long'")

    assert list(row) == DOCUMENT.names
    assert row["metadata"] == {"kind": "test"}
    assert row["fetched_at"] == "2026-05-01T12:00:00+00:00"
    assert row["language_score"] == 0.9
    assert row["text"] == LONG.text


def test_documents_have_the_order_of_the_files(version: Version) -> None:
    """The same query prints the same lines."""
    ids = [row["id"] for row in ask(version)]

    assert len(ids) == 21
    assert ids == [row["id"] for batch in version.documents() for row in batch.to_pylist()]
    assert [row["id"] for row in ask(version, limit=3)] == ids[:3]
    assert [row["id"] for row in ask(version, where="true", limit=3)] == ids[:3]


@pytest.mark.parametrize(
    "where",
    [
        "gopher.word_count > 10",
        '"gopher.word_count" > 10',
        "GOPHER.WORD_COUNT > 10 AND pii.email = 0",
        "word_count > 10",
        "text LIKE '%longer%'",
        "id IN (SELECT id FROM documents WHERE word_count > 10)",
        "title = 'Long' -- and nothing else",
        "fetched_at > '2026-01-01' AND word_count > 10 AND metadata['kind'] = 'test'",
    ],
)
def test_an_expression_reads_columns_and_signals(version: Version, where: str) -> None:
    """Signals are in other files, but can be used like columns."""
    assert titles(version, where=where) == ["Long"]


def test_signals_that_are_named_are_shown(version: Version) -> None:
    """Users want to see the values that they filter by."""
    (row,) = ask(version, where="gopher.word_count > 10")
    (chosen,) = ask(version, where="gopher.word_count > 10", columns=("gopher.mean_word_length", "title"))

    assert row["gopher.word_count"] == 12
    assert list(chosen) == ["gopher.mean_word_length", "title"]
    assert all("gopher.word_count" in row for row in ask(version, columns=("gopher.word_count",)))


@pytest.mark.parametrize(
    ("question", "message", "hint"),
    [
        ({"where": "titel = 'a'"}, "has no column 'titel'", "did you mean `title`?"),
        ({"where": "gopher.word_coun > 1"}, "has no column 'gopher.word_coun'", "did you mean `gopher.word_count`?"),
        ({"where": "gopher.word_count > 1 AND gopher.wrd_count > 1"}, "'gopher.wrd_count'", "`gopher.word_count`"),
        ({"where": "title ="}, "syntax error", "columns: id, text"),
        ({"where": ""}, "", "columns: id"),
        ({"where": "title"}, "BOOL", "columns: id"),
        ({"where": "true, false"}, "single expression", "columns: id"),
        ({"where": "true; DROP VIEW documents"}, "more than one statement", "columns: id"),
        ({"where": "true) UNION SELECT * FROM documents --"}, "syntax error", "columns: id"),
        ({"columns": ("titel",)}, "has no column 'titel'", "did you mean `title`?"),
        ({"split": "tran"}, "no split 'tran'", "train, validation, test"),
        ({"ledger": True, "split": "train"}, "the ledger has no splits", ""),
        ({"ledger": True, "columns": ("text",)}, "has no column 'text'", "sample_text"),
    ],
)
def test_an_invalid_query_is_answered_with_the_valid_names(
    version: Version, question: dict[str, Any], message: str, hint: str
) -> None:
    """Users do not know all names by heart."""
    with pytest.raises(UsageError) as error:
        ask(version, **question)

    assert message in str(error.value)
    assert hint in str(error.value.hint)


@pytest.mark.parametrize(
    "where",
    [
        "id IN (SELECT content FROM read_text('{path}'))",
        "id IN (SELECT filename FROM read_blob('{path}'))",
        "id IN (SELECT file FROM glob('{folder}/*'))",
        "id IN (SELECT column0 FROM read_csv('{path}'))",
        "id IN (SELECT json FROM read_json_objects('{path}'))",
        "id IN (SELECT id FROM read_parquet('{parquet}'))",
        "id IN (SELECT id FROM '{parquet}')",
        "id IN (SELECT id FROM read_parquet('http://127.0.0.1:1/x.parquet'))",
        "id IN (SELECT id FROM rows)",
        "getenv('HOME') = ''",
    ],
)
def test_an_expression_reaches_nothing_but_the_version(version: Version, tmp_path: Path, where: str) -> None:
    """An expression may come from an untrusted user of a script or the site."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    parquet = tmp_path / "other.parquet"
    parquet.write_bytes(version.files("shard")[0].read_bytes())
    rows = [{"id": "secret"}]

    with pytest.raises(UsageError):
        ask(version, where=where.format(path=secret, folder=tmp_path, parquet=parquet))
    assert rows


def test_an_expression_that_takes_too_long_is_stopped(version: Version) -> None:
    """A mistake in a join must not block the machine."""
    where = "(SELECT count(*) FROM range(1000000) a, range(10000000) b WHERE a.range + b.range = 7) > 1"

    with pytest.raises(UsageError, match=r"longer than 0\.2 s"):
        ask(version, where=where, timeout_s=0.2)


def test_a_sample_is_always_the_same_and_does_not_depend_on_the_rest(version: Version) -> None:
    """Repeated sampling should show the same documents."""
    sample = ask(version, sample=5, columns=("id",))
    larger = ask(version, sample=9, columns=("id",))
    of_some = ask(version, sample=5, columns=("id",), where="word_count < 10")

    assert len(sample) == 5
    assert {row["id"] for row in sample} <= {row["id"] for row in larger}
    assert len(of_some) == 5
    assert len(ask(version, sample=100)) == 21
    assert len(ask(version, sample=5, limit=2)) == 2


def test_a_split_can_be_chosen(version: Version) -> None:
    """Users inspect the test split separately."""
    rows = ask(version, split="train", columns=("split",))

    assert rows
    assert {row["split"] for row in rows} == {"train"}
    assert len(ask(version, split="train", sample=100)) == len(rows)


def test_the_ledger_can_be_queried(version: Version) -> None:
    """Rejected documents matter as much as published ones."""
    rows = ask(version, ledger=True, where="gopher.word_count < 5")
    everything = ask(version, ledger=True)

    assert [(row["rule"], row["gopher.word_count"]) for row in rows] == [("gopher.word_count", 1)]
    assert [row["id"] for row in everything] == sorted([REJECTED.id, UNMEASURED.id])
    assert ask(version, ledger=True, columns=("rule",), where="rule LIKE 'language%'") == [
        {"rule": "language.not_kept"}
    ]


def test_a_version_without_ledger_or_signals_can_be_queried(workspace: Workspace) -> None:
    """An empty ledger is a valid result."""
    version = publish_version(workspace, docs(range(3), is_measured=False))

    assert ask(version, ledger=True, where="rule = 'x'") == []
    assert ask(version, where="gopher.word_count > 1") == []


def test_metadata_is_queried_as_a_map(version: Version) -> None:
    """A missing key is null, and empty versions also have the column."""
    assert titles(version, where="metadata['kind'] = 'test' AND title = 'Long'") == ["Long"]
    assert titles(version, where="metadata['no'] IS NOT NULL") == []
    assert titles(version, where="map_contains(metadata, 'kind') AND word_count > 10") == ["Long"]
    assert ask(version, where="title = 'Long'", columns=("metadata",)) == [{"metadata": {"kind": "test"}}]


def test_values_of_every_type_become_json() -> None:
    """Views may hold lists of times or bytes, which JSON cannot represent directly."""
    import pyarrow as pa

    from corpusmill.pipelines.dataset.inspect import plain_rows

    day, nan = date(2020, 1, 2), float("nan")
    row = {
        "metadata": [{"key": "a", "value": "1"}],
        "days": [day, None],
        "raw": b"\x00\xff",
        "struct": {"at": datetime(2020, 1, 2, tzinfo=UTC), "values": [0.5, nan]},
        "map": [(day, nan)],
    }
    kinds = {
        "metadata": METADATA,
        "days": pa.list_(pa.date32()),
        "raw": pa.binary(),
        "struct": pa.struct([("at", TIMESTAMP), ("values", pa.list_(pa.float64()))]),
        "map": pa.map_(pa.date32(), pa.float64()),
    }

    (plain, empty) = plain_rows(pa.Table.from_pylist([row, {}], pa.schema(list(kinds.items()))))

    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "metadata": {"a": "1"},
        "days": ["2020-01-02", None],
        "raw": "AP8=",
        "struct": {"at": "2020-01-02T00:00:00+00:00", "values": [0.5, None]},
        "map": {"2020-01-02": None},
    }
    assert set(empty.values()) == {None}


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_numbers_survive_as_they_are_written(value: float) -> None:
    """A float32 of 0.1 is shown as 0.1, and values that JSON lacks as null."""
    import pyarrow as pa

    from corpusmill.pipelines.dataset.inspect import plain_rows

    (row,) = plain_rows(pa.table({"x": pa.array([value], pa.float32())}))

    assert row["x"] is None if not math.isfinite(value) else pa.scalar(row["x"], pa.float32()).as_py() == value
