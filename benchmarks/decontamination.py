"""Measure decontamination: planted evaluation texts that are missed, false hits, time a document, memory of the index.

    python -m benchmarks.decontamination [--documents 4000] [--words 700] [--tokens 1000000]

Evaluation texts of 5 to 75 words, *tokens* in total, are written as JSON Lines. Documents of about *words* words are
drawn from the same vocabulary of 50,000 made-up words, whose frequencies follow Zipf's law. One evaluation text is
planted into each document of four sets: unchanged, in another case, with other white space and punctuation over several
lines, or all of it; at the start, in the middle and at the end. The stage runs alone, in one process, on batches of
1,000 documents.

*missed* counts planted texts that are not among the hits of their document, *false* all hits of texts that were not
planted, and *µs* is CPU time a document. The set `curly quotes` is not ASCII, so that its case is folded by other code.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.planning.contents import contents_of
from corpusmill.pipelines.stages.apply import Apply
from corpusmill.pipelines.stages.decontaminate.stage import Decontaminate
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.storage import open_store

VOCABULARY: Final = 50_000
BATCH: Final = 1_000
SEPARATORS: Final = (" ", "\n", " - ", ", ", "… “", "\n\n* ", "_", ")(", " ** ")
CURLY: Final = "curly quotes"
Change = Callable[[str, random.Random], str]


class Document(NamedTuple):
    """A document, and the number of the record that is planted in it; None: none is."""

    text: str
    record: int | None


def main() -> None:
    """Print a row for each set of documents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=4000, help="documents of each set")
    parser.add_argument("--words", type=int, default=700, help="words of a document")
    parser.add_argument("--tokens", type=int, default=1_000_000, help="words of the evaluation texts")
    options = parser.parse_args()
    chance = random.Random(1)
    draw = words_of(chance)
    texts = list(evaluation_texts(chance, draw, options.tokens))
    print(f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}, pyarrow {pa.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(f"{json.dumps({'text': text}, ensure_ascii=False)}\n" for text in texts)
        (Path(folder) / "evaluation.jsonl").write_text(lines)
        stage = Measured(Path(folder))
        print(f"{len(texts):,} evaluation texts, {sum(len(text.split()) for text in texts):,} words; {stage.built()}")
        print(f"{'documents':<24}{'count':>8}{'missed':>8}{'false':>8}{'µs':>8}")
        for name, change in SETS.items():
            documents = [document(chance, draw, options.words, texts, change) for _ in range(options.documents)]
            if name == CURLY:
                documents = [Document(f"“{one.text}”", None) for one in documents]
            print(f"{name:<24}{len(documents):>8,}{stage.row(documents)}")


def words_of(chance: random.Random) -> Callable[[int], list[str]]:
    """Return a function that draws words by Zipf's law."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
    return lambda count: chance.choices(vocabulary, cum_weights=weights, k=count)


def evaluation_texts(chance: random.Random, draw: Callable[[int], list[str]], tokens: int) -> Iterator[str]:
    """Yield texts with *tokens* words in total. Texts as short as common phrases have rare words."""
    while tokens > 0:
        count = chance.randint(5, 75)
        yield " ".join([*draw(count - 2), *(f"{chance.randrange(1 << 40):x}" for _ in range(2))])
        tokens -= count


def other_case(text: str, chance: random.Random) -> str:
    """Return *text* in upper case, or with capital letters."""
    return chance.choice([str.upper, str.title, str.swapcase])(text)


def other_separators(text: str, chance: random.Random) -> str:
    """Return the words of *text* with other white space and punctuation, over several lines."""
    return "".join(word + chance.choice(SEPARATORS) for word in text.split())


SETS: Final[dict[str, Change | None]] = {
    "nothing planted": None,
    CURLY: None,
    "planted unchanged": lambda text, _: text,
    "planted, case": other_case,
    "planted, separators": other_separators,
    "planted, both": lambda text, chance: other_case(other_separators(text, chance), chance),
}


def document(
    chance: random.Random, draw: Callable[[int], list[str]], words: int, texts: Sequence[str], change: Change | None
) -> Document:
    """Return a document with an evaluation text, if there is a *change* of it."""
    names = draw(words)
    if change is None:
        return Document(" ".join(names), None)
    record, where = chance.randrange(len(texts)), chance.choice([0, words // 2, words])
    pieces = [" ".join(names[:where]), change(texts[record], chance), " ".join(names[where:])]
    return Document("\n".join(pieces).strip(), record + 1)


class Measured:
    """The stage with its evaluation file in *folder*."""

    def __init__(self, folder: Path) -> None:
        stage = Decontaminate(against=("evaluation.jsonl",))
        contents = contents_of("decontaminate", stage, base=folder)
        self._context = TaskContext(open_store(folder), "benchmark", partition=0, contents=contents)
        self._hits: list[pa.RecordBatch] = []
        self._context.sides = {"hits": self._hits.append}
        self._function = Apply.of("decontaminate", stage).build()

    def built(self) -> str:
        """Build the index, and return its time and memory."""
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        self._apply([Document("some words", None)])
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return f"index: {time.process_time() - started:.1f} CPU s, {(after - before) / 1024:,.0f} MiB"

    def row(self, documents: Sequence[Document]) -> str:
        """Return misses, false hits and time for *documents*."""
        self._hits.clear()
        seconds = self._apply(documents)
        rows = [row for batch in self._hits for row in batch.select(["id", "record"]).to_pylist()]
        hits = {(int(row["id"], 16), row["record"]) for row in rows}
        planted = {(number, one.record) for number, one in enumerate(documents) if one.record is not None}
        return f"{len(planted - hits):>8}{len(hits - planted):>8}{1e6 * seconds / len(documents):>8.0f}"

    def _apply(self, documents: Sequence[Document]) -> float:
        """Apply the stage, and return the CPU seconds."""
        batches = [captures(documents[start : start + BATCH], start) for start in range(0, len(documents), BATCH)]
        started = time.process_time()
        with running(self._context):
            for batch in batches:
                self._function(batch)
        return time.process_time() - started


def captures(documents: Sequence[Document], first: int) -> pa.RecordBatch:
    """Return *documents* as the stage receives them; the id is the number of the document, from *first*."""
    rows = [
        {"id": f"{number:032x}", "text": one.text, "text_bytes": len(one.text.encode())}
        for number, one in enumerate(documents, start=first)
    ]
    schema = pa.schema([column.with_nullable(True) for column in CAPTURE])
    return pa.RecordBatch.from_pylist(rows, schema=schema)


if __name__ == "__main__":
    main()
