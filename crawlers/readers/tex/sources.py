"""The files of an e-print: which are text, in which encoding, and with which one the paper begins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.errors import DataError

SUFFIXES: Final = (".tex", ".ltx", ".latex", ".bbl", ".sty", ".cls", ".def", ".txt", ".inc", ".input", ".tikz", ".xxx")
_INPUTENC: Final = re.compile(rb"\\usepackage\s*\[\s*([\w-]+)\s*\]\s*\{inputenc\}|\\inputencoding\{([\w-]+)\}")
_CODECS: Final = {
    "latin1": "cp1252", "latin2": "iso8859-2", "latin5": "iso8859-9", "latin9": "iso8859-15", "ansinew": "cp1252",
    "applemac": "mac-roman", "koi8-r": "koi8-r", "cp1251": "cp1251", "cp1250": "cp1250", "cp1252": "cp1252",
    "cp437": "cp437", "cp850": "cp850", "cp866": "cp866", "utf8": "utf-8", "utf8x": "utf-8", "latin3": "iso8859-3",
}  # fmt: skip
_BEGIN: Final = re.compile(r"^[^%\n]*\\begin\s*\{document\}", re.MULTILINE)
_CLASS: Final = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.MULTILINE)
_PLAIN_END: Final = re.compile(r"^[^%\n]*\\(?:bye|end|enddocument)\b(?![\s]*\{)", re.MULTILINE)
_INPUTS: Final = re.compile(r"\\(?:input|include|subfile|subimport|import)\s*(?:\{[^{}\n]*\}\s*)?\{?\s*([^\s{}%\\]+)")
_TEX: Final = re.compile(r"\\[A-Za-z]+|\\[\W_]|\$[^$]+\$|^%", re.MULTILINE)
_WITHDRAWN: Final = re.compile(
    r"\b(?:paper|article|manuscript|submission|preprint)\b.{0,80}\bwithdrawn\b|^%auto-ignore", re.DOTALL
)
_TOP: Final = re.compile(r"^\s*(\S+\.\w+)\s+toplevelfile\b", re.MULTILINE)
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f]")


def decoded(data: bytes, *, encoding: str | None = None) -> str:
    r"""Return a file of TeX as text: in UTF-8, else as it declares, else in *encoding*, else in windows-1252.

    >>> decoded(b"\\usepackage[latin2]{inputenc} \xb3")[-1]
    'ł'
    """
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        match = _INPUTENC.search(data)
        declared = _CODECS.get((match[1] or match[2]).decode().lower()) if match else None
        declared = None if declared == "utf-8" else declared
        text = data.decode(declared or codec_of(encoding or "") or "cp1252", errors="replace")
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def main_file(files: Mapping[str, str]) -> str:
    """Return the path of the file with which the paper begins.

    Args:
        files: Sources of the paper by path.

    Raises:
        DataError: ``wrong_format``: none of the files is TeX; ``no_text``: the paper was withdrawn.
    """
    listings = [text for path, text in sorted(files.items()) if path.upper().rpartition("/")[2].startswith("00README")]
    texts = {path: text for path, text in files.items() if not path.endswith((".sty", ".cls", ".bbl", ".def"))}
    texts = {path: text for path, text in texts.items() if not path.upper().rpartition("/")[2].startswith("00README")}
    for name in (name for listing in listings for name in _stated(listing)):
        if name in texts:
            return name
    if all(is_withdrawn(text) for text in texts.values()) and texts:
        raise DataError("the paper was withdrawn by its authors", kind="no_text")
    candidates = {path: text for path, text in texts.items() if _TEX.search(text)}
    if not candidates:
        raise DataError("not TeX: the e-print has no file with commands of TeX", kind="wrong_format")
    return max(sorted(candidates), key=lambda path: _rank(path, candidates))


def _stated(listing: str) -> list[str]:
    """Return the main files that a `00README` names, in the form of today (JSON) or the one before.

    >>> _stated('{"sources": [{"filename": "b.tex", "usage": "ignore"}, {"filename": "a.tex", "usage": "toplevel"}]}')
    ['a.tex']
    >>> _stated("main.tex toplevelfile")
    ['main.tex']
    """
    try:
        described = json.loads(listing)
    except (ValueError, RecursionError):
        return [match[1] for match in _TOP.finditer(listing)]
    sources = described.get("sources") if isinstance(described, dict) else None
    named = [one for one in sources if isinstance(one, dict)] if isinstance(sources, list) else []
    return [str(one.get("filename")) for one in named if one.get("usage") == "toplevel"]


def _rank(path: str, candidates: Mapping[str, str]) -> tuple[int, bool, bool, bool, int]:
    text = candidates[path]
    included = {
        name.removesuffix(".tex").rpartition("/")[2] for other in candidates.values() for name in _INPUTS.findall(other)
    }
    begins = bool(_BEGIN.search(text))
    form = 3 if begins and _CLASS.search(text) else 2 if begins or _CLASS.search(text) else 0
    form = form or bool(_PLAIN_END.search(text))
    is_included = path.removesuffix(".tex").rpartition("/")[2] in included
    is_main = path.lower().rpartition("/")[2] in {"main.tex", "ms.tex", "paper.tex", "article.tex"}
    return form, not is_included, is_main, path.endswith(".tex"), len(text)


def is_withdrawn(text: str) -> bool:
    """Return whether *text* is the notice that stands in the place of a paper that was withdrawn."""
    return len(text) < 3000 and _WITHDRAWN.search(text) is not None and not _BEGIN.search(text)
