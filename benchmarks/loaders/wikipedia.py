"""Measure the text of Wikipedia articles beside wikiextractor and mwparserfromhell, in one run.

    python benchmarks/loaders/wikipedia.py [DUMP] [--peers FOLDER] [--slices]

DUMP is a dump of MediaWiki in English; by default the sample in the folder that `CORPUSMILL_SHARED` names, with 106
articles. FOLDER contains the other tools: `pip install --target FOLDER wikiextractor mwparserfromhell`.

*articles* is the number of pages with text. *ms* is the CPU time of an article, without reading XML. *quantities* are
calls of `{{convert}}` outside of notes, boxes and tables whose number stands in the text of its article before its
unit, as symbol or name. *empty* counts "()". *residue* counts marks of wikitext per 10,000 words, outside of formulas.

With `--slices`, a dump is read by one and by two processes, and the wall time is compared; the CPU time in all shows
whether slices repeat work, also on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from lxml import etree

from corpusmill.crawlers.loaders.streams import open_decompressed
from corpusmill.crawlers.loaders.wikipedia import Wikipedia
from corpusmill.crawlers.readers.wikitext.article import article
from corpusmill.crawlers.readers.wikitext.languages import language
from corpusmill.crawlers.readers.wikitext.numbers import grouped
from corpusmill.crawlers.readers.wikitext.page import Page
from corpusmill.crawlers.readers.wikitext.units import unit_of
from corpusmill.crawlers.readers.xml import elements

SAMPLE: Final = "data/samples/wikipedia/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
BOXES: Final = re.compile(r"<!--.*?-->|<ref[^<>/]*>.*?</ref>|<gallery.*?</gallery>|\{\|.*?\n\|\}", re.DOTALL)
CONVERT: Final = re.compile(
    r"\{\{\s*(?:convert|cvt)\s*\|\s*([-\u2212\d.,]+)\s*\|(?:[^{}]*\|)?\s*([^|{}=]+?)\s*[|}]", re.IGNORECASE
)
RESIDUE: Final = re.compile(r"\[\[|\]\]|\{\{|\}\}|''|==|<ref|</\w+>|\{\||\|\}|\|-|style=|&nbsp;|__[A-Z]+__")
Extractor = Callable[[str, str], str]


def ours(title: str, text: str) -> str:
    """Return the text of the loader."""
    namespaces = {"file": 6, "image": 6, "category": 14, "template": 10}
    return article(text, Page(title, language("en"), namespaces=namespaces, keep=frozenset({"lists"})))


def wikiextractor() -> Extractor:
    """Return the text of wikiextractor, without the templates of the dump, as it runs by default."""
    import wikiextractor.extract as module

    def text_of(title: str, text: str) -> str:
        extractor = module.Extractor("1", "1", "https://en.wikipedia.org/wiki", title, text.splitlines(keepends=True))
        return "\n".join(extractor.clean_text(text))

    return text_of


def mwparserfromhell() -> Extractor:
    """Return the text of mwparserfromhell's `strip_code`."""
    import mwparserfromhell as module

    return lambda _, text: str(module.parse(text).strip_code())


def articles(path: str) -> list[tuple[str, str]]:
    """Return the titles and texts of the articles of a dump."""
    found = []
    with open_decompressed(path) as stream:
        for element in elements(stream, "page"):
            page = etree.fromstring(element.data or b"<page/>")
            if page.findtext("ns") == "0" and page.find("redirect") is None:
                found.append((page.findtext("title") or "", page.findtext("revision/text") or ""))
    return found


def without_infoboxes(text: str) -> str:
    """Return *text* up to the templates that begin a line and do not end in it, which are boxes."""
    return re.sub(r"^\{\{[^{}\n]*\n(?:.*\n)*?\}\}", "", BOXES.sub("", text), flags=re.MULTILINE)


