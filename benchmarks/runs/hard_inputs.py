"""Inputs whose disk use is hard to predict: broken, rejected, skewed, tiny, or other than their name suggests."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.runs.documents import documents, write_archive, write_documents

_JUDGED: Final = "quality, pii, exact_dedup, near_dedup"
FULL: Final = f"[normalize, {{language: {{min_score: 0.1}}}}, {_JUDGED}]"
GERMAN: Final = f"[normalize, {{language: {{keep: [de]}}}}, {_JUDGED}]"
VIEWS: Final = f"[normalize, {_JUDGED}, {{stop_words: {{into: bare}}}}, {{lemmatize: {{into: lemmas}}}}]"
PAGES: Final = f"[extract, {FULL[1:]}"
SITES: Final = f"[extract, site_boilerplate, {FULL[1:]}"
FEW: Final = "[normalize]"
_CUT: Final = 20_000
"""Characters of generated prose per piece."""


@dataclass(frozen=True)
class Kind:
    """An input and the recipe that runs it.

    Args:
        write: Writes the input to a folder, with its size multiplied by a number; returns the fields of the source.
        target: `shards.target_bytes`.
    """

    write: Callable[[Path, float], str]
    stages: str = FULL
    target: str = "256MB"

    def recipe(self, folder: Path, size: float) -> Path:
        """Write the input and a recipe to *folder*, and return the path of the recipe."""
        source = self.write(folder, size)
        path = folder / "recipe.yaml"
        path.write_text(
            f"dataset: measured\nsources:\n  - load: {{name: source, {source}}}\nstages: {self.stages}\n"
            f"shards: {{target_bytes: {self.target}}}\nsplit: {{train: 0.8, validation: 0.1, test: 0.1}}\n"
            "checks: {min_documents: 0}\n"
        )
        return path


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write *rows* to *path* as JSON Lines, compressed if the suffix is `.gz`."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.writelines(f"{json.dumps(row)}\n".encode() for row in rows)


def prose(sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield one document for each of *sizes*, in characters."""
    chance = random.Random(1)
    pool = "\n\n".join(document["text"] for document in documents(600))
    for number, size in enumerate(sizes):
        starts = range(0, max(1, size), _CUT)
        places = [(chance.randrange(len(pool) - _CUT), min(_CUT, size - start)) for start in starts]
        yield {"id": f"d{number}", "text": "".join(pool[place : place + length] for place, length in places)}


def ordinary(folder: Path, size: float) -> str:
    """Generated documents, as in other benchmarks."""
    write_documents(folder / "a.jsonl", int(6_000 * size))
    return "format: jsonl, path: a.jsonl"


def broken_lines(folder: Path, size: float) -> str:
    """Text that is not JSON, as if the recipe named the wrong format; one line in 500 is a record."""
    with (folder / "a.jsonl").open("wb") as file:
        for number, document in enumerate(documents(int(8_000 * size))):
            line = json.dumps(document) if not number % 500 else document["text"].replace("\n", " ")
            file.write(f"{line}\n".encode())
    return "format: jsonl, path: a.jsonl"


def short_broken_lines(folder: Path, size: float) -> str:
    """Lines of ten characters that are not records."""
    chance = random.Random(3)
    with (folder / "a.jsonl").open("wb") as file:
        file.writelines(f"x{chance.random():.8f}\n".encode() for _ in range(int(600_000 * size)))
    return "format: jsonl, path: a.jsonl"


def broken_gzip(folder: Path, size: float) -> str:
    """A gzip stream that is damaged near its beginning, so the rest becomes one broken record."""
    intact = folder / "whole.jsonl.gz"
    write_documents(intact, int(6_000 * size))
    data = bytearray(intact.read_bytes())
    data[20_000:20_100] = bytes(100)
    intact.unlink()
    (folder / "a.jsonl.gz").write_bytes(data)
    return "format: jsonl, path: a.jsonl.gz"


