"""Formulas, which stay as TeX, with the macros of the paper replaced."""

from __future__ import annotations

from typing import Final

from corpusmill.crawlers.readers.tex.commands import CITES, REFERENCES
from corpusmill.crawlers.readers.tex.macros import Macros
from corpusmill.crawlers.readers.tex.stream import Stream
from corpusmill.crawlers.readers.tex.tokens import PARAGRAPH, is_word

_WITHOUT: Final = frozenset(
    ("nonumber", "notag", "displaystyle", "protect", "ensuremath", "relax", "allowbreak", "nobreak", "leavevmode")
)
_WITH_ARGUMENT: Final = REFERENCES | CITES | {"label", "index", "tag", "vspace"}


def formula(stream: Stream, macros: Macros, end: str) -> str:
    """Return the formula up to *end*, which is ``$``, ``$$``, a command, or the name of an environment.

    A formula in a line that is not closed ends with its paragraph.
    """
    parts: list[str] = []
    depth = 0
    nested: list[str] = []
    while (token := stream.next()) is not None:
        if not isinstance(token, str):
            stream.put(token)
            break
        if token == end and depth <= 0:
            break
        if token == PARAGRAPH:
            if end == "$":
                stream.put(token)
                break
            token = " "
        elif token in {"$", "$$"} and depth <= 0 and end in {"$", "$$"}:
            if token == "$$" and end == "$":
                stream.put("$")
            break
        elif token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
        elif token[0] == "\\" and (is_word(token) or token[1:] in macros.table):
            alias = macros.aliases.get(token[1:])
            name = alias or token[1:]
            token = f"\\{name}"
            if alias is None and macros.expand(name):
                continue
            if macros.define(name) or macros.switch(name):
                continue
            if macros.is_if(name):
                macros.condition(name)
                continue
            if name == "else":
                macros.skip_branch(to_else=False)
                continue
            if name == "fi" or name in _WITHOUT:
                continue
            if name in _WITH_ARGUMENT:
                if name == "tag" or not stream.argument():
                    stream.argument() if name == "tag" else None
                continue
            if name in {"begin", "end"}:
                environment = stream.name().strip()
                if name == "end" and environment.rstrip("*") == end and not nested:
                    break
                if environment in macros.begins:
                    macro, after = macros.begins[environment]
                    macros.call(macro) if name == "begin" else stream.push(list(after))
                    continue
                if name == "begin":
                    nested.append(environment)
                elif environment in nested:
                    nested.remove(environment)
                elif environment == "document":
                    break
                token = f"{token}{{{environment}}}"
        parts.append(token)
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    """Join *parts*, with a blank where a command would otherwise be joined with the letters after it."""
    spaced: list[str] = []
    for part in parts:
        if spaced and part[:1].isalpha() and is_word(spaced[-1]):
            spaced.append(" ")
        spaced.append(part)
    return " ".join("".join(spaced).split())