def quantities(text: str) -> list[re.Pattern[str]]:
    """Return the patterns of the quantities of an article."""
    patterns = []
    for match in CONVERT.finditer(without_infoboxes(text)):
        value = match[1].strip().replace(",", "").replace("\u2212", "-")
        call = match[0].strip("{}").split("|")
        unit = next((unit for part in call[2:] if (unit := unit_of(part.strip())) is not None), None)
        if unit is None:
            continue
        shown = re.escape(grouped(value)).replace("\u2212", "[-\u2212]")
        names = "|".join(
            re.escape(name)
            for name in {
                unit.symbol,
                unit.singular,
                unit.plural,
                unit.singular.replace("metre", "meter"),
                unit.plural.replace("metre", "meter"),
                unit.singular.replace(" ", "-"),
            }
        )
        patterns.append(re.compile(rf"{shown}(?:[^\n]{{0,20}}?)[ -]?(?:{names})"))
    return patterns


def measure(name: str, extract: Extractor, pages: list[tuple[str, str]]) -> None:
    """Print the figures of one tool."""
    start = time.process_time()
    texts = [extract(title, text) for title, text in pages]
    milliseconds = (time.process_time() - start) / len(pages) * 1000
    wanted = [(pattern, text) for (_, source), text in zip(pages, texts, strict=True) for pattern in quantities(source)]
    rendered = sum(pattern.search(text) is not None for pattern, text in wanted)
    whole = "\n".join(texts)
    outside = "".join(whole.split("$")[::2]) if name == "corpusmill" else whole
    residue = len(RESIDUE.findall(outside)) / len(whole.split()) * 10_000
    print(
        f"| {name} | {sum(map(bool, texts))} | {milliseconds:.1f} | {rendered} of {len(wanted)} | "
        f"{outside.count('()')} | {residue:.2f} |"
    )


def read_slice(loader: Wikipedia, path: str, start: int, end: int) -> tuple[int, float]:
    """Read a slice, and return its number of rows and the CPU time in seconds."""
    before = time.process_time()
    rows = sum(batch.num_rows for batch in loader.read(path, name="dump", start=start, end=end))
    return rows, time.process_time() - before


def compare_slices(path: str) -> None:
    """Print the wall time of one and of two processes for 10 copies of the pages of a dump."""
    with open_decompressed(path) as stream:
        data = stream.read()
    head, _, rest = data.partition(b"<page>")
    body = b"<page>" + rest.rpartition(b"</mediawiki>")[0]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "dump.xml"
        copy.write_bytes(head + body * 10 + b"</mediawiki>")
        loader = Wikipedia()
        slices = loader.slices(str(copy))
        seconds = {}
        for workers in (1, 2):
            with ProcessPoolExecutor(workers) as pool:
                list(pool.map(abs, range(workers)))
                start = time.perf_counter()
                read = list(pool.map(read_slice, *zip(*((loader, str(copy), *edges) for edges in slices), strict=True)))
                seconds[workers] = time.perf_counter() - start
            print(f"{workers} processes: {sum(cpu for _, cpu in read):.1f} s of CPU in all")
        rows = sum(count for count, _ in read)
        print(f"{rows} pages, {len(slices)} slices: {seconds[1]:.1f} s and {seconds[2]:.1f} s with two processes,")
        print(f"{seconds[1] / seconds[2]:.2f} times as fast")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?", default=str(Path(os.environ.get("CORPUSMILL_SHARED", "../shared")) / SAMPLE))
    parser.add_argument("--peers")
    parser.add_argument("--slices", action="store_true")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    if options.slices:
        compare_slices(options.dump)
        return
    pages = articles(options.dump)
    print("| tool | articles | ms | quantities | empty | residue |\n|---|---|---|---|---|---|")
    measure("corpusmill", ours, pages)
    if options.peers:
        sys.path.append(options.peers)
        measure("wikiextractor", wikiextractor(), pages)
        measure("mwparserfromhell", mwparserfromhell(), pages)


if __name__ == "__main__":
    main()
