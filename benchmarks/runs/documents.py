"""Generate documents, always the same: about 3.7 kB of text each, 15 % of them near-duplicates.

    python -m benchmarks.runs.documents 20000 documents.jsonl

The suffix selects the format: `.jsonl`, `.jsonl.gz` (one member), `.jsonl.zst` (one frame), `.parquet`, `.warc` or
`.warc.gz` (an HTML page for each document). A file with fewer documents contains the first documents of a larger file.
One document in 20 has an e-mail address and typographic quotes; one in 100 has the id of an earlier document.

Most words belong to no language, so language identification checks most texts twice: a third of the work of all
stages.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
import random
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

NEAR_DUPLICATES: Final = 0.15
ROW_GROUP_ROWS: Final = 5_000
_CHANGED_WORDS: Final = (0, 1, 3, 30)
"""Numbers of changed words in a near-duplicate; one is chosen at random."""
_COPIED: Final = 3_000
"""Near-duplicates are copies of one of this many first documents."""
_FREQUENT: Final = "the of and to in a is that it for was on with as be at by this have from".split()
_LETTERS: Final = "abcdefghijklmnoprstuvwy"
_SENTENCE_WORDS: Final = 14
_PARAGRAPH_SENTENCES: Final = 5
_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31
"""`wbits` of zlib for the largest window (15) plus a gzip header (16)."""
_DATE: Final = "2026-01-01T00:00:00Z"


def documents(count: int) -> Iterator[dict[str, str]]:
    """Yield *count* documents with `id`, `text`, `url` and `title`."""
    chance = random.Random(5)
    vocabulary = _vocabulary(chance)
    copied: list[list[str]] = []
    for number in range(count):
        if copied and chance.random() < NEAR_DUPLICATES:
            words = list(chance.choice(copied))
            for _ in range(chance.choice(_CHANGED_WORDS)):
                words[chance.randrange(len(words))] = chance.choice(vocabulary)
        else:
            words = chance.choices(vocabulary, k=chance.randint(80, 970))
        if len(copied) < _COPIED:
            copied.append(words)
        text = _prose(words)
        if chance.random() < 0.05:
            text += f" Write to bob{number}@example.org or café “now”."
        name = number // 2 if chance.random() < 0.01 else number
        address = f"https://site{number % 50}.example.com/p/{number}"
        yield {"id": f"doc{name}", "text": text, "url": address, "title": f"Title {number}"}


def write_documents(path: Path, count: int) -> None:
    """Write *count* documents to *path*, in the format of its suffix."""
    generated = documents(count)
    match path.suffixes[0]:
        case ".parquet":
            _write_parquet(path, generated)
        case ".warc":
            write_archive(path, ((document["url"], page(document)) for document in generated))
        case ".jsonl":
            with _open(path) as file:
                for document in generated:
                    file.write(f"{json.dumps(document)}\n".encode())
        case other:
            raise ValueError(f"documents cannot be written as {other}")


def write_archive(path: Path, pages: Iterable[tuple[str, bytes]]) -> None:
    """Write a WARC file with a response for each of *pages* (URL and HTML); with `.gz`, one gzip member per record."""
    pack: Callable[[bytes], bytes] = _gzip_member if path.suffix == ".gz" else bytes
    with path.open("wb") as file:
        file.writelines(pack(_response(address, body)) for address, body in pages)


def page(document: dict[str, str]) -> bytes:
    """Return an HTML page whose main text is the text of *document*."""
    paragraphs = "".join(f"<p>{html.escape(paragraph)}</p>\n" for paragraph in document["text"].split("\n\n"))
    head = f'<head><meta charset="utf-8"><title>{document["title"]}</title></head>'
    menu = '<nav><a href="/">Home</a> <a href="/about">About us</a></nav>'
    main = f"<main><h1>{document['title']}</h1>\n{paragraphs}</main>"
    return f"<!DOCTYPE html>\n<html>{head}<body>{menu}{main}</body></html>\n".encode()


def _vocabulary(chance: random.Random) -> list[str]:
    """Return words, some of them frequent, as in a natural language."""
    rare = ["".join(chance.choices(_LETTERS, k=chance.randint(3, 9))) for _ in range(6_000)]
    return _FREQUENT * 20 + rare


def _prose(words: list[str]) -> str:
    lines = [
        " ".join(words[start : start + _SENTENCE_WORDS]).capitalize() + "."
        for start in range(0, len(words), _SENTENCE_WORDS)
    ]
    return "\n\n".join(
        " ".join(lines[start : start + _PARAGRAPH_SENTENCES]) for start in range(0, len(lines), _PARAGRAPH_SENTENCES)
    )


def _write_parquet(path: Path, rows: Iterator[dict[str, str]]) -> None:
    schema = pa.schema([(name, pa.string()) for name in ("id", "text", "url", "title")])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROW_GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def _open(path: Path) -> IO[bytes]:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile(path, "wb", compresslevel=_GZIP_LEVEL, mtime=0)  # type: ignore[return-value]
        case ".zst":
            return zstandard.open(path, "wb")  # type: ignore[no-any-return]
        case _:
            return path.open("wb")


def _gzip_member(record: bytes) -> bytes:
    return zlib.compress(record, _GZIP_LEVEL, _GZIP_WINDOW)


def _response(address: str, body: bytes) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    fields = {
        "WARC-Type": "response",
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, address)}>",
        "WARC-Date": _DATE,
        "WARC-Target-URI": address,
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": len(block),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"WARC/1.1\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    write_documents(options.path, options.count)


if __name__ == "__main__":
    main()