def gzip_broken_late(folder: Path, size: float) -> str:
    """A gzip stream that is damaged after its first twentieth."""
    intact = folder / "whole.jsonl.gz"
    write_documents(intact, int(12_000 * size))
    data = bytearray(intact.read_bytes())
    data[len(data) // 20 : len(data) // 20 + 100] = bytes(100)
    intact.unlink()
    (folder / "a.jsonl.gz").write_bytes(data)
    return "format: jsonl, path: a.jsonl.gz"


def broken_lines_in_gzip(folder: Path, size: float) -> str:
    """Lines that are not records and compress well."""
    with gzip.open(folder / "a.jsonl.gz", "wb", 6) as file:
        for number, document in enumerate(documents(int(100_000 * size))):
            file.write(f"{number % 97}: {document['text'][:20]} {'and so on ' * 60}\n".replace("\n\n", " ").encode())
    return "format: jsonl, path: a.jsonl.gz"


def broken_files(folder: Path, size: float) -> str:
    """Files that are not text in any encoding."""
    chance = random.Random(3)
    for number in range(int(400 * size)):
        (folder / f"{number}.txt").write_bytes(b"\xff\x00" + chance.randbytes(60_000))
    return "format: text, path: '*.txt'"


def broken_archives(folder: Path, size: float) -> str:
    """A WARC file that is damaged after every few records."""
    pages_of_documents = (
        (document["url"], f"<p>{document['text']}".encode()) for document in documents(int(4_000 * size))
    )
    write_archive(folder / "a.warc", pages_of_documents)
    data = bytearray((folder / "a.warc").read_bytes())
    for start in range(50_000, len(data), 40_000):
        data[start : start + 8_000] = bytes(8_000)
    (folder / "a.warc").write_bytes(data)
    return "format: warc, path: a.warc"


def null_texts(folder: Path, size: float) -> str:
    """A Parquet file with null texts and other columns."""
    chance = random.Random(3)
    rows = [{"id": f"d{n}", "text": None, "blob": chance.randbytes(2_000)} for n in range(int(6_000 * size))]
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("blob", pa.binary())])
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "a.parquet")
    return "format: parquet, path: a.parquet"


def other_fields(folder: Path, size: float) -> str:
    """Records that consist mostly of fields other than the text, which become metadata or are dropped."""
    chance = random.Random(3)
    rows = (
        {"id": f"d{n}", "text": document["text"][:200], "raw": chance.randbytes(1_500).hex()}
        for n, document in enumerate(documents(int(6_000 * size)))
    )
    write_lines(folder / "a.jsonl", rows)
    return "format: jsonl, path: a.jsonl"


def skewed(folder: Path, size: float) -> str:
    """Sizes that follow a power law: a hundredth of the documents holds most of the text."""
    chance = random.Random(1)
    sizes = (int(min(400 * chance.paretovariate(0.8), 4_000_000)) for _ in range(int(6_000 * size)))
    write_lines(folder / "a.jsonl", prose(sizes))
    return "format: jsonl, path: a.jsonl"


def small_first(folder: Path, size: float) -> str:
    """Small documents at the beginning, large documents at the end."""
    write_lines(folder / "a.jsonl", prose([200] * int(2_000 * size) + [60_000] * int(400 * size)))
    return "format: jsonl, path: a.jsonl"


def small_first_gzip(folder: Path, size: float) -> str:
    """Small documents first in one compressed file, which can only be sampled at its beginning."""
    small_first(folder, size)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes(), 6))
    (folder / "a.jsonl").unlink()
    return "format: jsonl, path: a.jsonl.gz"


def large_first_gzip(folder: Path, size: float) -> str:
    """Large documents first, then small ones, in one compressed file."""
    sizes = [60_000] * int(400 * size) + [200] * int(20_000 * size)
    write_lines(folder / "a.jsonl.gz", prose(sizes))
    return "format: jsonl, path: a.jsonl.gz"


def one_large_file_of_many(folder: Path, size: float) -> str:
    """A thousand small files and one large one."""
    write_documents(folder / "a.jsonl", int(5_000 * size))
    for number, row in enumerate(prose([300] * 1_000)):
        (folder / f"{number}.jsonl").write_text(json.dumps(row))
    return "format: jsonl, path: '*.jsonl'"


def compressible(folder: Path, size: float) -> str:
    """Repetitive texts, which gzip compresses to a hundredth."""
    numbered = enumerate(documents(int(4_000 * size)))
    write_lines(folder / "a.jsonl.gz", ({"id": f"d{n}", "text": f"{one['text'][:120]} " * 80} for n, one in numbered))
    return "format: jsonl, path: a.jsonl.gz"


def alike(folder: Path, size: float) -> str:
    """The same text in every document."""
    text = next(documents(1))["text"]
    write_lines(folder / "a.jsonl.gz", ({"id": f"d{n}", "text": text} for n in range(int(8_000 * size))))
    return "format: jsonl, path: a.jsonl.gz"


def empty(folder: Path, size: float) -> str:
    """Empty files."""
    for number in range(int(200 * size)):
        (folder / f"{number}.jsonl").write_bytes(b"")
    return "format: jsonl, path: '*.jsonl'"


def empty_texts(folder: Path, size: float) -> str:
    """Records without text."""
    write_lines(folder / "a.jsonl", ({"id": f"d{n}", "text": ""} for n in range(int(150_000 * size))))
    return "format: jsonl, path: a.jsonl"


def one_document(folder: Path, size: float) -> str:
    """One document of 30 MB."""
    write_lines(folder / "a.jsonl", prose([int(30_000_000 * size)]))
    return "format: jsonl, path: a.jsonl"


