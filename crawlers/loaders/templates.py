"""Texts made of several fields of a row: ``{title}`` and a paragraph of ``{body}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from corpusmill.schemas.identity import canonical_json
from corpusmill.schemas.problems import HintedValueError

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_FORMAT: Final = re.compile(r"(?:![rsa])?(?::(?:.?[<>=^])?[-+ ]?#?0?\d*[,_]?(?:\.\d+)?[bcdeEfFgGnosxX%]?)?\Z")
_ESCAPES: Final = {"\\n": "\n", "\\t": "\t"}
_MANY_BREAKS: Final = re.compile(r"\n{3,}")
_EXAMPLE: Final = '"{title}\\n\\n{body}"'


@dataclass(frozen=True)
class Template:
    """Pieces of text and names of fields, in turn.

    Args:
        pieces: Pairs of a text and the name of the field after it; None after the last text.
    """

    pieces: tuple[tuple[str, str | None], ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, each once."""
        return tuple(dict.fromkeys(name for _, name in self.pieces if name is not None))

    def render(self, row: Mapping[str, Any]) -> str | None:
        """Return the text for *row*; a missing field is empty, and the text is None if all fields are.

        Blank lines around a missing field become one.

        >>> template_of("{title}\\n\\n{author.name}\\n\\n{body}").render({"title": "One", "body": "Two"})
        'One\\n\\nTwo'
        """
        values = {name: _text(value_of(row, name)) for name in self.fields}
        if not any(value.strip() for value in values.values()):
            return None
        is_whole = all(values.values())
        text = "".join(piece + (values[name] if name is not None else "") for piece, name in self.pieces)
        return (text if is_whole else _MANY_BREAKS.sub("\n\n", text)).strip()


@lru_cache(maxsize=64)
def template_of(text_field: str) -> Template | None:
    """Return *text_field* as a template; None if it is the name of a field, without braces.

    ``{name}`` is a field, or with dots a field of an object in a field; ``{{`` and ``}}`` are braces; ``\\n`` is a line
    break.

    Raises:
        HintedValueError: A placeholder is not closed, is empty, or has a format.
    """
    if "{" not in text_field and "}" not in text_field:
        return None
    pieces: list[tuple[str, str | None]] = []
    text = ""
    for match in _PART.finditer(text_field):
        part, name = match[0], match[1]
        if name is None:
            if part in {"{", "}"}:
                raise HintedValueError(f"`{part}` without its counterpart", hint=f"write `{{name}}`, as in {_EXAMPLE}")
            text += part[0] if part in {"{{", "}}"} else part
            continue
        _refuse_format(name)
        pieces.append((_unescaped(text), name))
        text = ""
    if not pieces:
        raise HintedValueError("the template has no field", hint=f"write `{{name}}` for a field, as in {_EXAMPLE}")
    return Template((*pieces, (_unescaped(text), None)))


def _unescaped(text: str) -> str:
    for escape, character in _ESCAPES.items():
        text = text.replace(escape, character)
    return text


def _refuse_format(name: str) -> None:
    if not name.strip():
        raise HintedValueError("`{}` has no name", hint=f"name a field, as in {_EXAMPLE}")
    plain = re.split(r"![rsa](?::|\Z)|:", name)[0]
    if plain != name and _FORMAT.match(name[len(plain) :]):
        raise HintedValueError(f"`{{{name}}}` has a format, which is not supported", instead=f"{{{plain}}}")


def value_of(row: Mapping[str, Any], name: str) -> Any:
    """Return the field *name* of *row*, or, with dots, that of an object in it."""
    if name in row or "." not in name:
        return row.get(name)
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return canonical_json(value).decode()
