"""The arguments of a template, numbered and named."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.braces import EQUALS

_BLANK: Final = " \t\n\r"


class Arguments(dict[str, str]):
    """The values by name, stripped; positional ones have the names ``1``, ``2``, …; the last of two equal names counts.

    >>> Arguments(["a", " b = c ", "d"])
    {'1': 'a', 'b': 'c', '2': 'd'}
    """

    def __init__(self, parts: list[str]) -> None:
        super().__init__()
        count = 0
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals:
                count += 1
                name, value = str(count), part
            value = value.strip(_BLANK)
            self[name.strip(_BLANK)] = value.replace(EQUALS, "=") if EQUALS in value else value
        self.positional: int = count

    def first(self, *names: str, default: str = "") -> str:
        """Return the first value of *names* that is not empty."""
        return next((value for name in names if (value := self.get(name))), default)

    def numbered(self, start: int = 1) -> list[str]:
        """Return the values of the names *start*, *start* + 1, … up to the first that is missing."""
        values = []
        while (value := self.get(str(start))) is not None:
            values.append(value)
            start += 1
        return values


_PLACES: Final = re.compile(r"\{([^{}]*)\}")
_OPTIONAL: Final = re.compile(r"\[([^\[\]]*)\]")


def filled(pattern: str, arguments: Arguments) -> str:
    """Fill the places of *pattern*: ``{1}``, ``{name}``, ``{name|1}`` (the first that is not empty).

    What is in brackets, which can be nested, is left out if all of its places are empty; ``{=…}`` is literal.

    >>> filled("{1}[ ({2|note})]", Arguments(["a", "note=b"])), filled("{1}[ ({2})]", Arguments(["a"]))
    ('a (b)', 'a')
    >>> filled("{1}[ ({2}[, {3}])]", Arguments(["a", "b", "c"])), filled("{1}[ ({2}[, {3}])]", Arguments(["a"]))
    ('a (b, c)', 'a')
    """

    def place(match: re.Match[str]) -> str:
        return match[1][1:] if match[1].startswith("=") else arguments.first(*match[1].split("|"))

    def optional(match: re.Match[str]) -> str:
        is_filled = any(arguments.first(*names.split("|")) for names in _PLACES.findall(match[1]))
        return match[1] if is_filled else ""

    while "[" in pattern and (shorter := _OPTIONAL.sub(optional, pattern)) != pattern:
        pattern = shorter
    return _PLACES.sub(place, pattern)
