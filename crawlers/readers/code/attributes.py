"""The file `.gitattributes`: which files a project marks as generated or vendored, and their languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

Value = str | bool
_WORDS = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass(frozen=True)
class Attributes:
    """The files named `.gitattributes` of a tree, by path."""

    files: Mapping[str, str]

    @cached_property
    def _rules(self) -> list[tuple[str, re.Pattern[str], dict[str, Value]]]:
        """Folder, pattern and attributes of each line; those of outer folders first, because later lines win."""
        paths = sorted(self.files, key=lambda path: (path.count("/"), path))
        return [
            (path[: -len(".gitattributes")], pattern, values)
            for path in paths
            for line in self.files[path].splitlines()
            if (parsed := _line(line)) is not None
            for pattern, values in (parsed,)
        ]

    def of(self, path: str) -> dict[str, Value]:
        """Return the attributes of the file *path*: True, False, or a value."""
        found: dict[str, Value] = {}
        for folder, pattern, values in self._rules:
            if path.startswith(folder) and pattern.fullmatch(path[len(folder) :]):
                found |= values
        return found


def is_set(value: Value | None) -> bool | None:
    """Return whether an attribute is set, or None if it is not mentioned.

    >>> is_set(True), is_set("true"), is_set("false"), is_set(None)
    (True, True, False, None)
    """
    return value if value is None or isinstance(value, bool) else value.lower() != "false"


@lru_cache(maxsize=1024)
def pattern_of(glob: str) -> re.Pattern[str]:
    """Return the expression for a pattern of `.gitattributes` (gitignore(5)), for paths from its folder.

    >>> bool(pattern_of("*.js").fullmatch("a/b.js")), bool(pattern_of("/a/*.js").fullmatch("a/b/c.js"))
    (True, False)
    >>> bool(pattern_of("gen/**").fullmatch("gen/a/b")), bool(pattern_of("a/**/b").fullmatch("a/b"))
    (True, True)
    """
    is_anchored = "/" in glob.rstrip("/")
    glob = glob.strip("/")
    pieces = re.split(r"(\*\*/|/\*\*$|\*|\?|\[!?[^\]]+\])", glob)
    special = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(special.get(piece) or _literal(piece) for piece in pieces if piece)
    try:
        return re.compile(("" if is_anchored else "(?:.*/)?") + body, re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


def _literal(piece: str) -> str:
    is_class = piece.startswith("[") and piece.endswith("]")
    return piece.replace("[!", "[^") if is_class else re.escape(piece)


def _line(line: str) -> tuple[re.Pattern[str], dict[str, Value]] | None:
    words = [quoted or plain for quoted, plain in _WORDS.findall(line)]
    if len(words) < 2 or words[0].startswith(("#", "[attr]")):
        return None
    values: dict[str, Value] = {}
    for word in words[1:]:
        name, separator, value = word.partition("=")
        if separator:
            values[name] = value
        else:
            values[name.lstrip("-!")] = not name.startswith(("-", "!"))
    return pattern_of(words[0]), values


def folders_of(path: str) -> list[str]:
    """Return the folders around *path*, the nearest first; the last one is ``""``.

    >>> folders_of("a/b/c.py")
    ['a/b', 'a', '']
    """
    return ["" if str(folder) == "." else str(folder) for folder in PurePosixPath(path).parents]
