"""Measure one big file of each format: CPU, wall time and peak memory with one and with two workers.

    python -m benchmarks.loaders.big_files [FORMAT ...] [--megabytes 50] [--workers 1 2] [--memory 1GB]

Each file is made of records that differ in their words, and is loaded by `corpusmill run` without other stages. *MB* is
the size of the file on disk, and *made* that of its content. *peak* is the memory of all processes together. *speedup*
is the wall time of the first number of workers divided by this one. On a busy machine, wall times mean nothing; then
compare *cpu*: if two workers need as much CPU time as one, no slice reads what another one has read.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from benchmarks.runs.inputs import Installation
from benchmarks.runs.measuring import machine, measure, print_table

_WORDS: Final = [f"{first}{second}{third}" for first in "bdfgklmnprst" for second in ("a", "e", "io", "ou")
                 for third in ("l", "n", "r", "st", "ck", "lan", "ter", "mon", "ding")]  # fmt: skip
_WORDS_OF_RECORD: Final = 400
_PAGES_OF_STREAM: Final = 100
"""Pages of a stream of a multistream dump, as in the dumps of Wikimedia."""
_WIKI_HEAD: Final = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
<siteinfo><sitename>Wikipedia</sitename><dbname>enwiki</dbname><base>https://en.wikipedia.org/wiki/Main_Page</base>
<generator>MediaWiki 1.44.0-wmf.3</generator><namespaces><namespace key="0" case="first-letter" />
<namespace key="14" case="first-letter">Category</namespace></namespaces></siteinfo>
"""
_RECIPE: Final = """\
dataset: measured
sources:
  - load: {{name: source, format: {format}, path: {path}{fields}}}
stages: []
shards: {{target_bytes: 256MB}}
split: {{train: 1.0, validation: 0.0, test: 0.0}}
"""


def texts() -> Iterator[str]:
    """Yield different texts of made words without end, the same ones in every run."""
    random = np.random.default_rng(0)
    words = np.array(_WORDS)
    while True:
        chosen = words[random.integers(len(words), size=_WORDS_OF_RECORD)].tolist()
        yield ". ".join(" ".join(chosen[at : at + 12]).capitalize() for at in range(0, len(chosen), 12))


def _wikipedia(number: int, text: str) -> str:
    body = (
        f"'''Page {number}''' is {{{{convert|{number % 97 + 1}|km|mi}}}} long.<ref>Made.</ref>\n\n== History ==\n"
        f"{text[: len(text) // 2]} [[Page {number % 50}|another]].\n\n== Use ==\n* {text[len(text) // 2 :]}\n"
    ).replace("<", "&lt;")
    return (
        f"<page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>"
        f"<timestamp>2026-01-02T03:04:05Z</timestamp><model>wikitext</model><format>text/x-wiki</format>"
        f'<text xml:space="preserve">{body}</text></revision></page>\n'
    )


def _stackexchange(number: int, text: str) -> str:
    return (
        f'  <row Id="{number}" PostTypeId="1" CreationDate="2024-01-27T20:09:32.720" Score="{number % 9}" '
        f'Body="&lt;p&gt;{text}&lt;/p&gt;&#xA;" OwnerUserId="4" Title="Question {number}" Tags="&lt;made&gt;" />\n'
    )


def _csv(number: int, text: str) -> str:
    return f'{number},Row {number},"{text},\nand a ""second"" line"\n'


def _mbox(number: int, text: str) -> str:
    lines = text.replace(". ", ".\n")
    return (
        f"From someone@example.org Mon Jan  5 10:00:00 2026\nFrom: someone@example.org\nSubject: Message {number}\n"
        f"Message-ID: <{number}@example.org>\nDate: Mon, 5 Jan 2026 10:00:00 +0000\n"
        f"Content-Type: text/plain; charset=utf-8\n\n{lines}\n\n"
    )


def _note(number: int, text: str) -> str:
    narrative = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{text}</p></div>'}
    return json.dumps({"resourceType": "DiagnosticReport", "id": f"r{number}", "status": "final", "text": narrative})


def _ndjson(number: int, text: str) -> str:
    return _note(number, text) + "\n"


def _bundle(number: int, text: str) -> str:
    return f'{"," if number > 1 else ""}{{"resource": {_note(number, text)}}}\n'


def _line(number: int, text: str) -> str:
    return json.dumps({"id": number, "title": f"Row {number}", "text": text}) + "\n"


def _comment(number: int, text: str) -> str:
    row = {"id": f"c{number}", "body": text, "created_utc": 1_700_000_000 + number, "subreddit": "made", "score": 1}
    return json.dumps(row) + "\n"


def _wet(number: int, text: str) -> str:
    return (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.org/{number}\r\n"
        f"WARC-Date: 2026-01-02T03:04:05Z\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n\r\n"
    )


