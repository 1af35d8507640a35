"""Measure the text of PDF papers beside pypdf, pdfminer.six and pypdfium2 alone, in one run.

    python benchmarks/loaders/pdf.py [--peers FOLDER]

FOLDER contains the other tools: `pip install --target FOLDER pypdf pdfminer.six`. The papers are the two samples in the
folder that `CORPUSMILL_SHARED` names, in two columns, and one made here: 40 sentences in two columns that are printed
line by line, with a header, a page number and words divided at the ends of lines.

*order* is the share of neighboring sentences of the text that follow each other, *whole* the share of sentences found
without a break in them, both after white space is made equal. *hyphens* is the share of divided words that are whole.
*furniture* counts headers, footers and page numbers left in the text. *pages/s* is by CPU time.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
Reader = Callable[[bytes], str]


@dataclass(frozen=True)
class Paper:
    """A file, and what its text has and has not."""

    name: str
    data: bytes
    sentences: Sequence[str]
    divided: Sequence[str]
    furniture: Sequence[str]


SPECTER: Final = (
    "Representation learning is a critical ingredient for natural language processing systems.",
    "SPECTER can be easily applied to downstream applications without task-specific fine-tuning.",
    "As the pace of scientific publication continues to increase",
    "does not result in accurate paper representations.",
    "In this paper, we introduce a new method for learning general-purpose vector representations",
    "outperform the state-of-the-art on a variety of document-level tasks",
    "a paper, separated by the [SEP] token. We use SciBERT as our model initialization",
    "A citation from one document to another suggests that the documents are related.",
    "At inference time, the model receives one paper",
    "Previous evaluations of scientific document representations in the literature",
)
LITERATURE: Final = (
    "We describe a deployed scalable system for organizing published scientific literature",
    "The goal of this work is to facilitate algorithmic discovery in the scientific literature.",
    "Which papers discuss the effects of Ranibizumab on the Retina?",
    "We reduce literature graph construction into familiar NLP tasks such as sequence labeling",
    "The literature graph is a property graph with directed edges.",
    "Each node of this type represents a unique author",
    "We instantiate a directed citation edge from paper nodes",
)


def made() -> Paper:
    """Return a paper in two columns, printed line by line."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.crawlers.loaders.pdf.making import pdf

    words = "sedi-ment trans-port hydro-logy basin meas-urement chan-nel veloc-ity sand".split()
    lines: list[str] = []
    sentences: list[str] = []
    divided: set[str] = set()
    for number in range(1, 161):
        first, second = words[number % 8], words[(number * 3) % 8]
        whole = first.replace("-", "")
        start, _, rest = second.partition("-")
        lines.append(f"In case {number} the {whole} is like the {start}" + ("-" if rest else ""))
        lines.append(f"{rest} of the river that was seen before." if rest else "of the river that was seen before.")
        sentences.append(f"In case {number} the {whole} is like the {start}{rest} of the river that was seen before.")
        divided |= {start + rest} if rest else set()
    pages = []
    for page in range(4):
        texts = [(72.0, 810.0, 9.0, f"Annals of Rivers {page + 1}"), (295.0, 30.0, 9.0, str(page + 7))]
        rows = lines[page * 80 : page * 80 + 80]
        for at in range(40):
            texts += [(x, 780 - 12.0 * at, 10.0, rows[at + side]) for x, side in ((60.0, 0), (320.0, 40))]
        pages.append(texts)
    return Paper("made", pdf(pages), sentences, sorted(divided), ("Annals of Rivers",))


def papers() -> list[Paper]:
    """Return the papers."""
    folder = Path(os.environ.get("CORPUSMILL_SHARED", ROOT.parent / "shared")) / "data/samples/pdf"
    specter = (folder / "2020.acl-main.207.pdf").read_bytes()
    literature = (folder / "N18-3011.pdf").read_bytes()
    return [
        Paper(
            "2020.acl-main.207", specter, SPECTER, ("ingredient", "representations"), ("July 5 - 10, 2020", "\n2270\n")
        ),
        Paper("N18-3011", literature, LITERATURE, ("heterogeneous",), ("New Orleans, Louisiana", "\n84\n")),
        made(),
    ]


def readers() -> dict[str, Reader]:
    """Return the tools that are installed."""
    import pypdfium2

    from corpusmill.crawlers.readers.pdf.document import read

    def plain(data: bytes) -> str:
        return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data))

    found: dict[str, Reader] = {"corpusmill": lambda data: read(data)["text"], "pypdfium2": plain}
    if importlib.util.find_spec("pypdf"):
        import pypdf

        found["pypdf"] = lambda data: "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    if importlib.util.find_spec("pdfminer"):
        from pdfminer.high_level import extract_text

        found["pdfminer.six"] = lambda data: str(extract_text(io.BytesIO(data)))
    return found


def scores(paper: Paper, text: str) -> tuple[float, float, float, int]:
    """Return order, whole, hyphens and furniture."""
    plain = " ".join(text.split())
    places = [plain.find(" ".join(sentence.split())) for sentence in paper.sentences]
    steps = [0 <= first < second for first, second in pairwise(places)]
    whole = sum(place >= 0 for place in places) / len(places)
    hyphens = [bool(re.search(rf"\b{word}", plain)) for word in paper.divided]
    halves = len(re.findall(r"\w[-\x02\ufffe\xad]\s*\n\s*[a-z]", text))
    share = sum(hyphens) / len(hyphens) if not halves else sum(hyphens) / (len(hyphens) + halves)
    return sum(steps) / len(steps), whole, share, sum(f"\n{text}\n".count(line) for line in paper.furniture)


def main() -> None:
    """Print one row per paper and tool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path)
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.append(str(arguments.peers))
    import pypdfium2

    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'paper':20}{'tool':14}{'order':>7}{'whole':>7}{'hyphens':>9}{'furniture':>11}{'pages/s':>9}")
    for paper in papers():
        pages = len(pypdfium2.PdfDocument(paper.data))
        for name, reader in readers().items():
            reader(paper.data)
            start = time.process_time()
            text = reader(paper.data)
            spent = time.process_time() - start
            order, whole, hyphens, left = scores(paper, text)
            numbers = f"{order:7.2f}{whole:7.2f}{hyphens:9.2f}{left:11}{pages / spent:9.1f}"
            print(f"{paper.name:20}{name:14}{numbers}")


if __name__ == "__main__":
    main()
