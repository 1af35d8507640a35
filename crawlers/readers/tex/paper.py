"""The text of a paper in TeX: one pass over its tokens, without typesetting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from corpusmill.crawlers.readers.tex.commands import (
    AUTHORS,
    CITES,
    DROPPED,
    ENVIRONMENTS,
    FLOATS,
    FORMULAS,
    LENGTHS,
    PROTECTED,
    REFERENCES,
    SECTIONS,
    SKIPPED,
    STYLES,
    TABLES,
    THEOREMS,
)
from corpusmill.crawlers.readers.tex.formulas import formula
from corpusmill.crawlers.readers.tex.macros import Macros
from corpusmill.crawlers.readers.tex.output import DROPPED_MARK, Output
from corpusmill.crawlers.readers.tex.stream import Stream, Token, joined
from corpusmill.crawlers.readers.tex.symbols import ACCENTS, CHARACTERS, SYMBOLS, UNITS, accented
from corpusmill.crawlers.readers.tex.tokens import PARAGRAPH, is_word, tokens_of

MAX_INCLUDES: Final = 2000
_VERBATIM: Final = re.compile(
    r"\\begin[ \t]*\{(\w+)\*?\}(?:\[[^\]\n]*\])?(?:\{\w*\})?\n?(.*)\\end\{\w+\*?\}\Z", re.DOTALL
)
_ADDRESS: Final = re.compile(r"\\(url|path|nolinkurl|href)[ \t]*\{(.*)\}\Z", re.DOTALL)
_SAME: Final = {
    **{"SI": "qty", "Refs": "refs", "Title": "title", "RequirePackage": "usepackage", "href": "argument"},
    **dict.fromkeys(("textcolor", "foreignlanguage", "colorbox", "mintinline"), "argument"),
}
"""Commands that are read like another one."""
_SPECIAL_INPUTS: Final = frozenset(("psfig", "epsf", "amstex", "amsppt", "harvmac", "mssymb", "lanlmac", "epsfig"))
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


class PaperReader:
    """Reads one paper.

    Args:
        files: Sources of the paper by path, for ``\\input``.
        keep: Optional parts of the text.
    """

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
        self._floats: list[tuple[str, int, list[str]]] = []
        self.facts: dict[str, str] = {}

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

    def _formula(self, end: str, *, lines: str = "") -> None:
        content = formula(self._stream, self._macros, end)
        if not content:
            return
        if end == "$" or end in {"\\)", "math"}:
            self._out.keep(f"${content}$")
            return
        content = f"\\begin{{{lines}}} {content} \\end{{{lines}}}" if lines else content
        self._out.add("\n")
        self._out.keep(f"$${content}$$")
        self._out.add("\n")

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

    def _heading(self, text: str) -> None:
        self._out.add(" ".join(text.split()))
        self._out.paragraph()

    def _do_title(self) -> None:
        self._stream.option()
        value = self._stream.until_words("\\endtitle") if self._is_ams else self._stream.argument()
        self._captured(value, self._set_title)

    def _set_title(self, text: str) -> None:
        title = " ".join(self._out.finished(text).split())
        self._title = self._title or title or None

    _do_icmltitle = _do_title

    def _do_par(self) -> None:
        self._out.paragraph()

    _do_medskip = _do_bigskip = _do_smallskip = _do_vfill = _do_newpage = _do_clearpage = _do_par
    _do_endproclaim = _do_enddemo = _do_endabstract = _do_eject = _do_filbreak = _do_par

    def _do_documentstyle(self) -> None:
        self._stream.option()
        self._is_ams = "ams" in self._stream.name()

    def _do_input(self) -> None:
        self._stream.skip_blank()
        if self._stream.peek() == "{":
            name = self._stream.name()
        else:
            token = self._stream.next()
            name = token if isinstance(token, str) else ""
            while isinstance(follower := self._stream.peek(), str) and follower in {"_", "^"}:
                name += follower
                self._stream.next()
                name += str(self._stream.next() or "")
        self._include(name)

    _do_include = _do_subfile = _do_subfileinclude = _do_input

    def _do_import(self) -> None:
        self._star()
        folder = self._stream.name().strip()
        self._include(f"{folder}/{self._stream.name().strip()}")

    _do_subimport = _do_inputfrom = _do_import

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

    def _do_usepackage(self) -> None:
        self._stream.option()
        for name in self._stream.name().split(",")[::-1]:
            if name.strip():
                self._include(name.strip() + ".sty", "", is_package=True)

    def _do_endinput(self) -> None:
        """Nothing: what follows in the file is rarely more than blank lines."""

    def _do_begin(self) -> None:
        name = self._stream.name().strip()
        plain = name.rstrip("*")
        if name in self._macros.begins:
            self._macros.call(self._macros.begins[name][0])
        elif plain in FORMULAS:
            if plain in {"alignat", "xalignat", "IEEEeqnarray"}:
                self._stream.argument()
            self._formula(plain, lines=FORMULAS[plain])
        elif plain in SKIPPED or (plain in {"thebibliography", "references"} and "references" not in self._keep):
            self._skip(name)
        elif plain == "document":
            self._out.clear()
        elif plain in FLOATS or plain == "table":
            self._stream.option()
            if plain == "wrapfigure":
                self._stream.argument()
                self._stream.option()
                self._stream.argument()
            self._out.paragraph()
            self._floats.append((plain, self._out.start(), []))
        elif plain in TABLES:
            self._table(plain)
        elif plain in {"itemize", "enumerate", "description", "compactitem", "compactenum", "inparaenum", "asparaenum"}:
            self._stream.option()
            self._counters.append(0 if "enum" in plain else None)
            self._out.add("\n")
        elif plain in self._theorems:
            self._theorem(self._theorems[plain])
        elif plain in {"minipage", "multicols", "spacing", "adjustbox", "subfigure", "list", "thebibliography"}:
            while self._stream.option() is not None:
                pass
            self._stream.argument()
            if plain == "list":
                self._stream.argument()
                self._counters.append(None)
        else:
            self._stream.option()
            self._out.paragraph()

    def _theorem(self, label: str) -> None:
        note = self._stream.option()
        self._out.paragraph()
        self._out.add(label)
        if note:
            self._stream.push([" ", "(", *note, ")", ".", " "])
        else:
            self._out.add(". ")

    def _skip(self, name: str) -> None:
        """Skip to the end of the environment *name*."""
        while (token := self._stream.next()) is not None:
            if token == "\\end" and self._stream.name().strip() == name:
                return

    def _table(self, name: str) -> None:
        self._tables += 1
        self._stream.option()
        if name in {"tabularx", "tabulary"} or self._stream.peek() == "*":
            self._star()
            self._stream.argument()
        if name not in {"tblr"}:
            self._stream.option()
            self._stream.argument()
        self._out.add("\n\n")
        number = self._out.start()
        self._floats.append(("tabular", number, []))

    def _do_end(self) -> None:
        name = self._stream.name().strip()
        plain = name.rstrip("*")
        if name in self._macros.begins:
            self._stream.push(list(self._macros.begins[name][1]))
        elif plain in TABLES:
            self._end_table()
        elif plain in FLOATS or plain == "table":
            self._end_float(plain)
        elif plain in {"itemize", "enumerate", "description", "compactitem", "compactenum", "inparaenum", "list"}:
            if self._counters:
                self._counters.pop()
            self._out.add("\n\n" if not self._counters else "\n")
        elif plain == "document":
            self._finish()
        elif plain not in {"minipage", "subfigure"}:
            self._out.paragraph()

    def _finish(self) -> None:
        while self._stream.next() is not None:
            pass

    _do_bye = _do_enddocument = _finish

    def _end_table(self) -> None:
        self._tables = max(self._tables - 1, 0)
        if not self._floats or self._floats[-1][0] != "tabular":
            return
        _, number, _ = self._floats.pop()
        content = self._out.stop(number)
        if "tables" not in self._keep:
            return
        rows = [" | ".join(cell.strip() for cell in row.split(" | ")).strip(" \n") for row in content.split("\n")]
        self._out.add("\n".join(row for row in rows if row.strip(" |")) + "\n\n")

    def _end_float(self, name: str) -> None:
        while self._floats and self._floats[-1][0] == "tabular":
            self._end_table()
        if not self._floats:
            return
        kind, number, captions = self._floats.pop()
        content = self._out.stop(number)
        if "captions" in self._keep:
            for caption in captions:
                self._out.add(f"\n\n{caption}\n\n")
        if kind == "table" and "tables" in self._keep:
            self._out.add(content)
        self._out.paragraph()

    def _do_caption(self) -> None:
        self._star()
        self._stream.option()
        self._captured(self._stream.argument(), self._add_caption)

    def _add_caption(self, text: str) -> None:
        captions = next((kept for kind, _, kept in reversed(self._floats) if kind != "tabular"), None)
        if captions is not None:
            captions.append(text.strip())
        elif "captions" in self._keep:
            self._out.add(f"\n\n{text.strip()}\n\n")

    _do_tablecaption = _do_figcaption = _do_caption

    def _do_captionof(self) -> None:
        self._stream.argument()
        self._do_caption()

    def _do_footnote(self) -> None:
        self._stream.option()
        self._captured(self._stream.argument(), self._add_footnote)

    _do_footnotetext = _do_endnote = _do_footnote

    def _do_vfootnote(self) -> None:
        self._stream.argument()
        self._do_footnote()

    def _do_footnotemark(self) -> None:
        self._stream.option()

    def _add_footnote(self, text: str) -> None:
        if "footnotes" in self._keep and text.strip():
            self._out.later(" ".join(text.split()))

    def _do_item(self) -> None:
        label = self._stream.option()
        self._stream.skip_blank(paragraphs=True)
        self._out.add("\n")
        if label:
            self._stream.push([*label, " "])
        elif self._counters and (count := self._counters[-1]) is not None:
            self._counters[-1] = count + 1
            self._out.add(f"{count + 1}. ")
        else:
            self._out.add("- ")

    def _do_bibitem(self) -> None:
        self._stream.option()
        self._stream.argument()
        self._out.add("\n\n")

    def _do_bibliography(self) -> None:
        self._stream.argument()
        if "references" in self._keep:
            self._include(self._open[0].rsplit(".", 1)[0] + ".bbl", "")

    def _do_printbibliography(self) -> None:
        self._stream.option()

    def _do_refs(self) -> None:
        ended = self._stream.until_words("\\endRefs", "\\enddocument", "\\bye")
        if "references" in self._keep:
            self._stream.push([*ended])

    def _do_newtheorem(self) -> None:
        self._star()
        name = self._stream.name().strip()
        self._stream.option()
        self._captured(self._stream.argument(), lambda text: self._theorems.__setitem__(name, text.strip()))
        self._stream.option() if self._stream.peek() == "[" else None

    def _do_proclaim(self) -> None:
        self._out.paragraph()
        if self._is_ams:
            self._stream.push([*self._stream.argument(), ".", " "])

    def _do_demo(self) -> None:
        self._out.paragraph()
        self._stream.push([*self._stream.argument(), ".", " "])

    def _do_url(self) -> None:
        self._out.keep(joined(self._stream.argument()).replace("\\", ""))

    _do_path = _do_nolinkurl = _do_url

    def _do_argument(self) -> None:
        self._stream.argument()

    def _do_hyperref(self) -> None:
        self._stream.option()

    def _do_multicolumn(self) -> None:
        self._stream.argument()
        self._stream.argument()

    def _do_multirow(self) -> None:
        self._stream.option()
        self._stream.argument()
        self._stream.option()
        self._stream.argument()
        self._stream.option()

    def _do_cmidrule(self) -> None:
        self._stream.skip_blank()
        if isinstance(token := self._stream.peek(), str) and token.startswith("("):
            self._stream.next()
        self._stream.option()
        self._stream.argument()

    def _do_resizebox(self) -> None:
        self._star()
        self._stream.argument()
        self._stream.argument()

    def _do_scalebox(self) -> None:
        self._stream.argument()
        self._stream.option()

    _do_raisebox = _do_rotatebox = _do_scalebox

    def _do_parbox(self) -> None:
        while self._stream.option() is not None:
            pass
        self._stream.argument()

    def _do_texorpdfstring(self) -> None:
        first = self._stream.argument()
        self._stream.argument()
        self._stream.push(first)

    def _do_ensuremath(self) -> None:
        self._stream.push(["$", *self._stream.argument(), "$"])

    def _do_else(self) -> None:
        self._macros.skip_branch(to_else=False)

    def _do_fi(self) -> None:
        self._stream.skip_blank()

    def _do_ifthenelse(self) -> None:
        condition, yes, no = (self._stream.argument() for _ in range(3))
        text = joined(condition)
        switch = re.fullmatch(r"\s*\\boolean\s*\{\s*(\w+)\s*\}\s*", text)
        equal = re.fullmatch(r"\s*\\equal\s*\{([^{}]*)\}\s*\{([^{}]*)\}\s*", text)
        holds = self._macros.switches.get(switch[1], False) if switch else bool(equal and equal[1] == equal[2])
        self._stream.push(yes if holds else no)

    def _do_csname(self) -> None:
        self._stream.put("\\" + joined(self._stream.until_words("\\endcsname")))

    def _do_expandafter(self) -> None:
        first = self._stream.next()
        if first is not None and self._stream.peek() == "\\csname":
            self._stream.next()
            self._do_csname()
        if first is not None:
            self._stream.put(first)

    def _do_xspace(self) -> None:
        token = self._stream.peek()
        if isinstance(token, str) and token[0] not in ".,'/?;:!~-)]}{" and token not in {" ", PARAGRAPH, "\\ ", "\\/"}:
            self._out.add(" ")

    def _do_font(self) -> None:
        """Skip the definition of a font: `\\font\\big=cmr10 scaled\\magstep2`."""
        self._stream.argument()
        self._stream.skip_blank()
        for _ in range(3):
            if isinstance(token := self._stream.peek(), str) and (token[0] in "=c" or token in {"scaled", "at"}):
                self._stream.next()
                self._stream.skip_blank()
        self._stream.skip_dimension()
        if isinstance(token := self._stream.peek(), str) and token in {"scaled", "at"}:
            self._stream.next()
            self._stream.skip_dimension()

    def _do_centerline(self) -> None:
        self._out.paragraph()
        self._captured(self._stream.argument(), self._heading)

    _do_leftline = _do_rightline = _do_centerline

    def _do_char(self) -> None:
        self._stream.skip_dimension()

    def _do_qty(self) -> None:
        self._stream.option()
        number, unit = joined(self._stream.argument()), self._unit(self._stream.argument())
        self._out.add(_number(number) + ("" if unit in {"%", "°"} and unit == "°" else "\xa0") + unit)

    def _do_num(self) -> None:
        self._stream.option()
        self._out.add(_number(joined(self._stream.argument())))

    def _do_si(self) -> None:
        self._stream.option()
        self._out.add(self._unit(self._stream.argument()))

    _do_unit = _do_si

    def _unit(self, tokens: list[Token]) -> str:
        return "".join(
            UNITS.get(token[1:], SYMBOLS.get(token[1:], "")) if token[0] == "\\" else token
            for token in tokens
            if isinstance(token, str) and token not in {"{", "}", " "}
        )

    def _verbatim(self, name: str, content: str) -> None:
        if name in {"comment", "filecontents"}:
            return
        self._out.add("\n\n")
        self._out.keep(content.strip("\n").replace("\t", "    "))
        self._out.add("\n\n")


def _number(text: str) -> str:
    mantissa, found, exponent = text.replace("\\pm", " ± ").replace("+-", " ± ").partition("e")
    return f"{mantissa} × 10^{exponent}" if found and exponent.strip("+-").isdecimal() else text


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