Made = tuple[str, str, str, Callable[[int, str], str], str, str]
FILES: Final[dict[str, Made]] = {
    "wikipedia": ("wikipedia", "dump.xml", _WIKI_HEAD, _wikipedia, "</mediawiki>\n", ""),
    "wikipedia-bz2": ("wikipedia", "dump.xml.bz2", _WIKI_HEAD, _wikipedia, "</mediawiki>\n", ""),
    "stackexchange": ("stackexchange", "Posts.xml", "<posts>\n", _stackexchange, "</posts>\n", ""),
    "csv": ("csv", "rows.csv", "id,title,text\n", _csv, "", ", text_field: text, id_field: id"),
    "mbox": ("mbox", "list.mbox", "", _mbox, "", ""),
    "jsonl-zst": ("jsonl", "rows.jsonl.zst", "", _line, "", ", id_field: id"),
    "reddit-zst": ("reddit", "RC_2024-01.zst", "", _comment, "", ""),
    "wet-gz": ("wet", "pages.warc.wet.gz", "", _wet, "", ""),
    "parquet": ("parquet", "rows.parquet", "", _line, "", ", id_field: id"),
    "fhir-ndjson": ("fhir", "notes.ndjson", "", _ndjson, "", ""),
    "fhir-bundle": ("fhir", "notes.json", '{"resourceType": "Bundle", "entry": [\n', _bundle, "]}\n", ""),
}
"""Format, name of the file, beginning, record, end, and further fields of the source, by name of the measurement."""


def write_file(path: Path, made: Made, size: int) -> tuple[int, int]:
    """Write a file with about *size* bytes of content; a compressed file gets a stream for each 100 records.

    WET files get one for each record, and Parquet has one row group.

    Returns:
        The number of records, and the exact number of bytes of content.
    """
    _, _, head, record, end, _ = made
    if path.suffix == ".parquet":
        return _write_parquet(path, size)
    pack = _PACKINGS.get(path.suffix)
    records_of_stream = 1 if path.suffix == ".gz" else _PAGES_OF_STREAM
    number = written = 0
    with path.open("wb") as file:
        written += _write(file, head, pack)
        records: list[str] = []
        for number, text in enumerate(texts(), 1):
            records.append(record(number, text))
            if len(records) == records_of_stream:
                written += _write(file, "".join(records), pack)
                records.clear()
                if written >= size:
                    break
        written += _write(file, end, pack)
    return number, written


_PACKINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".bz2": bz2.compress,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(level=3).compress,
}


def _write_parquet(path: Path, size: int) -> tuple[int, int]:
    """Write a table of about *size* bytes of text in one row group."""
    schema = pa.schema([("id", pa.int64()), ("title", pa.string()), ("text", pa.string())])
    number = written = 0
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False) as writer:
        columns: dict[str, list[object]] = {"id": [], "title": [], "text": []}
        for number, text in enumerate(texts(), 1):
            columns["id"].append(number)
            columns["title"].append(f"Row {number}")
            columns["text"].append(text)
            written += len(text)
            if written >= size:
                break
        writer.write_table(pa.table(columns, schema=schema), row_group_size=number)
    return number, written


def _write(file: BinaryIO, text: str, pack: Callable[[bytes], bytes] | None) -> int:
    data = text.encode()
    if data:
        file.write(data if pack is None else pack(data))
    return len(data)


def rows_of(name: str, *, size: int, workers: list[int], memory: str, scratch: Path) -> Iterator[dict[str, object]]:
    """Yield the figures of the measurement *name*, one row for each number of *workers*."""
    made = FILES[name]
    here = Installation()
    path = scratch / made[1]
    records, content = write_file(path, made, size)
    recipe = scratch / "recipe.yaml"
    recipe.write_text(_RECIPE.format(format=made[0], path=path.name, fields=made[5]), encoding="utf-8")
    first = None
    for number in workers:
        options = ("--workers", str(number), "--memory", memory, "--workspace", str(scratch / f"corpus-{number}"))
        command = here.call("run", str(recipe), *options, "--json", "--quiet")
        cost = measure(command, environment=here.environment(), folder=scratch)
        first = first or cost.wall_s
        yield {
            "file": name,
            "MB": path.stat().st_size / 1e6,
            "made": content / 1e6,
            "records": records,
            "workers": number,
            "wall s": cost.wall_s,
            "cpu s": cost.cpu_s,
            "speedup": first / cost.wall_s,
            "peak MB": cost.peak_bytes / 1e6,
        }


def main() -> int:
    """Measure the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(FILES)}; by default all")
    parser.add_argument("--megabytes", type=int, default=50, help="size of the content of each file (default: 50)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers (default: 1 2)")
    parser.add_argument("--memory", default="1GB", help="memory limit of each worker (default: 1GB)")
    parser.add_argument("--scratch", type=Path, help="folder for the files (default: a temporary one)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.formats if name not in FILES]:
        parser.error(f"unknown format {unknown[0]}: choose from {', '.join(FILES)}")
    print(machine(), flush=True)
    rows = []
    for name in arguments.formats or FILES:
        with tempfile.TemporaryDirectory(dir=arguments.scratch, prefix="big-") as scratch:
            limits = {"workers": arguments.workers, "memory": arguments.memory}
            rows += rows_of(name, size=arguments.megabytes * 10**6, scratch=Path(scratch), **limits)
            print(f"{name} done", file=sys.stderr, flush=True)
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
