"""Types of the fields of a recipe: names, durations, paths, web addresses and regular expressions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from corpusmill.schemas.expectations import COMMENT
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.quantities import DURATION_PATTERN, duration_of, format_duration

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_NAME_IN_WORDS: Final = "a name of lower-case letters, digits, `_` and `-`, at most 64 characters"

Name: TypeAlias = Annotated[str, Field(pattern=NAME_PATTERN, json_schema_extra={COMMENT: _NAME_IN_WORDS})]
Duration: TypeAlias = Annotated[
    timedelta | None,
    BeforeValidator(duration_of),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, COMMENT: "a duration such as 12h or 7d, or never"}),
]


class Part(BaseModel):
    """A part of a recipe: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def non_empty_paths(path: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Return *path*, one path or several.

    Raises:
        ValueError: One of them is empty or contains a null character.
    """
    if not path or any(not item or "\0" in item for item in ((path,) if isinstance(path, str) else path)):
        raise ValueError("a path cannot be empty or contain a null character")
    return path


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # an unclosed bracket in the host
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", value)


def _web_address(value: str) -> str:
    if not _is_web_address(value):
        problem = "not a web address: it must begin with http:// or https:// and a host, without spaces"
        raise HintedValueError(problem, instead=_nearest_address(value))
    return value


def _nearest_address(value: str) -> str | None:
    """Return the web address that *value* probably means.

    >>> _nearest_address("example.org/a"), _nearest_address("htp://example.org"), _nearest_address("here")
    ('https://example.org/a', 'https://example.org', None)
    >>> _nearest_address("sitemap.xml")  # a file, not a host
    """
    if re.fullmatch(r"[\w-]+\.(xml|txt|html?|rss|atom|json|gz)", value.strip(), flags=re.IGNORECASE):
        return None
    rest = re.sub(r"^[a-z]*:?/*", "", value.strip().replace(" ", "%20"), flags=re.IGNORECASE) if "/" in value else value
    rest = rest if re.match(r"[\w-]+(\.[\w-]+)+", rest) else value.strip()
    is_host = re.match(r"[\w-]+(\.[\w-]+)+(:[0-9]+)?(/|$)", rest) is not None
    return f"https://{rest}" if is_host and _is_web_address(f"https://{rest}") else None


def _contact(value: str) -> str:
    if re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", value) or _is_web_address(value):
        return value
    instead = f"mailto:{value}" if re.fullmatch(r"[^@\s:]+@[^@\s]+", value) else _nearest_address(value)
    problem = "not a contact: write mailto:you@example.org or the https:// address of a page"
    raise HintedValueError(problem, instead=instead)


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        position = getattr(error, "pos", None)
        where = "" if position is None else f" at character {position + 1}, `{value[position:][:20]}`"
        problem = f"not a regular expression: {getattr(error, 'msg', 'too large')}{where}"
        raise HintedValueError(problem, instead=_nearest_pattern(value)) from None
    return value


def _nearest_pattern(value: str) -> str:
    """Return the regular expression that *value*, a glob or a text, probably means.

    >>> print(_nearest_pattern("*.html"), _nearest_pattern("a(b"))
    \\.html$ a\\(b
    """
    return f"{re.escape(value[1:])}$" if value.startswith("*") else re.escape(value)


WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]
Pattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
Contact: TypeAlias = Annotated[str, AfterValidator(_contact)]


def _listings(value: Any) -> Any:
    """Return a list of addresses as a tuple, and None for `false` and an empty list, which mean the same as no field.

    Raises:
        HintedValueError: *value* is neither `true` nor a list of web addresses.
    """
    if value is None or value is True or value is False:
        return value or None
    if not isinstance(value, list | tuple):
        near = value if isinstance(value, str) and _is_web_address(value) else _nearest_address(str(value))
        raise HintedValueError("expected `true` or a list of web addresses", instead=[near] if near else True)
    for index, item in enumerate(value):
        if not isinstance(item, str) or not _is_web_address(item):
            problem = f"item {index + 1} is not a web address, which begins with http:// or https:// and a host"
            near = _nearest_address(str(item))
            raise HintedValueError(problem, instead=[*value[:index], near, *value[index + 1 :]] if near else None)
    return tuple(value) or None


Listings: TypeAlias = Annotated[bool | tuple[WebAddress, ...] | None, BeforeValidator(_listings)]
"""Addresses of sitemaps or feeds, or `true` for those that the site names."""
