"""The text of a paper in TeX: one pass over its tokens, without typesetting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from corpusmill.crawlers.readers.tex.commands import (
    AUTHORS,
    CITES,
    DROPPED,
    ENVIRONMENTS,
    LENGTHS,
    PROTECTED,
    REFERENCES,
    SECTIONS,
    STYLES,
)
from corpusmill.crawlers.readers.tex.handlers import Handlers
from corpusmill.crawlers.readers.tex.macros import Macros
from corpusmill.crawlers.readers.tex.output import DROPPED_MARK, Output
from corpusmill.crawlers.readers.tex.stream import Stream, Token
from corpusmill.crawlers.readers.tex.symbols import ACCENTS, CHARACTERS, SYMBOLS, accented
from corpusmill.crawlers.readers.tex.tokens import PARAGRAPH, is_word, tokens_of

_VERBATIM: Final = re.compile(
    r"\\begin[ \t]*\{(\w+)\*?\}(?:\[[^\]\n]*\])?(?:\{\w*\})?\n?(.*)\\end\{\w+\*?\}\Z", re.DOTALL
)
_ADDRESS: Final = re.compile(r"\\(url|path|nolinkurl|href)[ \t]*\{(.*)\}\Z", re.DOTALL)
_SAME: Final = {
    **{
        "SI": "qty",
        "SIrange": "qtyrange",
        "SIlist": "qtylist",
        "Refs": "refs",
        "Title": "title",
        "RequirePackage": "usepackage",
        "href": "argument",
    },
    **dict.fromkeys(("textcolor", "foreignlanguage", "colorbox", "mintinline"), "argument"),
}
"""Commands that are read like another one."""
KNOWN: Final = (
    frozenset(DROPPED)
    | STYLES
    | AUTHORS
    | SECTIONS
    | CITES
    | REFERENCES
    | LENGTHS
    | ENVIRONMENTS
    | SYMBOLS.keys()
    | ACCENTS.keys()
)


@dataclass
class Paper:
    """What was read of a paper.

    Args:
        text: Abstract and body.
        title: None if it is not marked as such.
        facts: Subject classes, keywords.
    """

    text: str
    title: str | None
    facts: dict[str, str] = field(default_factory=dict)


class PaperReader(Handlers):
    """Reads one paper."""

    def read(self, main: str) -> Paper:
        """Return the paper that begins in the file *main*.

        Raises:
            DataError: ``too_complex``: its macros expand without end.
        """
        tokens = tokens_of(self._files[main])
        self._open = [main]
        self._stream = Stream(tokens, size=sum(map(len, self._files.values())) // 4)
        self._macros = Macros(self._stream, protected=PROTECTED, known=KNOWN)
        self._out = Output()
        while (token := self._stream.next()) is not None:
            if isinstance(token, str):
                self._token(token)
            else:
                token()
        return Paper(self._out.text(), self._title, self.facts)

    def _token(self, token: str) -> None:
        first = token[0]
        if first == "\\" and len(token) > 1:
            self._command(token)
        elif token == PARAGRAPH:
            self._out.paragraph()
        elif token in {"$", "$$"}:
            self._formula(token)
        elif token == "&":
            self._out.add(" | " if self._tables else " ")
        elif token == "~":
            self._out.add("\xa0")
        elif token not in {"{", "}", "^", "#", "\\"}:
            self._out.add(token)

    def _command(self, token: str) -> None:
        name = token[1:]
        if self._macros.in_package:
            self._package_command(name)
            return
        if name in self._macros.aliases:
            name = self._macros.aliases[name]
            token = "\\" + name
        elif self._macros.expand(name):
            return
        if token.startswith(("\\verb", "\\lstinline")) and not is_word(token):
            self._out.keep(token[token.index(token[-1]) + 1 : -1])
        elif token[-1] == "}" and len(token) > 2 and (address := _ADDRESS.match(token)):
            if address[1] != "href":
                self._out.keep(address[2].replace("\\", ""))
        elif token.startswith("\\begin") and (verbatim := _VERBATIM.match(token)):
            self._verbatim(verbatim[1], verbatim[2])
        elif name in ACCENTS and (name in "`'^~\"=." or not self._next_is_text_only(name)):
            self._out.add(accented(self._plain(self._stream.argument(split=True)), name))
        elif name in CHARACTERS:
            self._out.add(CHARACTERS[name])
        elif name in {"(", "["}:
            self._formula("\\)" if name == "(" else "\\]")
        elif name == "\\":
            self._line_end()
        elif is_word(token):
            self._word(name)

    def _package_command(self, name: str) -> None:
        """Read a command of a package: only definitions count."""
        if name in {"usepackage", "RequirePackage", "newtheorem", "fi", "else"}:
            self._word(name)
        elif self._macros.is_if(name):
            self._macros.condition(name)
        else:
            self._macros.define(name)

    def _next_is_text_only(self, name: str) -> bool:
        return self._stream.peek() in {PARAGRAPH, None}

    def _line_end(self) -> None:
        if isinstance(token := self._stream.peek(), str) and token.startswith("*"):
            self._stream.next()
            if token[1:]:
                self._stream.put(token[1:])
        if self._stream.peek() == "[":
            self._stream.option()
        self._out.add("\n" if self._tables else " \n")

    def _plain(self, tokens: list[Token], depth: int = 0) -> str:
        """Return the text of the argument of an accent."""
        text = ""
        for index, token in enumerate(tokens):
            if not isinstance(token, str) or token in {"{", "}", "$"}:
                continue
            name = token[1:] if token[0] == "\\" else ""
            if name in ACCENTS and depth < 3:
                return text + accented(self._plain(tokens[index + 1 :], depth + 1), name)
            if name in {"imath", "jmath"}:
                text += name[0]
            elif name:
                text += SYMBOLS.get(name, CHARACTERS.get(name, ""))
            else:
                text += token
        if len(tokens) == 1 and tokens[0] in {"\\i", "\\j", "\\o", "\\O", "\\ae", "\\AE", "\\aa", "\\AA", "\\l"}:
            self._stream.skip_blank()
        return text

    def _word(self, name: str) -> None:
        stream, out = self._stream, self._out
        if (special := getattr(self, f"_do_{_SAME.get(name, name)}", None)) is not None:
            special()
        elif self._macros.define(name) or self._macros.switch(name):
            pass
        elif self._macros.is_if(name):
            self._macros.condition(name)
        elif name in SECTIONS:
            self._section(name)
        elif name in CITES or name in REFERENCES:
            self._drop_reference(name)
        elif name in {"subjclass", "pacs", "keywords", "MSC", "PACS"}:
            self._fact(name)
        elif self._is_ams and name in AUTHORS | {"title", "thanks"}:
            stream.until_words(f"\\end{name}")
        elif name in AUTHORS:
            while stream.option() is not None:
                pass
            stream.argument()
        elif name in DROPPED:
            self._star()
            while stream.option() is not None:
                pass
            for _ in range(DROPPED[name]):
                stream.argument()
                stream.option()
        elif name in LENGTHS:
            stream.skip_dimension()
        elif name in SYMBOLS:
            stream.skip_blank()
            out.add(SYMBOLS[name])
        else:
            stream.skip_blank()
            if name in {"makebox", "framebox"} or (name not in STYLES and stream.peek() == "["):
                while stream.option() is not None:
                    pass
            elif name in {"hbox", "vbox", "vtop"}:
                stream.skip_dimension()

    def _drop_reference(self, name: str) -> None:
        self._star()
        while self._stream.option() is not None:
            pass
        self._stream.argument()
        self._out.add(DROPPED_MARK)

    def _fact(self, name: str) -> None:
        self._star()
        self._stream.option()
        ams = self._is_ams
        value = self._stream.until_words(f"\\end{name}") if ams else self._stream.argument()
        key = {"MSC": "subjclass", "PACS": "pacs"}.get(name, name)
        self._captured(value, lambda text: self.facts.__setitem__(key, " ".join(self._out.finished(text).split())))

    def _section(self, name: str) -> None:
        self._star()
        self._stream.option()
        self._out.paragraph()
        if self._is_ams and name in {"head", "subhead", "subsubhead", "heading"}:
            title = self._stream.until_words(f"\\end{name}")
        elif name == "beginsection":
            title = self._stream.until_words("\\par", PARAGRAPH)
        else:
            title = self._stream.argument()
        self._captured(title, self._heading)

    def _verbatim(self, name: str, content: str) -> None:
        if name in {"comment", "filecontents"}:
            return
        self._out.add("\n\n")
        self._out.keep(content.strip("\n").replace("\t", "    "))
        self._out.add("\n\n")
