"""Macros and conditionals of a paper: their definitions, and their expansion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from corpusmill.crawlers.readers.tex.stream import Stream, Token, joined
from corpusmill.crawlers.readers.tex.tokens import is_word, tokens_of
from corpusmill.schemas.errors import DataError

_IFS: Final = frozenset(
    "if ifcat ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifx ifeof iftrue iffalse ifcase "
    "ifdefined ifcsname iffontchar ifpdf ifPDF ifxetex ifluatex ifpdftex".split()
)
_ONE_TOKEN: Final = frozenset(("ifodd", "ifvoid", "ifhbox", "ifvbox", "ifeof", "ifdefined"))
NEW_COMMANDS: Final = frozenset(
    "newcommand renewcommand providecommand DeclareRobustCommand newcommandx NewDocumentCommand RenewDocumentCommand "
    "ProvideDocumentCommand DeclareDocumentCommand".split()
)
DEFS: Final = frozenset(("def", "edef", "gdef", "xdef"))
_MAX_CALLS: Final = 50_000
"""A macro that is used more often calls itself without end."""


@dataclass(frozen=True)
class Macro:
    """A command of the author.

    Args:
        parameters: For each parameter, the tokens that end it; none, if it is an argument.
        body: Its text, in which `#1` is a parameter.
        default: Value of the first parameter if it is left out; None: it is required.
        prefix: Tokens that follow the name.
    """

    parameters: tuple[str, ...]
    body: tuple[Token, ...]
    default: tuple[Token, ...] | None = None
    prefix: str = ""


class Macros:
    """The definitions of a paper.

    Args:
        protected: Commands that a definition does not change, because their meaning is known.
    """

    def __init__(self, stream: Stream, *, protected: frozenset[str], known: frozenset[str]) -> None:
        self._stream = stream
        self._protected = protected
        self._known = known
        self.in_package = 0
        self.table: dict[str, Macro] = {}
        self.begins: dict[str, tuple[Macro, tuple[Token, ...]]] = {}
        self.switches: dict[str, bool] = {}
        self.aliases: dict[str, str] = {}
        self.calls: Counter[str] = Counter()

    def _define(self, name: str, macro: Macro, *, only_new: bool = False) -> None:
        if name in self._protected or (only_new and name in self.table) or (self.in_package and name in self._known):
            return
        self.aliases.pop(name, None)
        self.table[name] = macro

    def define(self, command: str) -> bool:
        r"""Read a definition that begins with *command*, such as ``def``; return whether it was one."""
        if command in NEW_COMMANDS:
            self._new_command(command)
        elif command in DEFS:
            self._def()
        elif command in {"let", "futurelet"}:
            self._let()
        elif command == "DeclareMathOperator":
            star = self._star()
            name = self._name()
            body = self._stream.argument()
            self._define(name, Macro((), ("\\operatorname" + star, "{", *body, "}")))
        elif command in {"newenvironment", "renewenvironment", "NewDocumentEnvironment"}:
            self._environment()
        elif command == "newif":
            self._stream.skip_blank()
            if is_word(token := self._stream.next()):
                self.switches[str(token)[3:]] = False
        else:
            return False
        return True

    def _star(self) -> str:
        self._stream.skip_blank()
        token = self._stream.peek()
        if isinstance(token, str) and token.startswith("*"):
            self._stream.next()
            if token[1:]:
                self._stream.put(token[1:])
            return "*"
        return ""

    def _name(self) -> str:
        return joined(self._stream.argument()).strip().removeprefix("\\")

    def _signature(self) -> tuple[int, tuple[Token, ...] | None]:
        count = joined(self._stream.option() or []).strip()
        default = self._stream.option()
        return int(count) if count.isdecimal() and len(count) == 1 else 0, None if default is None else tuple(default)

    def _new_command(self, command: str) -> None:
        self._star()
        name = self._name()
        if "Document" in command:
            given = joined(self._stream.argument()).replace(" ", "")
            number = given.count("m") + given.count("o") + given.count("O")
            default: tuple[Token, ...] | None = () if given[:1] in {"o", "O"} else None
        else:
            number, default = self._signature()
        body = tuple(self._stream.argument())
        self._define(name, Macro(("",) * number, body, default), only_new=command.startswith("provide"))

    def _def(self) -> None:
        self._stream.skip_blank()
        token = self._stream.next()
        text: list[Token] = []
        while (part := self._stream.peek()) is not None and part != "{":
            text.append(part)
            self._stream.next()
            if len(text) > 100:
                return
        body = tuple(self._stream.argument())
        pieces = joined(text).split("#")
        ends = tuple(piece[1:] for piece in pieces[1:])
        if isinstance(token, str) and token[:1] == "\\":
            self._define(token[1:], Macro(ends, body, prefix=pieces[0].strip()))

    def _let(self) -> None:
        self._stream.skip_blank()
        name = self._stream.next()
        self._stream.skip_blank()
        token = self._stream.next()
        if isinstance(token, str) and token.startswith("=") and not is_word(token):
            if token[1:]:
                self._stream.put(token[1:])
            self._stream.skip_blank()
            token = self._stream.next()
        if isinstance(name, str) and isinstance(token, str) and name[:1] == "\\" and name != token:
            if token[1:] in self.table:
                self._define(name[1:], self.table[token[1:]])
            elif token[:1] != "\\":
                self._define(name[1:], Macro((), (token,)))
            elif name[1:] not in self._protected and not (self.in_package and name[1:] in self._known):
                self.table.pop(name[1:], None)
                self.aliases[name[1:]] = token[1:]

    def _environment(self) -> None:
        self._star()
        name = self._stream.name().strip()
        number, default = self._signature()
        begin, end = tuple(self._stream.argument()), tuple(self._stream.argument())
        if name not in self._protected and not (self.in_package and name in self._known):
            self.begins[name] = (Macro(("",) * number, begin, default), end)

    def expand(self, name: str) -> bool:
        """Put the expansion of the command *name* back into the stream; return whether it is a macro of the author."""
        if (macro := self.table.get(name)) is None:
            return False
        self.calls[name] += 1
        if self.calls[name] > _MAX_CALLS:
            raise DataError(f"the macro `\\{name}` calls itself without end", kind="too_complex")
        if not macro.parameters and name.isalpha():
            self._stream.skip_blank()
        self.call(macro)
        return True

    def call(self, macro: Macro) -> None:
        """Read the arguments of *macro*, and put its text with them back into the stream."""
        if macro.prefix:
            self._delimited(macro.prefix)
        elif "".join(macro.parameters):
            self._stream.skip_blank()
        arguments: list[list[Token]] = []
        for number, end in enumerate(macro.parameters):
            if number == 0 and macro.default is not None:
                option = self._stream.option()
                arguments.append(list(macro.default) if option is None else option)
            else:
                arguments.append(self._delimited(end) if end else self._stream.argument(split=True))
        if not macro.parameters and "#" not in macro.body:
            self._stream.push([*macro.body] if macro.body else [])
            self._stream.spend(1)
            return
        self._stream.push(list(_filled(macro.body, arguments)))
        self._stream.spend(1)

    def _delimited(self, end: str) -> list[Token]:
        """Return the tokens before the text *end*, and skip it; spaces at its ends do not count."""
        wanted = tokens_of(end.strip()) or [" "]
        first = wanted[0]
        found: list[Token] = []
        depth = 0
        while (token := self._stream.next()) is not None:
            if isinstance(token, str) and not depth and first != token and token[0] not in "\\$" and first in token:
                before, _, after = token.partition(first)
                if after:
                    self._stream.put(after)
                found.extend([before] if before else [])
                token = first
            if token == first and not depth and all(self._follows(other) for other in wanted[1:]):
                break
            if token == "\n\n" and first != "\n\n" and len(found) > 2000:
                break
            depth += (token == "{") - (token == "}")
            found.append(token)
        self._stream.spend(len(found) + 1)
        if end[:1] == " " and found[-1:] == [" "]:
            found.pop()
        if end[-1:] == " ":
            self._stream.skip_blank()
        if found[:1] == ["{"] and found[-1] == "}" and found.count("{") == 1:
            return found[1:-1]
        return found

    def _follows(self, token: str) -> bool:
        if self._stream.peek() == token:
            self._stream.next()
            return True
        return False

    def is_if(self, name: str) -> bool:
        """Return whether the command *name* is a conditional."""
        return name in _IFS or (name[:2] == "if" and name[2:] in self.switches)

    def switch(self, name: str) -> bool:
        """Set a switch if *name* is one of its commands; return whether it is."""
        for value in ("true", "false"):
            if name.endswith(value) and name[: -len(value)] in self.switches:
                self.switches[name[: -len(value)]] = value == "true"
                return True
        return False

    def condition(self, name: str) -> None:
        """Read the condition *name*, and skip the branch that does not apply."""
        if not self._holds(name):
            self.skip_branch(to_else=True)

    def _holds(self, name: str) -> bool:
        stream = self._stream
        if name[2:] in self.switches:
            return self.switches[name[2:]]
        if name in _ONE_TOKEN:
            stream.skip_blank()
            token = stream.next()
            return name == "ifdefined" and str(token)[1:] in (self.table.keys() | self._known)
        if name in {"ifx", "if", "ifcat"}:
            return self._are_equal()
        if name == "ifcsname":
            return joined(stream.until_words("\\endcsname")) in self.table
        if name in {"ifnum", "ifdim"}:
            return self._compares()
        if name == "ifcase":
            stream.skip_dimension()
            return True
        return name in {"iftrue", "ifhmode", "ifpdf"}

    def _are_equal(self) -> bool:
        sides: list[Token | None] = []
        for _ in range(2):
            self._stream.skip_blank()
            side = self._stream.argument(split=True) if self._stream.peek() != "{" else [self._stream.next() or ""]
            sides.append(side[0] if side else None)
        left, right = (side[1:] if isinstance(side, str) else "" for side in sides)
        if sides[0] == sides[1]:
            return True
        if all(is_word(side) for side in sides):
            none = self.table.get(left) is None and self.table.get(right) is None
            return (none and not {left, right} & self._known) or (
                not none and self.table.get(left) == self.table.get(right)
            )
        return False

    def _compares(self) -> bool:
        """Read a comparison up to the space or command that ends it; only numbers are compared."""
        text = ""
        for _ in range(8):
            token = self._stream.peek()
            if not isinstance(token, str) or token in {"\\else", "\\fi", "\n\n", "{"}:
                break
            if token == " " and text[-1:].isdigit() and any(sign in text for sign in "<>="):
                self._stream.next()
                break
            if is_word(token) and text and text[-1] not in "<>= ":
                break
            text += token
            self._stream.next()
        for sign, holds in (("<", int.__lt__), (">", int.__gt__), ("=", int.__eq__)):
            left, found, right = (part.strip() for part in text.partition(sign))
            if found:
                numbers = left.isdecimal() and right.isdecimal() and max(len(left), len(right)) < 12
                return holds(int(left), int(right)) if numbers else sign != "="
        return False

    def skip_branch(self, *, to_else: bool) -> None:
        """Skip to the end of this conditional, or with *to_else*, to its other branch."""
        depth, count = 0, 0
        while (token := self._stream.next()) is not None:
            count += 1
            if not isinstance(token, str) or token[0] != "\\":
                continue
            if token == "\\fi":
                depth -= 1
                if depth < 0:
                    break
            elif token == "\\else" and to_else and not depth:
                break
            elif self.is_if(token[1:]):
                depth += 1
        self._stream.spend(count)


def _filled(body: tuple[Token, ...], arguments: list[list[Token]]) -> list[Token]:
    """Return *body* with its parameters replaced by *arguments*; ``##`` is a ``#``."""
    found: list[Token] = []
    index = 0
    while index < len(body):
        token = body[index]
        follower = body[index + 1] if index + 1 < len(body) else None
        if token == "#" and isinstance(follower, str):
            index += 1
            if follower[0].isdigit():
                number = int(follower[0])
                if 1 <= number <= len(arguments):
                    found.extend(arguments[number - 1])
                if follower[1:]:
                    found.append(follower[1:])
            else:
                found.append(follower)
        else:
            found.append(token)
        index += 1
    return found
