"""Main text of HTML pages beside Trafilatura: how well it fits reviewed texts, and CPU a page.

    python -m venv /tmp/peers/trafilatura
    /tmp/peers/trafilatura/bin/pip install -q -U pip
    /tmp/peers/trafilatura/bin/pip install trafilatura pyarrow
    python -m benchmarks.peers.main_text [--pages 2884]

F1 of four-word shingles over pages with reviewed main text (`benchmarks/extraction/scoring.py`). The model that
corpusmill ships was trained on most of these pages, so the fair figure is that of *unseen sources*: collections of
pages from which it has learned nothing. The interval of the difference is a bootstrap over domains. Trafilatura runs
with its defaults.

CPU time is that of the calls alone, one page after another in one process, after a warm-up. In brackets: the CPU of
the whole process tree by page, with starting, reading the pages and writing the texts. All pages take two minutes of
CPU in all.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq

from benchmarks.extraction.compare import f1, paired
from benchmarks.extraction.scoring import fit
from benchmarks.peers.reporting import Row, cost_of, parser, program, report, versions
from benchmarks.runs.inputs import PAGES
from corpusmill.pipelines.stages.extract import model_file

OURS: Final = "corpusmill.pipelines.stages.extract:extract"
TRAFILATURA: Final = "benchmarks.extraction.peers:trafilatura"

Fits = dict[str, dict[str, Any]]
"""By the page's id what `benchmarks.extraction.compare` compares."""


class Reviewed(NamedTuple):
    """A page's reviewed main text, and where the page is from."""

    source: str
    domain: str
    gold: str


class Extraction(NamedTuple):
    """Texts by the page's id, and CPU milliseconds a page: of the calls, and of the process tree."""

    texts: dict[str, str]
    call_ms: float
    tree_ms: float


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="trafilatura")
    options_parser.add_argument("--pages", type=int, default=2_884, help="How many of the pages, from the first.")
    options_parser.add_argument("--data", type=Path, default=PAGES, help="Parquet file of the pages.")
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, ("trafilatura", "lxml"))
    pages = reviewed_pages(options.data, options.pages)
    ours, peer = (
        extracted(python, extractor, options.data, len(pages))
        for python, extractor in ((Path(sys.executable), OURS), (options.peer, TRAFILATURA))
    )
    fits, peer_fits = (fits_of(pages, extraction.texts) for extraction in (ours, peer))
    learned = learned_sources()
    unseen = [name for name, page in pages.items() if page.source not in learned]
    report([*quality(fits, peer_fits, unseen), speed(ours, peer, len(pages))], peers)


def reviewed_pages(data: Path, count: int) -> dict[str, Reviewed]:
    """Return the first *count* pages of *data* by id; a page without a domain is a domain of its own."""
    rows = pq.read_table(data, columns=["id", "source", "domain", "gold_text"]).slice(0, count).to_pylist()
    return {row["id"]: Reviewed(row["source"], row["domain"] or row["id"], row["gold_text"]) for row in rows}


def learned_sources() -> frozenset[str]:
    """Return the sources that the shipped model was trained on, as the model says itself."""
    model = Path(model_file.__file__).with_name(model_file.FILE)
    return frozenset(model_file.unpacked(model.read_bytes()).about["sources"])


def extracted(python: Path, extractor: str, data: Path, count: int) -> Extraction:
    """Return what *extractor* makes of the first *count* pages of *data*."""
    with tempfile.TemporaryDirectory(prefix="main-text-") as folder:
        texts = Path(folder) / "texts.jsonl"
        cost = cost_of(program("texts", extractor, data.absolute(), count, texts, python=python))
        with texts.open() as lines:
            rows = list(map(json.loads, lines))
    call_s = json.loads(cost.output)["cpu_s"]
    by_id = {row["id"]: row["text"] for row in rows}
    return Extraction(by_id, call_s / count * 1e3, cost.cpu_s / count * 1e3)


def fits_of(pages: Mapping[str, Reviewed], texts: Mapping[str, str]) -> Fits:
    """Compare each of *texts* with the reviewed text of its page."""
    fits = {name: fit(page, texts[name]) for name, page in pages.items()}
    return {
        name: {"domain": one.domain, "tp": one.matching, "fp": one.extra, "fn": one.missing}
        for name, one in fits.items()
    }


def quality(ours: Fits, peer: Fits, unseen: Collection[str]) -> list[Row]:
    """Return the rows of the table about F1: the pages *unseen* by the model, if there are any, and all pages."""
    what = f"Main text, all {len(ours):,} pages, most of which trained the model: shingle F1"
    every = Row(what, *(f"{f1(fits.values()):.3f}" for fits in (ours, peer)))
    if not unseen:
        return [every]
    own, other = ({name: fits[name] for name in unseen} for fits in (ours, peer))
    difference, low, high = paired(own, other)
    interval = f"({difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f})"
    what = f"Main text, {len(own):,} pages of unseen sources: shingle F1"
    return [Row(what, f"{f1(own.values()):.3f} {interval}", f"{f1(other.values()):.3f}"), every]


def speed(ours: Extraction, peer: Extraction, pages: int) -> Row:
    """Return the row of the table about CPU time."""
    written = (f"{one.call_ms:.2f} ms ({one.tree_ms:.2f} ms)" for one in (ours, peer))
    return Row(f"Main text, {pages:,} pages: CPU a page", *written)


if __name__ == "__main__":
    main()
