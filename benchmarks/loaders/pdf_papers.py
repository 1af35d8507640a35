"""Measure the text of PDF papers against their LaTeX, beside pypdf, pdfminer.six and pypdfium2 alone, in one run.

    apt-get download texlive-publishers-doc && dpkg-deb -x texlive-publishers-doc_*.deb FOLDER
    python benchmarks/loaders/pdf_papers.py FOLDER [--peers FOLDER]

The papers are the samples that publishers give to authors, in one and two columns, with tables, figures, footnotes and
numbered lines. The layout was not made with them in view. From each source, the sentences are taken that have no
commands or formulas. *whole* is the share of them found in the text without a break, *order* the share of neighbors
that follow each other. White space, quotes and dashes are made equal. *pages/s* is by CPU time.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.loaders.pdf import readers

PAPERS: Final = (
    "acmart/samples/sample-sigconf",
    "acmart/samples/sample-sigplan",
    "acmart/samples/sample-acmtog",
    "acmart/samples/sample-acmsmall",
    "asmeconf/asmeconf-template",
    "asmejour/asmejour-template",
    "quantumarticle/quantum-template",
    "revtex/sample/aps/apssamp",
    "revtex/sample/aip/aipsamp",
    "aastex/sample631",
    "mnras/mnras_guide",
)
ROOT: Final = "usr/share/doc/texlive-doc/latex"
_BREAK: Final = re.compile(r"\n\s*\n|\\(?:sub)*section\*?\{[^}]*\}|\\item|\\(?:begin|end)\{[a-z*]+\}")
_STYLE: Final = re.compile(r"\\(?:emph|textit|textbf|texttt)\{([^{}]*)\}")
_SENTENCE: Final = re.compile(r"[A-Z][A-Za-z0-9 ,;:()'\"-]{30,300}[.?!]")
_SAME: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\xa0": " "})


def plain(text: str) -> str:
    """Return *text* with equal quotes, dashes, ligatures and white space."""
    for pair in ("``", "''"):
        text = text.replace(pair, '"')
    for ligature, letters in {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"}.items():
        text = text.replace(ligature, letters)
    return re.sub(r"-+", "-", " ".join(text.translate(_SAME).split()))


def sentences(source: str) -> list[str]:
    """Return the sentences of a LaTeX *source* that consist of words, each once."""
    source = re.sub(r"(?<!\\)%.*", "", source).partition(r"\begin{document}")[2]
    paragraphs = (_STYLE.sub(r"\1", " ".join(part.split())) for part in _BREAK.split(source))
    found = (plain(one) for part in paragraphs for one in re.split(r"(?<=[.?!])\s+(?=[A-Z])", part))
    return list(dict.fromkeys(one for one in found if _SENTENCE.fullmatch(one) and len(one.split()) > 5))


def main() -> None:
    """Print one row per paper and tool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", type=Path)
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.append(str(arguments.peers))
    import pypdfium2

    print(f"{'paper':20}{'tool':14}{'sentences':>10}{'whole':>7}{'order':>7}{'pages/s':>9}")
    for paper in PAPERS:
        path = arguments.folder / ROOT / paper
        data = path.with_suffix(".pdf").read_bytes()
        wanted = sentences(gzip.decompress(path.with_suffix(".tex.gz").read_bytes()).decode("utf-8", "replace"))
        pages = len(pypdfium2.PdfDocument(data))
        for name, reader in readers().items():
            start = time.process_time()
            text = plain(reader(data))
            spent = time.process_time() - start
            places = [text.find(sentence) for sentence in wanted]
            whole = sum(place >= 0 for place in places) / len(places)
            order = sum(0 <= first < second for first, second in pairwise(places)) / (len(places) - 1)
            print(f"{path.name:20}{name:14}{len(wanted):10}{whole:7.2f}{order:7.2f}{pages / spent:9.1f}")


if __name__ == "__main__":
    main()
