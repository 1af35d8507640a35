"""The programming language of a file, by its name, its extension or its first line."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

_TABLE: Final = Path(__file__).with_name("languages.txt")
_SHEBANG: Final = re.compile(r"#!\s*(?:\S*/)?(?:env(?:\s+(?:-\S+|\w+=\S+))*\s+)?(?:\S*/)?([\w+-]+?)[\d.]*(?:\s|$)")
_MODELINE: Final = re.compile(r"-\*-\s*(?:.*mode:\s*)?([\w+#-]+?)\s*(?:;.*)?-\*-")
_CPP: Final = re.compile(
    r"^\s*(?:class\s+\w+[^;(]*\{|class\s+\w+\s*$|template\s*<|namespace\b|using\s+namespace\b|(?:public|private|protected):)"
    r"|^\s*#\s*include\s+<(?:string|vector|map|memory|iostream|cstd\w+|utility|functional|array|optional)>|\bstd::",
    re.MULTILINE,
)
_OBJECTIVE_C: Final = re.compile(r"^\s*(?:@(?:interface|implementation|protocol|import|end)\b|#import\b)", re.MULTILINE)
_PROLOG: Final = re.compile(r"^[^#\n]*:-", re.MULTILINE)
_COQ: Final = re.compile(r"^\s*(?:Require|Theorem|Lemma|Definition|Inductive|Proof|Fixpoint)\b", re.MULTILINE)
_SAMPLE: Final = 50_000


class _Table(NamedTuple):
    by_extension: dict[str, str]
    by_name: dict[str, str]
    by_interpreter: dict[str, str]
    kinds: dict[str, str]


def language_of(path: str, text: str) -> str:
    """Return the language of the file *path* with *text*; empty if it is unknown.

    >>> language_of("a/b.py", ""), language_of("Makefile", ""), language_of("run", "#!/usr/bin/env -S python3 -u\\n")
    ('Python', 'Makefile', 'Python')
    >>> language_of("a.h", "namespace a {}\\n"), language_of("a.h", "int f(void);\\n"), language_of("a.unknown", "")
    ('C++', 'C', '')
    """
    table = _table()
    name = PurePosixPath(path).name
    language = table.by_name.get(name) or _by_extension(name, table)
    if language is None and name.partition(".")[0] in {"Dockerfile", "Makefile", "Containerfile", "Jenkinsfile"}:
        language = table.by_name.get(name.partition(".")[0])
    if language is None:
        return _by_first_line(text, table)
    return _among_several(PurePosixPath(name).suffix.lower(), language, text[:_SAMPLE])


def is_code(language: str) -> bool:
    """Return whether texts in *language* are programs, rather than prose, markup or data."""
    return _table().kinds.get(language) == "code"


def known(language: str) -> str:
    """Return the spelling of *language* in the table; unchanged if it is not there.

    >>> known("python"), known("vue-html")
    ('Python', 'vue-html')
    """
    lower = language.lower().replace("-", " ")
    return next((name for name in _table().kinds if name.lower() == lower), language)


def _by_extension(name: str, table: _Table) -> str | None:
    extension = PurePosixPath(name).suffix
    if extension.lower() == ".in":  # a template of autoconf or CMake
        extension = PurePosixPath(name.removesuffix(extension)).suffix
    return table.by_extension.get(extension.lower())


def _by_first_line(text: str, table: _Table) -> str:
    first, _, rest = text[:1000].partition("\n")
    if match := _SHEBANG.match(first):
        return table.by_interpreter.get(match[1], "")
    if match := _MODELINE.search(first) or _MODELINE.search(rest.partition("\n")[0]):
        name = known(match[1])
        return name if name in table.kinds else ""
    return ""


def _among_several(extension: str, language: str, text: str) -> str:
    """Return the language of a file whose *extension* several languages have."""
    match extension:
        case ".h" if _OBJECTIVE_C.search(text):
            return "Objective-C"
        case ".h" if _CPP.search(text):
            return "C++"
        case ".m" if not _OBJECTIVE_C.search(text):
            return "MATLAB" if re.search(r"^\s*(?:function\b|%|clear\b|end\b)", text, re.MULTILINE) else language
        case ".pl" if _PROLOG.search(text) and not re.search(r"^\s*(?:use|my|sub|package)\b", text, re.MULTILINE):
            return "Prolog"
        case ".ts" if text.lstrip().startswith(("<?xml", "<!DOCTYPE TS", "<TS")):
            return "XML"
        case ".v" if _COQ.search(text):
            return "Coq"
        case _:
            return language


@cache
def _table() -> _Table:
    table = _Table({}, {}, {}, {})
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        language, kind, *lists = line.split("\t")
        table.kinds[language] = kind
        keys = [words.split() for words in lists]
        for index, words in zip((table.by_extension, table.by_name, table.by_interpreter), keys, strict=False):
            for word in words:
                index.setdefault(word, language)
    return table
