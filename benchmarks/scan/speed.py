"""Measure the CPU time that a crawl spends on the links and the text of a page.

    python -m benchmarks.scan.speed [FOLDER]

FOLDER has HTML pages; by default, it is that of Debian's package `postgresql-doc-15`. Each page is compared with the 32
pages before it, which is the most that a crawl compares.
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path
from typing import Final

from corpusmill.crawlers import links
from corpusmill.crawlers.frontier import traps

_FOLDER: Final = Path("/usr/share/doc/postgresql-doc-15/html")
_URL: Final = "http://example.org/docs/{}.html"
_ROUNDS: Final = 3


def seconds(bodies: list[bytes]) -> dict[str, float]:
    """Return the CPU time of each step for all pages."""
    marks = [time.process_time()]
    pages = [links.page_links(body, url=_URL.format(at), headers={}) for at, body in enumerate(bodies)]
    marks.append(time.process_time())
    sketches = [traps.text_sketch(page.text, url=_URL.format(at)) for at, page in enumerate(pages)]
    marks.append(time.process_time())
    heads = [sketch[: traps.SKETCH_BYTES] for sketch in sketches]
    for at, sketch in enumerate(sketches):
        traps.says_the_same(sketch, heads[max(0, at - traps.TEXTS_COMPARED) : at])
    marks.append(time.process_time())
    names = ("page_links", "text_sketch", "says_the_same")
    return {name: marks[at + 1] - marks[at] for at, name in enumerate(names)}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.html"))]
    if not bodies:
        raise SystemExit(f"{folder} has no *.html: apt install postgresql-doc-15, or name a folder")
    print(f"{platform.machine()}, Python {platform.python_version()}, {len(bodies):,} pages of {folder}", flush=True)
    rounds = [seconds(bodies) for _ in range(_ROUNDS)]
    best = {step: 1_000 * min(one[step] for one in rounds) / len(bodies) for step in rounds[0]}
    for step, milliseconds in (best | {"all": sum(best.values())}).items():
        print(f"{step:13} {milliseconds:.3f} ms a page", flush=True)


if __name__ == "__main__":
    main()
