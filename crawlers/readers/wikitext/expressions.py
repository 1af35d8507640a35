"""The expressions of ``{{#expr:}}`` and ``{{#ifexpr:}}``: arithmetic, comparisons and logic on numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

MAX_CHARACTERS: Final = 500
_MAX_DEPTH: Final = 40
_TOKEN: Final = re.compile(
    r"\s*(\d+\.?\d*(?:[eE][+-]?\d{1,3})?|\.\d+|<=|>=|<>|!=|[()+\-\u2212*/^=<>]|[a-z]+)", re.IGNORECASE
)
_BINARY: Final[tuple[dict[str, Callable[[float, float], float]], ...]] = (
    {"or": lambda a, b: float(bool(a) or bool(b))},
    {"and": lambda a, b: float(bool(a) and bool(b))},
    {
        "=": lambda a, b: float(math.isclose(a, b, rel_tol=1e-12)),
        "<>": lambda a, b: float(not math.isclose(a, b, rel_tol=1e-12)),
        "!=": lambda a, b: float(not math.isclose(a, b, rel_tol=1e-12)),
        "<": lambda a, b: float(a < b),
        ">": lambda a, b: float(a > b),
        "<=": lambda a, b: float(a <= b),
        ">=": lambda a, b: float(a >= b),
    },
    {"round": lambda a, b: _rounded(a, b)},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "div": lambda a, b: a / b,
        "mod": lambda a, b: math.fmod(int(a), int(b)),
        "fmod": math.fmod,
    },
    {"^": lambda a, b: math.pow(a, b)},
)
_UNARY: Final[dict[str, Callable[[float], float]]] = {
    "-": lambda a: -a,
    "+": lambda a: a,
    "not": lambda a: float(not a),
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
}
_CONSTANTS: Final = {"pi": math.pi, "e": math.e}


def _rounded(value: float, digits: float) -> float:
    places = max(min(int(digits), 20), -20)
    scaled = abs(value) * 10**places
    return math.copysign(math.floor(scaled + 0.5) / 10**places, value)


def evaluated(text: str) -> float | None:
    """Return the value of *text*; None: it is no expression, or has no value.

    >>> evaluated("2 + 3 * (4 - 1)"), evaluated("7 / 2 round 0"), evaluated("1 > 2 or 3"), evaluated("1 / 0")
    (11.0, 4.0, 1.0, None)
    """
    if len(text) > MAX_CHARACTERS:
        return None
    tokens = _tokens(text)
    if not tokens:
        return None
    try:
        parser = _Parser(tokens)
        value = parser.level(0, depth=0)
        return value if parser.is_at_end and math.isfinite(value) else None
    except (ArithmeticError, ValueError, IndexError, KeyError):
        return None


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            return []
        tokens.append(match[1].lower().replace("\u2212", "-"))
        place = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def is_at_end(self) -> bool:
        return self._place == len(self._tokens)

    def level(self, level: int, *, depth: int) -> float:
        if level == len(_BINARY):
            return self._operand(depth=depth)
        value = self.level(level + 1, depth=depth)
        while not self.is_at_end and (operator := _BINARY[level].get(self._tokens[self._place])) is not None:
            self._place += 1
            value = operator(value, self.level(level + 1, depth=depth))
        return value

    def _operand(self, *, depth: int) -> float:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        token = self._tokens[self._place]
        self._place += 1
        if token == "(":
            value = self.level(0, depth=depth + 1)
            if self._tokens[self._place] != ")":
                raise ValueError("no closing parenthesis")
            self._place += 1
            return value
        if token in _UNARY:
            return _UNARY[token](self._operand(depth=depth + 1))
        return _CONSTANTS[token] if token in _CONSTANTS else float(token)


def written(value: float) -> str:
    """Return *value* as a page shows it.

    >>> written(11.0), written(0.1 + 0.2)
    ('11', '0.3')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.14g}"
