r"""E-prints in TeX: the words of the paper are in the text, and nothing of its typesetting is."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
import time
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.arxiv import Arxiv
from tests.crawlers.loaders.reading import Row, rows, samples

PREAMBLE = r"""% hidden: a remark
\documentclass[12pt]{article}
\newcommand{\R}{\mathbb{R}}
\newcommand{\pair}[2][x]{(#1,#2)}
\def\half#1{\frac{#1}{2}}
\def\range#1 to #2;{[#1|#2]}
\DeclareMathOperator{\Tr}{Tr}
\newenvironment{note}[1]{\par Note #1.}{\par}
\newtheorem{thm}{Theorem}[section]
\newif\ifdraft
\title{On \emph{na\"{\i}ve} sets\thanks{hidden grant}}
\author{hidden name\\ hidden institute \and hidden other}
\date{hidden date}
"""
CASES = {
    "authors": (r"One. \author{hidden}\authornotemark[1] \email{hidden@example.org} Two.", "One. Two."),
    "accents": (
        r"G\"odel \v{C}ech \'{e}tale Erd\H{o}s \c{c}a \AA ngstr\"om \o re \ss{} \L{}odz ^^e9",
        "Gödel Čech étale Erdős ça Ångström øre ß Łodz é",
    ),
    "ligatures": (r"a --- b, 1--2, ``all'' don't", "a — b, 1–2, “all” don't"),
    "formula": (r"Let $x\in\R$ and \(\half{y}\).", r"Let $x\in\mathbb{R}$ and $\frac{y}{2}$."),
    "equation": (
        r"\begin{equation}\label{e} E=mc^2, \Tr A\nonumber\end{equation}",
        r"$$E=mc^2, \operatorname{Tr}A$$",
    ),
    "align": (r"\begin{align*}a&=b\\c&=\R\end{align*}", r"$$\begin{aligned} a&=b\\c&=\mathbb{R} \end{aligned}$$"),
    "macros": (r"\pair{z} \pair[q]{z} \range a to b;", "(x,z) (q,z) [a|b]"),
    "alias": (r"\let\old\textbf\renewcommand{\textbf}[1]{\old{#1}!}\textbf{word}", "word!"),
    "citations": (r"As in~\cite{a,b}. See Eq.~(\ref{e}), and others (\cite{c}).", "As in. See Eq., and others."),
    "comments": ("one% hidden\n  two\n\\begin{comment}\nhidden\n\\end{comment}\nthree", "onetwo three"),
    "conditionals": (r"\ifdraft hidden\else shown\fi \iffalse hidden \ifdraft x\fi hidden\fi last", "shown last"),
    "theorem": (
        r"\begin{thm}[Euler] Every one. \end{thm}\begin{proof}Yes.\end{proof}",
        "Theorem (Euler). Every one.\n\nProof. Yes.",
    ),
    "environment": (r"\begin{note}{7} Here.\end{note}", "Note 7. Here."),
    "list": (r"\begin{itemize}\item One \item[(b)] Two\end{itemize}", "- One\n(b) Two"),
    "figure": (r"\begin{figure}[t]\includegraphics[width=3cm]{hidden}\caption[hidden]{A map.}\end{figure}", "A map."),
    "table": (
        r"\begin{table}\caption{Sizes}\begin{tabular}{l|c}\hline A & B\\ "
        r"1 & \multicolumn{1}{c}{2}\\\end{tabular}\end{table}",
        "Sizes\n\nA | B\n1 | 2",
    ),
    "drawing": (r"a \begin{tikzpicture}\draw hidden;\end{tikzpicture} b", "a b"),
    "verbatim": (
        "\\begin{verbatim}\ndef f(x):\n    return {x} % kept\n\\end{verbatim}",
        "def f(x):\n    return {x} % kept",
    ),
    "short verbatim": (r"Use \verb|a_{%| here.", "Use a_{% here."),
    "addresses": (r"\url{http://x.org/~a_b%20}, \href{http://hidden.org/%}{a link}", "http://x.org/~a_b%20, a link"),
    "ranges": (
        r"\SIrange{1}{3}{\km}; \qtyrange{1}{3}{\kilo\gram}; \numrange{2}{4}; \numlist{1;2;3}; \SIlist{1;2}{\m}",
        "1 km to 3 km; 1 kg to 3 kg; 2 to 4; 1, 2 and 3; 1 m and 2 m",
    ),
    "angles and short units": (r"\ang{30} \ang{10;2;3} \qty{3.5}{\m\per\s}", "30° 10°2′3″ 3.5 m/s"),
    "quantities": (r"\SI{10}{\kilo\metre} and 5\,km, $a$~km", "10 km and 5 km, $a$ km"),
    "colors": (r"{\color{red}red} \textcolor{blue}{blue} \foreignlanguage{german}{Wort}", "red blue Wort"),
    "lengths": (r"\vspace{1cm}\noindent Next\vskip 3pt plus 1pt para\hspace*{2em}graph", "Nextparagraph"),
    "footnote": (r"Word\footnote{An aside.} goes on.", "Word goes on.\n\nAn aside."),
    "references": (r"End. \begin{thebibliography}{9}\bibitem{a} hidden\end{thebibliography}", "End."),
}


def write(folder: Path, files: dict[str, str | bytes], name: str = "1911.02782v2.tar.gz") -> Path:
    """Write a tar, gzipped if its *name* says so."""
    path = folder / name
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


PART = r"\documentclass[../main]{subfiles}\usepackage{amsmath}\begin{document}Rivers.\end{document}"


@pytest.mark.parametrize("command", ["subfile", "input", "include"])
def test_a_part_that_can_be_typeset_alone_does_not_end_the_paper(tmp_path: Path, command: str) -> None:
    """It has a document of its own; what came before and after it was lost."""
    whole = rf"\documentclass{{article}}\begin{{document}}Before. \{command}{{sec/s2}} After.\end{{document}} Not."

    (row,) = rows(Arxiv(), write(tmp_path, {"main.tex": whole, "sec/s2.tex": PART}), name="1911.02782v2.tar.gz")

    assert row["text"].split() == ["Before.", "Rivers.", "After."]


def test_the_main_file_is_the_one_that_the_listing_names(tmp_path: Path) -> None:
    """arXiv describes the files of new papers in JSON."""
    paper = r"\documentclass{article}\title{T}\begin{document}%s\end{document}"
    listing = {"sources": [{"filename": "main.tex", "usage": "ignore"}, {"filename": "z.tex", "usage": "toplevel"}]}
    files = {"00README.json": json.dumps(listing), "main.tex": paper % ("Supplement. " * 50), "z.tex": paper % "Paper."}

    (row,) = rows(Arxiv(), write(tmp_path, files), name="1911.02782v2.tar.gz")

    assert row["text"] == "Paper."


def read(folder: Path, source: str | bytes, **fields: object) -> Row:
    """Return the record of an e-print that is one file."""
    path = folder / "paper.gz"
    path.write_bytes(gzip.compress(source.encode() if isinstance(source, str) else source))
    (row,) = rows(Arxiv(**fields), path, name="hep-th9901001.gz")
    return row


def paper(body: str) -> str:
    """Return a paper with *body*."""
    return PREAMBLE + "\\begin{document}\\maketitle\n" + body + "\n\\end{document}\nhidden"


@pytest.mark.parametrize("case", CASES)
def test_the_words_are_read_as_they_are_printed(tmp_path: Path, case: str) -> None:
    """Each construct of LaTeX gives the text that a reader of the paper sees; formulas stay TeX."""
    body, expected = CASES[case]

    row = read(tmp_path, paper(body))

    assert row["text"] == expected
    assert (row["source_id"], row["title"]) == ("hep-th/9901001", "On naïve sets")
    assert row["url"] == "https://arxiv.org/abs/hep-th/9901001"


def test_optional_parts_are_chosen(tmp_path: Path) -> None:
    """`keep` decides about captions, tables, footnotes and references, each on its own."""
    body = "Word\\footnote{Aside.} \\begin{table}\\caption{Cap.}\\begin{tabular}{l}Cell\\end{tabular}\\end{table}"
    body += "\\begin{thebibliography}{9}\\bibitem{a} Knuth\\end{thebibliography}"
    parts = {"footnotes": "Aside.", "captions": "Cap.", "tables": "Cell", "references": "Knuth"}

    for part, words in parts.items():
        text = read(tmp_path, paper(body), keep=(part,))["text"]

        assert [other for other in parts.values() if other in text] == [words]


def test_plain_and_ams_tex_are_read(tmp_path: Path) -> None:
    """Papers of the 1990s end with ``\\bye`` or mark their parts with ``\\end…``."""
    plain = (
        r"\magnification=\magstep1 \font\big=cmr10 scaled\magstep2 \hsize 6.5truein\centerline{\bf Top}Body.\bye hidden"
    )
    ams = r"""\input amstex \documentstyle{amsppt}\topmatter\title On rings\endtitle\author hidden\endauthor
\subjclass 14A10\endsubjclass\endtopmatter\document\head 1. Start\endhead
\proclaim{Theorem 1} So.\endproclaim \Refs\ref\by hidden\endref\endRefs\enddocument"""

    first, second = read(tmp_path, plain), read(tmp_path, ams)

    assert first["text"] == "Top\n\nBody."
    assert (second["title"], second["text"]) == ("On rings", "1. Start\n\nTheorem 1. So.")
    assert second["metadata"] == {"subjclass": "14A10"}


def test_files_of_an_archive_are_joined(tmp_path: Path) -> None:
    """The main file is found; its inputs are read once, in place, with the macros of its packages, and none outside."""
    files: dict[str, str | bytes] = {
        "sections/one.tex": "\\section{One}\\input{sections/two}",
        "sections/two.tex": "Loop \\input{sections/one} \\mine",
        "mine.sty": "\\newcommand{\\mine}{macro}\\def\\small{\\small\\small}",
        "main.tex": "\\documentclass{a}\\usepackage{mine}\\begin{document}"
        "\\input{sections/one}\n\\input{../../etc/passwd} end "
        "\\include{gone}\\end{document}",
        "old.tex": "\\documentclass{a}\\begin{document}hidden\\end{document}",
        "figure.pdf": b"%PDF-1.4",
        "../main.tex": "hidden",
    }

    (row,) = rows(Arxiv(), write(tmp_path, files), name="1911.02782v2.tar.gz")

    assert row["text"] == "One\n\nLoop macro end"
    assert row["source_id"] == "1911.02782"
    assert row["metadata"] == {"missing_files": "../../etc/passwd, gone"}


def test_papers_of_a_bulk_tar_are_read_and_the_others_are_named(tmp_path: Path) -> None:
    """A paper without TeX, a withdrawn or broken one is set aside by name, and its neighbors are published."""
    good = gzip.compress(paper("Good.").encode())
    inner = write(tmp_path, {"ms.tex": paper("Tar."), "a.png": b"\x89PNG\0"}, "inner.tar.gz").read_bytes()
    files: dict[str, str | bytes] = {
        "9802/quant-ph9802040.gz": good,
        "9802/hep-th9802001.gz": inner,
        "9802/hep-th9802002.pdf": b"%PDF-1.4",
        "9802/hep-th9802003.gz": gzip.compress(b"%auto-ignore\nThis paper has been withdrawn by the author."),
        "9802/hep-th9802004.gz": good[:200],
        "9802/hep-th9802005.gz": gzip.compress(b"%PDF-1.4 \0\0"),
        "9802/hep-th9802006.gz": gzip.compress(b"<html><body>A page</body></html>"),
        "9802/hep-th9802007.gz": gzip.compress(bytes(1 << 26), 9),
        "9802/hep-th9802008.gz": inner[: len(inner) // 2],
        "9802/math.GT_9802009.gz": good,
    }

    found = {row["source_id"]: row for row in rows(Arxiv(), write(tmp_path, files, "arXiv_src_9802_001.tar"))}

    assert {id: row["text"] or row["rule"] for id, row in found.items()} == {
        "quant-ph/9802040": "Good.",
        "hep-th/9802001": "Tar.",
        "hep-th/9802002": "error.not_text",
        "hep-th/9802003": "error.no_text",
        "hep-th/9802004": "error.truncated",
        "hep-th/9802005": "error.not_text",
        "hep-th/9802006": "error.wrong_format",
        "hep-th/9802007": "error.too_large",
        "hep-th/9802008": "error.truncated",
        "math/9802009": "Good.",
    }
    assert all(id.rpartition("/")[2] in row["message"] for id, row in found.items() if row["rule"])


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (r"\def\a{\a\a}text \a", "error.too_complex"),
        (r"\def\a#1{\a{#1#1}}text \a{x}", "error.too_complex"),
        ("words " + "{" * 100_000, None),
        ("words " + "\\emph{" * 100_000, None),
        ("words " + "\\footnote{\\section{" * 50_000, "error.too_complex"),
        ("words " + "$" * 99_999 + "{" * 99_999, None),
        ("words " + "\\begin{verbatim}" * 20_000, None),
        ("words " + "\\iffalse " * 50_000, None),
    ],
    ids=["recursion", "growth", "braces", "emphasis", "sections", "dollars", "verbatim", "conditionals"],
)
def test_hostile_sources_end_quickly(tmp_path: Path, body: str, rule: str | None) -> None:
    """Macros without end and deep nesting take bounded time."""
    started = time.process_time()

    row = read(tmp_path, paper(body))

    assert row["rule"] == rule
    assert rule or row["text"].startswith("words")
    assert time.process_time() - started < 10


def test_encodings_are_recognized(tmp_path: Path) -> None:
    """UTF-8, then what the source declares, then the recipe, then windows-1252."""
    body = "\\documentclass{a}%s\\begin{document}x \\& Łódź\\end{document}"

    declared = read(tmp_path, (body % "\\usepackage[latin2]{inputenc}").encode("iso8859-2"))
    chosen = read(tmp_path, (body % "").encode("iso8859-2"), encoding="iso-8859-2")
    utf8 = read(tmp_path, body % "")

    assert {row["text"] for row in (declared, chosen, utf8)} == {"x & Łódź"}


def test_the_real_paper_has_no_residue() -> None:
    """The e-print of the samples is read with its title; less than 1 command of TeX in 10,000 words is left."""
    (path,) = samples("latex")

    (row,) = rows(Arxiv(), path, name=path.name)

    words = re.sub(r"\$\$.*?\$\$|\$[^$]*\$", "", row["text"], flags=re.DOTALL)
    assert row["title"] == "S2ORC: The Semantic Scholar Open Research Corpus"
    assert "1. Process PDFs and LaTeX sources" in words
    assert "Medicine | 12.8M | 1.8M" in words
    assert len(re.findall(r"\\[A-Za-z]+|[{}]", words)) * 10_000 < len(words.split())
