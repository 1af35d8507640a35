"""Deduplication of files: the same bytes whatever the batches, and nothing lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.file_dedup import inputs
from corpusmill.pipelines.file_dedup import run as running
from corpusmill.pipelines.file_dedup.run import deduplicate
from corpusmill.schemas.errors import ChecksFailedError, DamagedFileError, LockHeldError, UnfinishedError, UsageError
from corpusmill.schemas.storage import LocalStore
from corpusmill.schemas.storage.drafts import draft_of
from tests.pipelines.file_dedup.files import (
    content,
    job,
    kept,
    ledger,
    records,
    removed_of,
    run,
    text,
    write_lines,
    write_parquet,
)
from tests.pipelines.stages.dedup.corpus import similarity


def test_kept_and_ledger_are_the_input(tmp_path: Path) -> None:
    """Each record is in one of the two, in the order of the files, with the exact similarity of the pair."""
    rows = records()
    file = write_parquet(tmp_path / "a.parquet", rows)

    figures = run([file], tmp_path / "out")

    texts = {row["id"]: row["text"] for row in rows}
    assert kept(tmp_path / "out") == [row for row in rows if row["id"] not in removed_of()]
    assert [row["id"] for row in ledger(tmp_path / "out")] == sorted(removed_of())
    for row in ledger(tmp_path / "out"):
        assert row["similarity"] == pytest.approx(similarity(texts[row["id"]], texts[row["duplicate_of"]]))
    counts = {"read": 30, "kept": 20, "removed": 10, "pairs": 10}
    assert {name: value for name, value in figures.items() if value} == {
        **counts,
        "status": "done",
        "out": str(tmp_path / "out"),
    }


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_batches_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, batch_rows: int) -> None:
    """Neither does the order in which the files are named; every file is a part of its own here."""
    monkeypatch.setattr(inputs, "_MIN_PART_BYTES", 1)
    write = write_parquet if kind == "parquet" else write_lines
    files = [write(tmp_path / f"{number}.{kind}", records()[number * 10 : number * 10 + 10]) for number in range(3)]

    run(files, tmp_path / "one")
    run(files[::-1], tmp_path / "two", batch_rows=batch_rows)

    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert len(content(tmp_path / "one")) >= 6


def test_two_workers_write_the_bytes_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts depend on the files alone."""
    monkeypatch.setattr(inputs, "_MIN_PART_BYTES", 1)
    file = write_parquet(tmp_path / "a.parquet", records())
    run([file], tmp_path / "one")

    with LocalEngine(2) as engine:
        deduplicate(job([file]), tmp_path / "two", engine)

    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert len(content(tmp_path / "one")) == 16


def test_parquet_and_json_lines_keep_the_same_records(tmp_path: Path) -> None:
    """So does each compression; types are those of JSON."""
    run([write_parquet(tmp_path / "a.parquet", records())], tmp_path / "parquet")

    for suffix in ("jsonl", "jsonl.gz", "jsonl.zst", "json"):
        run([write_lines(tmp_path / f"a.{suffix}", records())], tmp_path / suffix)

        assert kept(tmp_path / suffix) == kept(tmp_path / "parquet")
        assert ledger(tmp_path / suffix) == ledger(tmp_path / "parquet")


