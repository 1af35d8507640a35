"""Hard inputs of `dedup` under a bound on memory: documents of 32 MB, and very many equal ones."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands.conftest import Command
from tests.pipelines.file_dedup.files import kept, ledger, text, write_lines

pytestmark = pytest.mark.slow
BOUND = ("--memory", "500MB", "--workers", 2, "--quiet")
LONGEST = 32_000_000


def test_documents_of_32_megabytes_are_compared(command: Command, tmp_path: Path) -> None:
    """The text of one fills a batch, whether it has millions of words or one."""
    chance = random.Random(1)
    words = " ".join(f"word{chance.randrange(20_000)}" for _ in range(LONGEST // 9))
    texts = {
        "long": words,
        "copy": words[: -len(words) // 20],
        "short": text(1),
        "word": "x" * LONGEST,
        "word2": "X" * LONGEST,
    }
    write_lines(tmp_path / "a.jsonl", [{"id": name, "text": value} for name, value in texts.items()])

    answer = command("dedup", "a.jsonl", "--out", "out", *BOUND)

    assert answer.code == 0, answer.err
    assert {row["id"]: row["duplicate_of"] for row in ledger(tmp_path / "out")} == {"long": "copy", "word2": "word"}


def test_equal_documents_end_with_one(command: Command, tmp_path: Path) -> None:
    """They are one vertex, so nothing is compared and no task holds them all."""
    count = 100_000
    table = pa.table({"id": pa.array(range(count)), "text": pa.array([text(1, words=300)] * count)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=10_000)

    answer = command("dedup", "a.parquet", "--out", "out", *BOUND)

    assert answer.code == 0, answer.err
    assert [row["id"] for row in kept(tmp_path / "out")] == [0]
    removed = ledger(tmp_path / "out")
    assert len(removed) == count - 1
    assert {(row["duplicate_of"], row["similarity"]) for row in removed} == {(0, 1.0)}
