"""Measure the text of articles in JATS beside pubmed_parser, in one run.

    python benchmarks/loaders/jats.py [FOLDER] [--peers FOLDER]

The first FOLDER contains articles as .nxml files; by default the 11 samples in the folder that `CORPUSMILL_SHARED`
names. The other one contains pubmed_parser: `pip install --target FOLDER pubmed_parser`.

*ms* is the CPU time of an article, of the best of five rounds, from the file to its text and fields. *license* counts
articles with a license. *empty* counts "()", "[]" and other brackets without words, *commas* those that stood between
marks of citations (",,", ",.").
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from corpusmill.crawlers.loaders.jats import Jats
from corpusmill.crawlers.loaders.streamed import Record
from corpusmill.crawlers.loaders.streams import open_decompressed

ROUNDS: Final = 5
EMPTY: Final = re.compile(r"[\[(][\s,;–-]*[\])]|[\[(],")
COMMAS: Final = re.compile(r",[,.]|, ,|;\)")
Reader = Callable[[Path], tuple[str, str | None]]
"""Returns the text and the license of the article in a file."""


def ours(path: Path) -> tuple[str, str | None]:
    """Read an article with the loader."""
    with open_decompressed(str(path)) as stream:
        record = next(Jats().records_of(stream, name=path.name, counts=Counter()))
    assert isinstance(record, Record), f"{path} is a broken article"
    return record.text or "", record.license


def pubmed_parser() -> Reader:
    """Return a reader by pubmed_parser: its fields, which contain the abstract, and its paragraphs."""
    import pubmed_parser as module

    def read(path: Path) -> tuple[str, str | None]:
        fields = module.parse_pubmed_xml(str(path))
        paragraphs = module.parse_pubmed_paragraph(str(path), all_paragraph=True)
        texts = [fields["abstract"], *(paragraph["text"] for paragraph in paragraphs)]
        return "\n\n".join(texts), fields.get("license")

    return read


def measure(name: str, read: Reader, paths: list[Path]) -> None:
    """Print the figures of one tool."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        articles = [read(path) for path in paths]
        rounds.append((time.process_time() - start) / len(paths) * 1000)
    text = "\n".join(text for text, _ in articles)
    licensed = sum(license is not None for _, license in articles)
    read_articles = sum(bool(text) for text, _ in articles)
    print(
        f"| {name} | {read_articles} | {min(rounds):.1f} | {licensed} | {len(text.split()):,} | "
        f"{len(EMPTY.findall(text))} | {len(COMMAS.findall(text))} |"
    )


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("CORPUSMILL_SHARED", "../shared"))
    parser.add_argument("folder", nargs="?", type=Path, default=shared / "data/samples/jats")
    parser.add_argument("--peers")
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.nxml"))
    if not paths:
        parser.error(f"{options.folder} has no .nxml files: name a folder with articles, or set CORPUSMILL_SHARED")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print("| tool | articles | ms | license | words | empty | commas |\n|---|---|---|---|---|---|---|")
    measure("corpusmill", ours, paths)
    if options.peers:
        sys.path.append(options.peers)
        measure("pubmed_parser", pubmed_parser(), paths)


if __name__ == "__main__":
    main()