def test_all_columns_keep_their_types(tmp_path: Path) -> None:
    """Nested columns, large and unsigned types, dictionaries and metadata pass through."""
    schema = pa.schema(
        [
            ("id", pa.large_string()),
            ("text", pa.large_string()),
            ("tags", pa.list_(pa.struct([("k", pa.string()), ("v", pa.uint8())]))),
            ("kind", pa.dictionary(pa.int32(), pa.string())),
            ("price", pa.decimal128(9, 2)),
            pa.field("at", pa.timestamp("ns", tz="Europe/Berlin"), nullable=False),
        ],
        metadata={"made": "by hand"},
    )
    rows: list[dict[str, Any]] = [
        {"id": name, "text": text(1), "tags": [{"k": name, "v": 200}], "kind": "x", "price": None, "at": 5}
        for name in ("a", "b")
    ]
    file = write_parquet(tmp_path / "a.parquet", rows, schema)

    run([file], tmp_path / "out")

    (one,) = (tmp_path / "out").glob("kept-*")
    assert pq.read_schema(one).equals(pq.read_schema(file), check_metadata=True)
    assert pq.read_table(one).to_pylist() == pq.read_table(file).to_pylist()[:1]
    assert pq.read_table(next((tmp_path / "out").glob("ledger-*"))).schema.field("duplicate_of").type == "large_string"


def test_a_column_that_some_files_lack_is_null_there(tmp_path: Path) -> None:
    """The kept files of a run have one schema."""
    required = pa.schema([("id", pa.string()), ("text", pa.string()), pa.field("n", pa.int64(), nullable=False)])
    one = write_parquet(tmp_path / "a.parquet", [{"id": "a", "text": text(1), "n": 1}], required)
    two = write_parquet(tmp_path / "b.parquet", [{"m": 2.5, "text": text(2), "id": "b"}])

    run([one, two], tmp_path / "out")

    assert kept(tmp_path / "out") == [
        {"id": "a", "text": text(1), "n": 1, "m": None},
        {"id": "b", "text": text(2), "n": None, "m": 2.5},
    ]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_whole_numbers_are_ids(tmp_path: Path, kind: str) -> None:
    """They are ordered as numbers and stay numbers in the ledger."""
    rows = [{"id": number, "text": text(1)} for number in (10, -3, 9)]
    file = (write_parquet if kind == "parquet" else write_lines)(tmp_path / f"a.{kind}", rows)

    run([file], tmp_path / "out")

    assert [row["id"] for row in kept(tmp_path / "out")] == [-3]
    assert [(row["id"], row["duplicate_of"]) for row in ledger(tmp_path / "out")] == [(10, -3), (9, -3)]


def test_without_ids_a_document_is_known_by_its_text(tmp_path: Path) -> None:
    """Equal texts have equal ids, and the first record of each stays."""
    rows = [{"text": text(seed), "n": number} for number, seed in enumerate((1, 2, 1, 1))]
    file = write_parquet(tmp_path / "a.parquet", rows)

    run([file], tmp_path / "out")

    assert [row["n"] for row in kept(tmp_path / "out")] == [0, 1]
    (first, second) = ledger(tmp_path / "out")
    assert first["id"] == second["id"] == first["duplicate_of"]
    assert len(first["id"]) == 32


@pytest.mark.parametrize("empty", [None, "", " .!? "])
def test_texts_without_words_are_kept(tmp_path: Path, empty: str | None) -> None:
    """They have no shingle that another text could share."""
    rows = [{"id": str(number), "text": empty} for number in range(3)]

    with_text = write_parquet(tmp_path / "a.parquet", [*rows, {"id": "x", "text": "a word"}])
    for file in (with_text, write_lines(tmp_path / "a.jsonl", rows)):
        figures = run([file], tmp_path / f"out-{file.suffix}")

        assert figures["removed"] == 0
        assert figures["kept"] >= 3


def test_texts_shorter_than_a_shingle_are_compared_as_a_whole(tmp_path: Path) -> None:
    """Letter case and punctuation do not count; a fifth word makes another text."""
    texts = ["one", "One.", "two", "a b c d", "A b, c d!", "a b c", "a b c d e"]
    file = write_lines(tmp_path / "a.jsonl", [{"id": str(n), "text": value} for n, value in enumerate(texts)])

    run([file], tmp_path / "out")

    assert {row["id"]: row["duplicate_of"] for row in ledger(tmp_path / "out")} == {"1": "0", "4": "3"}


