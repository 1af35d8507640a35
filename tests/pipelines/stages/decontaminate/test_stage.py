"""The stage on documents in memory: verdicts, masks, the account of bytes, and the table of hits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from corpusmill.pipelines.stages.decontaminate.masking import MASK
from corpusmill.pipelines.stages.decontaminate.stage import Decontaminate
from corpusmill.schemas.errors import DamagedFileError
from tests.pipelines.stages.decontaminate.sets import applied, phrase, write_lines

CHANCE = random.Random(2)
QUESTION, ANSWER, LONG = phrase(CHANCE, 20), phrase(CHANCE, 9), phrase(CHANCE, 900)
DOCUMENTS = [
    "Nothing is in this one.",
    f"Quiz, née “test”:\n{QUESTION.upper()}\n— {ANSWER.title()}!\nEnd",
    f"Only {ANSWER}, twice: {ANSWER}.",
    "",
    f"A part: {' '.join(QUESTION.split()[:13])}",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two evaluation files."""
    write_lines(tmp_path / "eval" / "a.jsonl", [{"q": "unrelated words of no document at all"}, {"q": QUESTION}])
    write_lines(tmp_path / "eval" / "b.jsonl", [{"answer": ANSWER, "long": LONG}, {"answer": "yes"}])
    return tmp_path


def stage(**params: Any) -> Decontaminate:
    return Decontaminate.model_validate({"against": ("eval/*.jsonl",), **params})


def test_documents_with_evaluation_texts_are_rejected(folder: Path) -> None:
    """The ledger names the file, the record and the field; the value is the coverage."""
    result = applied(stage(), folder, DOCUMENTS)

    assert [row["rule"] for row in result.rows] == [None, *["decontaminate.overlap"] * 2, None, "decontaminate.overlap"]
    assert [row["decontaminate.coverage"] for row in result.rows] == [0, 1, 1, 0, 0.65]
    assert [(row["value"], row["threshold"]) for row in result.rows if row["rule"]] == [(1, 0.5), (1, 0.5), (0.65, 0.5)]
    assert result.rows[1]["message"] == "eval/a.jsonl, record 2, `q`, and 1 more"
    assert result.rows[2]["message"] == "eval/b.jsonl, record 1, `answer`"
    assert [row["text"] for row in result.rows] == DOCUMENTS
    assert result.counters["law/decontaminate/rule/decontaminate.overlap"] == 3


def test_hits_have_both_texts_and_their_places(folder: Path) -> None:
    """A person decides with one look whether the hit is right."""
    hits = applied(stage(), folder, DOCUMENTS).hits

    assert [(int(hit["id"], 16), hit["file"], hit["record"], hit["field"]) for hit in hits] == [
        (1, "eval/a.jsonl", 2, "q"),
        (1, "eval/b.jsonl", 1, "answer"),
        (2, "eval/b.jsonl", 1, "answer"),
        (2, "eval/b.jsonl", 1, "answer"),
        (4, "eval/a.jsonl", 2, "q"),
    ]
    assert all(DOCUMENTS[int(hit["id"], 16)][hit["start"] : hit["end"]] == hit["text"] for hit in hits)
    assert hits[0]["text"] == QUESTION.upper()
    assert {hit["evaluation_text"] for hit in hits} == {QUESTION, ANSWER}
    assert [hit["texts"] for hit in hits] == [2, 2, 1, 1, 1]
    decision = ("decontaminate.overlap", "remove", 0.5)
    assert {(hit["rule"], hit["action"], hit["threshold"]) for hit in hits} == {decision}


def test_the_evaluation_text_is_shown_around_the_match(folder: Path) -> None:
    """A whole book would hide the match."""
    part = " ".join(LONG.split()[400:500])

    (hit,) = applied(stage(min_coverage=0.1), folder, [f"See {part}."]).hits

    assert part in hit["evaluation_text"]
    assert len(hit["evaluation_text"]) <= len(part) + 400


def test_masked_spans_are_the_hits_and_bytes_are_accounted_for(folder: Path) -> None:
    """Nothing is cut that is not in the table, and the engine's law of bytes holds."""
    result = applied(stage(action="mask"), folder, DOCUMENTS)

    assert [row["text"] for row in result.rows] == [
        DOCUMENTS[0],
        f"Quiz, née “test”:\n{MASK}\n— {MASK}!\nEnd",
        f"Only {MASK}, twice: {MASK}.",
        "",
        f"A part: {MASK}",
    ]
    assert {row["rule"] for row in result.rows} == {None}
    assert {hit["action"] for hit in result.hits} == {"mask"}
    law = {name.rpartition("/")[2]: count for name, count in result.counters.items()}
    assert law["bytes_added"] == 5 * len(MASK)
    assert law["bytes_cut"] == sum(len(hit["text"].encode()) for hit in result.hits)
    assert law["bytes_in"] + law["bytes_added"] == law["bytes_out"] + law["bytes_cut"]


