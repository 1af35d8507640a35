"""Environments: formulas, floats, tables, lists and theorems."""

from __future__ import annotations

from corpusmill.crawlers.readers.tex.commands import (
    FLOATS,
    FORMULAS,
    SKIPPED,
    TABLES,
)
from corpusmill.crawlers.readers.tex.formulas import formula
from corpusmill.crawlers.readers.tex.state import State


class Environments(State):
    """Reads environments, and the commands within them."""

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
            if self._open_documents == 0:
                self._out.clear()
            self._open_documents += 1  # a part that can be typeset alone has a document of its own
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
            self._open_documents -= 1
            if self._open_documents <= 0:
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

    def _do_newtheorem(self) -> None:
        self._star()
        name = self._stream.name().strip()
        self._stream.option()
        self._captured(self._stream.argument(), lambda text: self._theorems.__setitem__(name, text.strip()))
        self._stream.option() if self._stream.peek() == "[" else None
