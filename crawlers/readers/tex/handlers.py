"""Commands with a meaning of their own; a method `_do_name` reads the arguments of the command `name`."""

from __future__ import annotations

import re

from corpusmill.crawlers.readers.tex.environments import Environments
from corpusmill.crawlers.readers.tex.stream import Token, joined
from corpusmill.crawlers.readers.tex.symbols import SYMBOLS, UNITS
from corpusmill.crawlers.readers.tex.tokens import PARAGRAPH


class Handlers(Environments):
    """Reads the commands that are not in the tables of `commands`."""

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

    def _do_usepackage(self) -> None:
        self._stream.option()
        for name in self._stream.name().split(",")[::-1]:
            if name.strip():
                self._include(name.strip() + ".sty", "", is_package=True)

    def _do_endinput(self) -> None:
        """Nothing: what follows in the file is rarely more than blank lines."""

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

    def _do_qtyrange(self) -> None:
        self._stream.option()
        first, last = (_number(joined(self._stream.argument())) for _ in range(2))
        unit = self._unit(self._stream.argument())
        self._out.add(f"{first}\xa0{unit} to {last}\xa0{unit}")

    def _do_qtylist(self) -> None:
        self._stream.option()
        numbers, unit = joined(self._stream.argument()).split(";"), self._unit(self._stream.argument())
        self._out.add(_listed([f"{_number(number.strip())}\xa0{unit}" for number in numbers]))

    def _do_numrange(self) -> None:
        self._stream.option()
        self._out.add(" to ".join(_number(joined(self._stream.argument())) for _ in range(2)))

    def _do_numlist(self) -> None:
        self._stream.option()
        self._out.add(_listed([_number(number.strip()) for number in joined(self._stream.argument()).split(";")]))

    def _do_ang(self) -> None:
        self._stream.option()
        parts = joined(self._stream.argument()).split(";")
        self._out.add("".join(part.strip() + mark for part, mark in zip(parts, "°′″", strict=False) if part.strip()))

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


def _listed(items: list[str]) -> str:
    """Return *items* as siunitx lists them.

    >>> _listed(["1", "2", "3"]), _listed(["1"])
    ('1, 2 and 3', '1')
    """
    return " and ".join((", ".join(items[:-1]), items[-1])) if len(items) > 1 else "".join(items)


def _number(text: str) -> str:
    mantissa, found, exponent = text.replace("\\pm", " ± ").replace("+-", " ± ").partition("e")
    return f"{mantissa} × 10^{exponent}" if found and exponent.strip("+-").isdecimal() else text