def test_broken_records_are_in_the_ledger(tmp_path: Path) -> None:
    """Their message has the place; the others are deduplicated."""
    rows: list[Any] = ['{"id": "x", "text"', *records(3), '"text"', '{"id": "y", "text": "\\ud800"}']
    file = write_lines(tmp_path / "a.jsonl", rows)

    figures = run([file], tmp_path / "out")

    assert {name: figures[name] for name in ("read", "kept", "removed", "set_aside")} == {
        **{"read": 6, "kept": 2, "removed": 1, "set_aside": 3},
    }
    broken = [row for row in ledger(tmp_path / "out") if row["id"] is None]
    assert [row["rule"] for row in broken] == ["error.not_json", "error.not_json", "error.encoding"]
    assert broken[0]["message"].startswith("a.jsonl, byte 0: ")
    assert all(row["duplicate_of"] is None and row["similarity"] is None for row in broken)


def test_broken_records_of_files_with_one_name_are_told_apart(tmp_path: Path) -> None:
    """Crawls have a folder for each day; the place of all of them is no content of the ledger."""
    for place in ("here", "elsewhere/deep"):
        files = [write_lines(tmp_path / place / f"{day}/a.jsonl", [*records(3 * day)[-3:], "x"]) for day in (1, 2)]
        run(files, tmp_path / place / "out")

    messages = [row["message"] for row in ledger(tmp_path / "here/out") if row["id"] is None]
    assert [message.partition(", byte ")[0] for message in messages] == ["1/a.jsonl", "2/a.jsonl"]
    assert content(tmp_path / "here/out") == content(tmp_path / "elsewhere/deep/out")


def test_a_truncated_stream_is_in_the_ledger(tmp_path: Path) -> None:
    """What was readable before it is deduplicated."""
    file = write_lines(tmp_path / "a.jsonl.gz", records())
    file.write_bytes(file.read_bytes()[:-20])

    figures = run([file], tmp_path / "out")

    assert figures["set_aside"] == 1
    assert figures["read"] > 1
    assert [row["rule"] for row in ledger(tmp_path / "out") if row["id"] is None] == ["error.truncated"]


def test_text_that_is_not_utf8_is_set_aside(tmp_path: Path) -> None:
    """Parquet does not check texts, and they would break whatever compares them."""
    texts = [text(number).encode() for number in range(7)]
    texts[5] = b"\xff\xfe words"
    table = pa.table({"id": list("abcdefg"), "text": pa.array(texts).view(pa.string())})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)

    figures = run([tmp_path / "a.parquet"], tmp_path / "out")

    assert (figures["kept"], figures["set_aside"]) == (6, 1)
    (row,) = ledger(tmp_path / "out")
    assert row["rule"] == "error.encoding"
    assert row["message"] == "a.parquet, row 5: the text or the id is not UTF-8"


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_no_record_is_an_empty_output(tmp_path: Path, kind: str) -> None:
    """The files are there, so that a program that reads them needs no special case."""
    if kind == "parquet":
        schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
        file = write_parquet(tmp_path / "a.parquet", [], schema)
    else:
        file = write_lines(tmp_path / "a.jsonl", [])

    figures = run([file], tmp_path / "out")

    assert figures["read"] == figures["kept"] == 0
    assert len(content(tmp_path / "out")) == 2
    assert kept(tmp_path / "out") == ledger(tmp_path / "out") == []


def test_the_reference_comes_first_and_is_not_written(tmp_path: Path) -> None:
    """Its ids may repeat, and may be those of the files. Its own duplicates are in no ledger."""
    file = write_parquet(tmp_path / "new.parquet", [{"id": "a", "text": text(1)}, {"id": "b", "text": text(2)}])
    known = [{"id": "z", "text": text(3)}, {"id": "z", "text": text(1, changed=1)}, {"id": "b", "text": text(2)}]
    known.append({"id": "zz", "text": text(1)})
    reference = write_parquet(tmp_path / "known.parquet", known)

    figures = run([file], tmp_path / "out", against=[reference])

    assert {row["id"]: row["duplicate_of"] for row in ledger(tmp_path / "out")} == {"a": "z", "b": "b"}
    assert kept(tmp_path / "out") == []
    assert (figures["read"], figures["reference"]) == (2, 4)


