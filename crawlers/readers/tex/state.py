"""What is known while a paper is read, and the files that it includes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from corpusmill.crawlers.readers.tex.commands import (
    THEOREMS,
)
from corpusmill.crawlers.readers.tex.macros import Macros
from corpusmill.crawlers.readers.tex.output import Output
from corpusmill.crawlers.readers.tex.stream import Stream, Token
from corpusmill.crawlers.readers.tex.tokens import tokens_of

MAX_INCLUDES: Final = 2000
_SPECIAL_INPUTS: Final = frozenset(("psfig", "epsf", "amstex", "amsppt", "harvmac", "mssymb", "lanlmac", "epsfig"))


class State:
    """The tokens that remain, the text so far, and what is open.

    Args:
        files: Sources of the paper by path, for its inputs.
        keep: Optional parts of the text.
    """

    _stream: Stream
    _macros: Macros
    _out: Output

    def __init__(self, files: Mapping[str, str], *, keep: frozenset[str]) -> None:
        self._files = files
        self._keep = keep
        self._includes = 0
        self._open: list[str] = []
        self._title: str | None = None
        self._is_ams = False
        self._theorems = dict(THEOREMS)
        self._counters: list[int | None] = []
        self._tables = 0
        self._open_documents = 0
        self._floats: list[tuple[str, int, list[str]]] = []
        self.facts: dict[str, str] = {}

    def _star(self) -> bool:
        self._stream.skip_blank()
        token = self._stream.peek()
        if isinstance(token, str) and token.startswith("*"):
            self._stream.next()
            if token[1:]:
                self._stream.put(token[1:])
            return True
        return False

    def _captured(self, tokens: list[Token], use: Callable[[str], None]) -> None:
        """Write *tokens* to a text of their own, and call *use* with it."""
        number = self._out.start()
        self._stream.push([*tokens, partial(self._end_capture, number, use)] if tokens else [])
        if not tokens:
            self._end_capture(number, use)

    def _end_capture(self, number: int, use: Callable[[str], None]) -> None:
        use(self._out.stop(number))

    def _heading(self, text: str) -> None:
        self._out.add(" ".join(text.split()))
        self._out.paragraph()

    def _include(self, name: str, *suffixes: str, is_package: bool = False) -> None:
        """Read the file *name* of the paper, unless it is being read; a file outside of it is not read."""
        if name.strip() in {"amstex", "amsppt", "amsppt.sty"}:
            self._is_ams = True
        path = found_file(self._files, name, suffixes or (".tex", "", ".ltx", ".TEX"), self._open[0])
        base = name.strip().removesuffix(".tex")
        if path is None and not is_package and base and not base.endswith(".sty") and base not in _SPECIAL_INPUTS:
            self.facts["missing_files"] = ", ".join([*filter(None, [self.facts.get("missing_files")]), name.strip()])
        if path is None or path in self._open or self._includes >= MAX_INCLUDES:
            return
        self._includes += 1
        self._open.append(path)
        tokens: list[Token] = [*tokens_of(self._files[path])]
        if is_package:
            self._macros.in_package += 1
            number = self._out.start()
            self._stream.push([*tokens, partial(self._package_end, path, number)])
        else:
            self._stream.push([*tokens, partial(self._included, path)])

    def _included(self, path: str) -> None:
        if path in self._open:
            self._open.remove(path)

    def _package_end(self, path: str, number: int) -> None:
        self._out.stop(number)
        self._macros.in_package -= 1
        self._included(path)

    def _skip(self, name: str) -> None:
        """Skip to the end of the environment *name*."""
        while (token := self._stream.next()) is not None:
            if token == "\\end" and self._stream.name().strip() == name:
                return


def found_file(files: Mapping[str, str], name: str, suffixes: tuple[str, ...], main: str) -> str | None:
    """Return the path of the file that ``\\input`` calls *name*, beside *main* or from the top; None: there is none.

    >>> found_file({"a/b.tex": ""}, "./b", (".tex",), "a/main.tex")
    'a/b.tex'
    """
    parts = [part for part in name.strip().strip('"').replace("\\", "/").split("/") if part not in {"", "."}]
    if ".." in parts:
        parts = _without_parents(parts)
    folder = main.rpartition("/")[0]
    for path in ("/".join(parts), "/".join([folder, *parts])):
        for suffix in suffixes:
            if path + suffix in files:
                return path + suffix
    return None


def _without_parents(parts: list[str]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part != "..":
            kept.append(part)
        elif kept:
            kept.pop()
    return kept