def test_each_masked_span_is_recorded_like_text_that_was_cut(folder: Path) -> None:
    """In bytes of the text before, with the benchmark that it is from; `explain` shows it like any other cut."""
    result = applied(stage(action="mask"), folder, DOCUMENTS)

    for number, before in enumerate(DOCUMENTS):
        after = before.encode()
        own = [cut for cut in result.cuts if int(cut["id"], 16) == number]
        for cut in reversed(own):
            assert after[cut["start"] : cut["end"]].decode() == cut["sample_text"]
            after = after[: cut["start"]] + MASK.encode() + after[cut["end"] :]
        assert after.decode() == result.rows[number]["text"]
    assert [(int(cut["id"], 16), cut["message"], cut["file"]) for cut in result.cuts] == [
        (1, "eval/a.jsonl, record 2, `q`", "eval/a.jsonl"),
        (1, "eval/b.jsonl, record 1, `answer`", "eval/b.jsonl"),
        (2, "eval/b.jsonl, record 1, `answer`", "eval/b.jsonl"),
        (2, "eval/b.jsonl, record 1, `answer`", "eval/b.jsonl"),
        (4, "eval/a.jsonl, record 2, `q`", "eval/a.jsonl"),
    ]
    assert {(cut["rule"], cut["first_id"]) for cut in result.cuts} == {("decontaminate.overlap", None)}
    assert applied(stage(), folder, DOCUMENTS).cuts == []


def test_a_span_of_several_evaluation_texts_names_the_one_with_the_greatest_coverage(folder: Path) -> None:
    """Texts that overlap are one span, with the number of the others."""
    words = phrase(CHANCE, 40).split()
    rows = [
        {"t": " ".join(words[:30])},
        {"t": " ".join(words[10:])},
        {"t": " ".join([*words[20:40], *LONG.split()[:9]])},
    ]
    write_lines(folder / "eval" / "c.jsonl", rows)

    result = applied(stage(action="mask"), folder, [f"So é: {' '.join(words)}."])

    (cut,) = result.cuts
    assert result.rows[0]["text"] == f"So é: {MASK}."
    assert (cut["start"], cut["end"]) == (len("So é: ".encode()), len(f"So é: {' '.join(words)}".encode()))
    assert cut["message"] == "eval/c.jsonl, record 1, `t`, and 2 more"


@pytest.mark.parametrize("action", ["remove", "mask"])
def test_results_do_not_depend_on_batches(folder: Path, action: str) -> None:
    """Batches of 1, 7 and 1,000 rows."""
    documents = DOCUMENTS * 5

    one, seven, all_ = (applied(stage(action=action), folder, documents, batch_rows=n) for n in (1, 7, 1000))

    assert one == seven == all_


def test_only_the_named_columns_are_compared(folder: Path) -> None:
    """An answer alone may be a common sentence."""
    result = applied(stage(against=({"path": "eval/b.jsonl", "columns": ("long",)},)), folder, DOCUMENTS)

    assert {row["rule"] for row in result.rows} == {None}


def test_a_changed_file_is_another_index(folder: Path) -> None:
    """A worker keeps its index, but not beyond the content of the files."""
    before = applied(stage(), folder, DOCUMENTS)

    write_lines(folder / "eval" / "b.jsonl", [{"answer": DOCUMENTS[0]}])

    after = applied(stage(), folder, DOCUMENTS)
    assert [bool(row["rule"]) for row in before.rows] == [False, True, True, False, True]
    assert [bool(row["rule"]) for row in after.rows] == [True, True, False, False, True]


def test_a_file_that_changes_during_the_run_stops_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results would be stored under the hash of other content."""
    path = write_lines(folder / "eval" / "b.jsonl", [{"answer": "some new words for this test only"}])
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read(self) + (b"\n" if self == path else b""))

    with pytest.raises(DamagedFileError, match="has changed since the run started"):
        applied(stage(), folder, DOCUMENTS)


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"short_ngram": 14}, "use `short_ngram: 13`"),
        ({"min_words": 9}, "use `min_words: 8`"),
        ({"ngram": 6}, "use `short_ngram: 6`"),
    ],
)
def test_sizes_must_be_in_order(params: dict[str, int], hint: str) -> None:
    """A text has n-grams of one length, which depends on its own."""
    with pytest.raises(ValidationError, match=hint):
        stage(**params)