TIMES = ["2024-01-03", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00+02:00", None]


@pytest.mark.parametrize(("keep", "expected"), [("oldest", "b"), ("newest", "a"), ("longest", "d")])
@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize("has_reference", [False, True])
def test_keep_decides_which_document_stays(
    tmp_path: Path, keep: str, expected: str, kind: str, has_reference: bool
) -> None:
    """A document of the reference stays in any case."""
    rows = [
        {"id": name, "text": text(1) + extra, "fetched_at": time}
        for name, extra, time in zip("abcd", ("", "", "", " longer"), TIMES, strict=True)
    ]
    write = write_parquet if kind == "parquet" else write_lines
    file = write(tmp_path / f"a.{kind}", rows)
    reference = [write(tmp_path / f"b.{kind}", [{"id": "zz", "text": text(1, changed=1)}])] if has_reference else []

    run([file], tmp_path / "out", keep=keep, against=reference)

    assert {row["duplicate_of"] for row in ledger(tmp_path / "out")} == {"zz" if has_reference else expected}


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_ids_that_repeat_are_refused_before_anything_is_written(tmp_path: Path, kind: str) -> None:
    """The ledger could not say which record it means."""
    names = ["b", "a", "b", "b", "c", "a"]
    rows = [{"id": name, "text": text(number)} for number, name in enumerate(names)]
    file = (write_parquet if kind == "parquet" else write_lines)(tmp_path / f"x.{kind}", rows)

    starts = [0, *(line.end() for line in re.finditer(b"\n", file.read_bytes()))] if kind == "jsonl" else []
    one, other = (f"byte {starts[row]:,}" if kind == "jsonl" else f"row {row}" for row in (1, 5))
    message = f"2 ids occur more than once in `id`: a, b; a is in {file}, {one} and in {file}, {other}$"
    with pytest.raises(ChecksFailedError, match=message) as refused:
        run([file], tmp_path / "out", batch_rows=1)

    assert refused.value.exit_code == 3
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("write", [write_lines, write_parquet])
@pytest.mark.parametrize("missing", [None, "", 1.5])
def test_records_without_an_id_are_refused(tmp_path: Path, write: Any, missing: str | None) -> None:
    """Only files without the column are known by their texts."""
    if isinstance(missing, float) and write is write_parquet:
        pytest.skip("a column of Parquet has one type")
    rows = [{"id": str(number), "text": text(number)} for number in range(6)] + [{"id": missing, "text": text(9)}]
    file = write(tmp_path / "a.file", rows)
    file = file.rename(tmp_path / ("a.jsonl" if write is write_lines else "a.parquet"))
    place = "row 6" if write is write_parquet else f"byte {file.read_bytes().rindex(b'{'):,}"

    with pytest.raises(ChecksFailedError, match=rf"1 record has no id .* in `id`, the first one in {file}, {place}$"):
        run([file], tmp_path / "out")


def test_a_run_that_was_stopped_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any file that it would have written or removed."""
    file = write_parquet(tmp_path / "a.parquet", records())
    run([file], tmp_path / "whole")
    out = tmp_path / "out"

    for method, most in (("write", 40), ("put", 40), ("remove", 40), ("remove_folder", 2)):
        for left in range(most):
            _stop_after(monkeypatch, method, left)
            try:
                run([file], out)
                break
            except KeyboardInterrupt:
                assert (out / running.WORK).exists()
            finally:
                monkeypatch.undo()
        if method == "remove_folder":
            run([file], out)
        assert content(out) == content(tmp_path / "whole")
        for path in out.iterdir():
            path.unlink()


def test_a_run_that_was_stopped_at_its_end_computes_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are there, and it knows its figures. Drafts of dead processes are removed."""
    file = write_parquet(tmp_path / "a.parquet", records())
    out = tmp_path / "out"
    _stop_after(monkeypatch, "remove_folder", 1)
    with pytest.raises(KeyboardInterrupt):
        run([file], out)
    monkeypatch.undo()
    draft = Path(re.sub(r"-\d+-", "-999999999-", draft_of(str(out / "kept"))))
    draft.touch()
    no_engine: Any = None

    figures = deduplicate(job([file]), out, no_engine)

    assert figures["kept"] == 20
    (out / running.WORK).mkdir()
    with pytest.raises(UsageError, match="is not empty"):
        run([file], out)
    assert sorted(path.name[:5] for path in out.iterdir()) == ["kept-", "ledge"]


def _stop_after(monkeypatch: pytest.MonkeyPatch, method: str, left: int) -> None:
    original = getattr(LocalStore, method)
    calls = iter(range(left))

    def stopping(*arguments: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(LocalStore, method, stopping)


def test_an_output_with_other_content_is_refused(tmp_path: Path) -> None:
    """A finished output, a file, a folder of the user, and an unfinished run of another command."""
    file = write_parquet(tmp_path / "a.parquet", records())
    run([file], tmp_path / "out")

    with pytest.raises(UsageError, match="is not empty; it has kept-00000-of-00001"):
        run([file], tmp_path / "out")
    with pytest.raises(UsageError, match="is a file"):
        run([file], file)

    LocalStore(tmp_path / "left" / running.WORK).write("job.json", '{"job": "another"}')
    with pytest.raises(UsageError, match="unfinished run of another command") as refused:
        run([file], tmp_path / "left")
    assert "rm -r" in (refused.value.hint or "")


def test_an_output_has_one_writer(tmp_path: Path) -> None:
    """A second process would remove the work folder of the first."""
    file = write_parquet(tmp_path / "a.parquet", records())

    with LocalStore(tmp_path / "out" / running.WORK).lock("lock"), pytest.raises(LockHeldError):
        run([file], tmp_path / "out")


def test_a_file_that_changes_during_the_run_stops_it(tmp_path: Path) -> None:
    """Rows are found again by their number."""
    file = write_parquet(tmp_path / "a.parquet", records())
    planned = job([file])
    write_parquet(file, records(29))

    with pytest.raises(DamagedFileError, match="has changed during the run"):
        deduplicate(planned, tmp_path / "out", LocalEngine(0))


def test_a_full_disk_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished stays for the next run."""
    file = write_parquet(tmp_path / "a.parquet", records())

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "_publish", full)

    with pytest.raises(UnfinishedError, match="the disk is full"):
        run([file], tmp_path / "out")
    monkeypatch.undo()
    assert run([file], tmp_path / "out")["kept"] == 20


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()),
        max_size=12,
    )
)
def test_every_record_is_kept_or_in_the_ledger(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    """Whatever is broken, equal or similar; and no two kept texts are duplicates."""
    folder = tmp_path_factory.mktemp("law")
    lines: list[Any] = [
        "{broken" if is_broken else {"id": str(number), "text": text(seed, changed=changed)}
        for number, (seed, changed, is_broken) in enumerate(rows)
    ]
    run([write_lines(folder / "a.jsonl", lines)], folder / "out")

    left, gone = kept(folder / "out"), ledger(folder / "out")
    whole = {line["id"]: line["text"] for line in lines if isinstance(line, dict)}
    assert len(left) + len(gone) == len(rows)
    assert {row["id"] for row in (*left, *gone)} - {None} == set(whole)
    pairs = [(one, other) for one in left for other in left if one["id"] < other["id"]]
    assert all(similarity(one["text"], other["text"]) < 0.8 for one, other in pairs)
