"""The block of fields at the top of a Markdown file: YAML between ``---``, TOML between ``+++``, or a JSON object.

These are the forms that site generators read (https://gohugo.io/content-management/front-matter/ has all three).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.located_yaml import parse_yaml

MAX_CHARACTERS: Final = 65_536
"""A longer block is text."""
_MAX_DOTS: Final = 500
"""In a line of TOML. A block of lines with so many parses in half a second."""
_NESTED: Final = ("date", "license", "licence")
"""Fields of which the parts count too, as in ``date: {created: 2024-01-31}`` (Material for MkDocs)."""
_HALF: Final = re.compile(r"[\ud800-\udfff]")
_DECODER: Final = json.JSONDecoder()


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return the plain values of the block at the beginning of *text*, as text, and what follows the block.

    A block that cannot be read, or goes beyond a bound of its format, stays in the text.

    >>> front_matter("---\\ntitle: Notes\\ntags: [a, b]\\n---\\nOne.")
    ({'title': 'Notes', 'tags': 'a, b'}, 'One.')
    >>> front_matter('+++\\ndate = 2024-01-31\\n+++\\nOne.')
    ({'date': '2024-01-31'}, 'One.')
    """
    for pattern, parse in _FENCED:
        if (match := pattern.match(text)) is not None and len(match[1]) <= MAX_CHARACTERS:
            values = _parsed(parse, match[1])
            return (values, text[match.end() :]) if values is not None else ({}, text)
    return _json_front_matter(text) if text.startswith("{") else ({}, text)


def _parsed(parse: Callable[[str], Any], block: str) -> dict[str, str] | None:
    """Return the plain values of *block*; None where it is not what *parse* reads."""
    try:
        values = parse(block)
        return dict(_plain_values(values)) if isinstance(values, dict) else None
    except (RecipeError, ValueError, RecursionError):  # ValueError also for an integer of too many digits to print
        return None


def _yaml(block: str) -> Any:
    return parse_yaml(block, file="front matter").value


def _toml(block: str) -> Any:
    """Parse TOML; a line with too many dots is refused, because tomllib takes quadratic time for a dotted key."""
    if any(line.count(".") > _MAX_DOTS for line in block.split("\n")):
        raise ValueError("too many dots in a line")
    return tomllib.loads(block)


_FENCED: Final[tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]] = (
    (re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL), _yaml),
    (re.compile(r"\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL), _toml),
    (re.compile(r";;;[ \t]*\n(.*?)\n;;;[ \t]*(?:\n|\Z)", re.DOTALL), json.loads),
)


def _json_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return the fields of the JSON object that stands alone at the beginning of *text*, and what follows it."""
    try:
        values, end = _DECODER.raw_decode(text[:MAX_CHARACTERS])
    except (ValueError, RecursionError):
        return {}, text
    line, _, rest = text[end:].partition("\n")
    return ({}, text) if line.strip() else (dict(_plain_values(values)), rest)


def _plain_values(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields that have a plain value, and the plain parts of those in `_NESTED`, as ``date.created``."""
    for name, value in values.items():
        if plain := _plain(value):
            yield _whole(name), plain
        elif isinstance(value, dict) and name.lower() in _NESTED:
            for part, inner in value.items():
                if plain := _plain(inner):
                    yield _whole(f"{name}.{part}"), plain


def _plain(value: Any) -> str:
    """Return *value* as text; empty where it is no plain value or a list of such."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _whole(value)
        case int() | float():
            return str(value)
        case date() | datetime():
            return value.isoformat()
        case list():
            return ", ".join(filter(None, (_plain(item) for item in value if not isinstance(item, list))))
        case _:
            return ""


def _whole(text: str) -> str:
    """Return *text* with U+FFFD for halves of surrogate pairs, which escapes can name and no column of text takes."""
    return _HALF.sub("\ufffd", text)