def one_text(folder: Path, size: float) -> str:
    """One text file of 30 MB, which is one document."""
    (row,) = prose([int(30_000_000 * size)])
    (folder / "a.txt").write_text(row["text"])
    return "format: text, path: a.txt"


def too_large(folder: Path, size: float) -> str:
    """One document of 50 MB, above the size limit of a text."""
    write_lines(folder / "a.jsonl", prose([int(50_000_000 * size)]))
    return "format: jsonl, path: a.jsonl"


def too_large_among(folder: Path, size: float) -> str:
    """One document of 50 MB among 3,000 ordinary documents."""
    write_documents(folder / "a.jsonl", int(3_000 * size))
    write_lines(folder / "b.jsonl", prose([50_000_000]))
    return "format: jsonl, path: '*.jsonl'"


def files_of_one(folder: Path, size: float) -> str:
    """Thousands of files with one record each."""
    for number, document in enumerate(documents(int(3_000 * size))):
        (folder / f"{number}.jsonl").write_text(json.dumps(document))
    return "format: jsonl, path: '*.jsonl'"


def small_files(folder: Path, size: float) -> str:
    """Thousands of text files of 100 bytes."""
    for number, row in enumerate(prose([100] * int(4_000 * size))):
        (folder / f"{number}.txt").write_text(row["text"])
    return "format: text, path: '*.txt'"


def short(folder: Path, size: float) -> str:
    """Records of a few words."""
    write_lines(folder / "a.jsonl", prose([60] * int(60_000 * size)))
    return "format: jsonl, path: a.jsonl"


def requests_only(folder: Path, size: float) -> str:
    """A WARC file without responses, and therefore without documents."""
    chance = random.Random(3)
    with (folder / "a.warc").open("wb") as file:
        for number in range(int(4_000 * size)):
            block = chance.randbytes(1_000).hex().encode()
            head = f"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:x:{number}>\r\n"
            head += f"WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Length: {len(block)}\r\n\r\n"
            file.write(head.encode() + block + b"\r\n\r\n")
    return "format: warc, path: a.warc"


def pages(folder: Path, size: float) -> str:
    """HTML pages in a WARC file."""
    write_documents(folder / "a.warc.gz", int(3_000 * size))
    return "format: warc, path: a.warc.gz"


def tiny(folder: Path, size: float) -> str:
    """Fifty documents, fewer than a sample reads."""
    write_documents(folder / "a.jsonl", int(50 * size))
    return "format: jsonl, path: a.jsonl"


KINDS: Final = {
    "ordinary": Kind(ordinary),
    "few stages": Kind(ordinary, FEW),
    "no stages": Kind(ordinary, "[]"),
    "views": Kind(ordinary, VIEWS),
    "rejected": Kind(ordinary, "[normalize, {language: {keep: [de]}}]"),
    "rejected, full": Kind(ordinary, GERMAN),
    "shards of 1 MB": Kind(ordinary, target="1MB"),
    "shards of 100 kB": Kind(ordinary, target="100kB"),
    "shards of 20 kB": Kind(ordinary, target="20kB"),
    "shards of 20 kB, views": Kind(ordinary, VIEWS, target="20kB"),
    "tiny, shards of 1 kB": Kind(tiny, target="1kB"),
    "tiny": Kind(tiny),
    "broken lines": Kind(broken_lines),
    "short broken lines": Kind(short_broken_lines),
    "broken gzip": Kind(broken_gzip),
    "gzip broken late": Kind(gzip_broken_late),
    "broken lines in gzip": Kind(broken_lines_in_gzip),
    "broken files": Kind(broken_files),
    "broken archives": Kind(broken_archives, PAGES),
    "null texts": Kind(null_texts),
    "other fields": Kind(other_fields),
    "skewed": Kind(skewed),
    "small first": Kind(small_first),
    "small first, gzip": Kind(small_first_gzip),
    "large first, gzip": Kind(large_first_gzip),
    "one large file of many": Kind(one_large_file_of_many),
    "compressible": Kind(compressible, FEW),
    "alike": Kind(alike),
    "alike, few stages": Kind(alike, FEW),
    "empty files": Kind(empty),
    "empty texts": Kind(empty_texts),
    "one document": Kind(one_document, FEW),
    "one text": Kind(one_text, FEW),
    "too large": Kind(too_large),
    "too large among others": Kind(too_large_among),
    "files of one record": Kind(files_of_one),
    "small files": Kind(small_files),
    "short records": Kind(short),
    "requests only": Kind(requests_only, PAGES),
    "pages": Kind(pages, PAGES),
    "pages, boilerplate": Kind(pages, SITES),
}
