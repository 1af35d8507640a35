"""Inputs whose need of disk is hard to foresee: broken, rejected, skewed, tiny, or of another kind than they look."""

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
"""Characters of made prose in one piece."""


@dataclass(frozen=True)
class Kind:
    """An input and the recipe that runs it.

    Args:
        write: Writes the input to a folder, its size multiplied by a number; returns fields of the source.
        target: `shards.target_bytes`.
    """

    write: Callable[[Path, float], str]
    stages: str = FULL
    target: str = "256MB"

    def recipe(self, folder: Path, size: float) -> Path:
        """Write the input to *folder*, and return the recipe beside it."""
        source = self.write(folder, size)
        path = folder / "recipe.yaml"
        path.write_text(
            f"dataset: measured\nsources:\n  - load: {{name: source, {source}}}\nstages: {self.stages}\n"
            f"shards: {{target_bytes: {self.target}}}\nsplit: {{train: 0.8, validation: 0.1, test: 0.1}}\n"
            "checks: {min_documents: 0}\n"
        )
        return path


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write *rows* to *path* as JSON Lines, as gzip where its name says so."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as file:
        file.writelines(f"{json.dumps(row)}\n".encode() for row in rows)


def prose(sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield a document of each of *sizes*, in characters."""
    chance = random.Random(1)
    pool = "\n\n".join(document["text"] for document in documents(600))
    for number, size in enumerate(sizes):
        starts = range(0, max(1, size), _CUT)
        places = [(chance.randrange(len(pool) - _CUT), min(_CUT, size - start)) for start in starts]
        yield {"id": f"d{number}", "text": "".join(pool[place : place + length] for place, length in places)}


def ordinary(folder: Path, size: float) -> str:
    """Made documents as other benchmarks run them."""
    write_documents(folder / "a.jsonl", int(6_000 * size))
    return "format: jsonl, path: a.jsonl"


def broken_lines(folder: Path, size: float) -> str:
    """Text that is no JSON, as where the wrong format is named; one line in 500 is a record."""
    with (folder / "a.jsonl").open("wb") as file:
        for number, document in enumerate(documents(int(8_000 * size))):
            line = json.dumps(document) if not number % 500 else document["text"].replace("\n", " ")
            file.write(f"{line}\n".encode())
    return "format: jsonl, path: a.jsonl"


def short_broken_lines(folder: Path, size: float) -> str:
    """Lines of ten characters that are no records."""
    chance = random.Random(3)
    with (folder / "a.jsonl").open("wb") as file:
        file.writelines(f"x{chance.random():.8f}\n".encode() for _ in range(int(600_000 * size)))
    return "format: jsonl, path: a.jsonl"


def broken_gzip(folder: Path, size: float) -> str:
    """A gzip stream that is damaged near its beginning: one broken record stands for all the rest."""
    made = folder / "whole.jsonl.gz"
    write_documents(made, int(6_000 * size))
    data = bytearray(made.read_bytes())
    data[20_000:20_100] = bytes(100)
    made.unlink()
    (folder / "a.jsonl.gz").write_bytes(data)
    return "format: jsonl, path: a.jsonl.gz"


def gzip_broken_late(folder: Path, size: float) -> str:
    """A gzip stream that is damaged behind a twentieth of it."""
    made = folder / "whole.jsonl.gz"
    write_documents(made, int(12_000 * size))
    data = bytearray(made.read_bytes())
    data[len(data) // 20 : len(data) // 20 + 100] = bytes(100)
    made.unlink()
    (folder / "a.jsonl.gz").write_bytes(data)
    return "format: jsonl, path: a.jsonl.gz"


def broken_lines_in_gzip(folder: Path, size: float) -> str:
    """Lines that are no records, and compress well."""
    with gzip.open(folder / "a.jsonl.gz", "wb", 6) as file:
        for number, document in enumerate(documents(int(100_000 * size))):
            file.write(f"{number % 97}: {document['text'][:20]} {'and so on ' * 60}\n".replace("\n\n", " ").encode())
    return "format: jsonl, path: a.jsonl.gz"


def broken_files(folder: Path, size: float) -> str:
    """Files that are no text in any encoding."""
    chance = random.Random(3)
    for number in range(int(400 * size)):
        (folder / f"{number}.txt").write_bytes(b"\xff\x00" + chance.randbytes(60_000))
    return "format: text, path: '*.txt'"


def broken_archives(folder: Path, size: float) -> str:
    """WARC files with damage behind a few records."""
    made = ((document["url"], f"<p>{document['text']}".encode()) for document in documents(int(4_000 * size)))
    write_archive(folder / "a.warc", made)
    data = bytearray((folder / "a.warc").read_bytes())
    for start in range(50_000, len(data), 40_000):
        data[start : start + 8_000] = bytes(8_000)
    (folder / "a.warc").write_bytes(data)
    return "format: warc, path: a.warc"


def nothing_in_rows(folder: Path, size: float) -> str:
    """Parquet whose texts are null, beside other columns."""
    chance = random.Random(3)
    rows = [{"id": f"d{n}", "text": None, "blob": chance.randbytes(2_000)} for n in range(int(6_000 * size))]
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("blob", pa.binary())])
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "a.parquet")
    return "format: parquet, path: a.parquet"


def fields(folder: Path, size: float) -> str:
    """Records that are mostly other fields than the text, which become metadata or are dropped."""
    chance = random.Random(3)
    rows = (
        {"id": f"d{n}", "text": document["text"][:200], "raw": chance.randbytes(1_500).hex()}
        for n, document in enumerate(documents(int(6_000 * size)))
    )
    write_lines(folder / "a.jsonl", rows)
    return "format: jsonl, path: a.jsonl"


def skewed(folder: Path, size: float) -> str:
    """Sizes by a power law: a hundredth of the documents hold most of the text."""
    chance = random.Random(1)
    sizes = (int(min(400 * chance.paretovariate(0.8), 4_000_000)) for _ in range(int(6_000 * size)))
    write_lines(folder / "a.jsonl", prose(sizes))
    return "format: jsonl, path: a.jsonl"


def small_first(folder: Path, size: float) -> str:
    """Small documents at the beginning, large ones at the end."""
    write_lines(folder / "a.jsonl", prose([200] * int(2_000 * size) + [60_000] * int(400 * size)))
    return "format: jsonl, path: a.jsonl"


def small_first_gzip(folder: Path, size: float) -> str:
    """The same in one compressed file, which is read from its beginning."""
    small_first(folder, size)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes(), 6))
    (folder / "a.jsonl").unlink()
    return "format: jsonl, path: a.jsonl.gz"


def large_first_gzip(folder: Path, size: float) -> str:
    """The other way round."""
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
    """Texts that repeat themselves: gzip leaves a hundredth."""
    made = enumerate(documents(int(4_000 * size)))
    write_lines(folder / "a.jsonl.gz", ({"id": f"d{n}", "text": f"{one['text'][:120]} " * 80} for n, one in made))
    return "format: jsonl, path: a.jsonl.gz"


def alike(folder: Path, size: float) -> str:
    """One text again and again."""
    text = next(documents(1))["text"]
    write_lines(folder / "a.jsonl.gz", ({"id": f"d{n}", "text": text} for n in range(int(8_000 * size))))
    return "format: jsonl, path: a.jsonl.gz"


def empty(folder: Path, size: float) -> str:
    """Files that hold nothing."""
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
    """One file of 30 MB that is one document."""
    (row,) = prose([int(30_000_000 * size)])
    (folder / "a.txt").write_text(row["text"])
    return "format: text, path: a.txt"


def too_large(folder: Path, size: float) -> str:
    """One document of 50 MB, which is more than a text may have."""
    write_lines(folder / "a.jsonl", prose([int(50_000_000 * size)]))
    return "format: jsonl, path: a.jsonl"


def too_large_among(folder: Path, size: float) -> str:
    """One document of 50 MB among 3,000 ordinary ones."""
    write_documents(folder / "a.jsonl", int(3_000 * size))
    write_lines(folder / "b.jsonl", prose([50_000_000]))
    return "format: jsonl, path: '*.jsonl'"


def files_of_one(folder: Path, size: float) -> str:
    """Thousands of files with a record each."""
    for number, document in enumerate(documents(int(3_000 * size))):
        (folder / f"{number}.jsonl").write_text(json.dumps(document))
    return "format: jsonl, path: '*.jsonl'"


def small_files(folder: Path, size: float) -> str:
    """Thousands of texts of 100 bytes."""
    for number, row in enumerate(prose([100] * int(4_000 * size))):
        (folder / f"{number}.txt").write_text(row["text"])
    return "format: text, path: '*.txt'"


def short(folder: Path, size: float) -> str:
    """Records of a few words."""
    write_lines(folder / "a.jsonl", prose([60] * int(60_000 * size)))
    return "format: jsonl, path: a.jsonl"


def requests_only(folder: Path, size: float) -> str:
    """A WARC file without responses: nothing in it is a document."""
    chance = random.Random(3)
    with (folder / "a.warc").open("wb") as file:
        for number in range(int(4_000 * size)):
            block = chance.randbytes(1_000).hex().encode()
            head = f"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Record-ID: <urn:x:{number}>\r\n"
            head += f"WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Length: {len(block)}\r\n\r\n"
            file.write(head.encode() + block + b"\r\n\r\n")
    return "format: warc, path: a.warc"


def pages(folder: Path, size: float) -> str:
    """Pages of HTML in a WARC file."""
    write_documents(folder / "a.warc.gz", int(3_000 * size))
    return "format: warc, path: a.warc.gz"


def tiny(folder: Path, size: float) -> str:
    """Fifty documents: less than what is read for an estimate."""
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
    "null texts": Kind(nothing_in_rows),
    "other fields": Kind(fields),
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
