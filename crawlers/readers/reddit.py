"""A post of Reddit as text: its Markdown, its spoilers, and the names of users in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from markdown_it.token import Token

from corpusmill.crawlers.loaders.markdown import MAX_MARKUP_BYTES, parse, plain_text
from corpusmill.schemas.errors import DataError

_ABSENT: Final = re.compile(r"\[\s*(deleted|removed)\b[^\[\]\n]{0,200}\]", re.IGNORECASE)
_MENTION: Final = re.compile(r"(?<![\w/.-])(/?u(?:ser)?/)[A-Za-z0-9_-]{2,30}")
_PROFILE: Final = re.compile(r"(reddit\.com/u(?:ser)?/)[A-Za-z0-9_-]{2,30}", re.IGNORECASE)
_SUPERSCRIPT: Final = re.compile(r"(?<!\S)\^+(?:\(([^()\n]*)\)|(?=\w))")
_INVISIBLE: Final = re.compile("[\u200b\ufeff]")
_PICTURES: Final = frozenset(("img", "gif", "video"))
"""The descriptions that Reddit gives pictures in a text."""


def absence(text: str) -> str | None:
    """Return why *text* is no text: ``deleted``, ``removed`` or ``empty``; None if it is one.

    >>> [absence(text) for text in ("[removed]", "[ Removed by Reddit ]", "[deleted by user]", " ", "[deleted] it")]
    ['removed', 'removed', 'deleted', 'empty', None]
    """
    stripped = text.strip()
    if not stripped:
        return "empty"
    match = _ABSENT.fullmatch(stripped)
    return match[1].lower() if match else None


def line_text(text: str) -> str:
    """Return a title as one line, without names of users.

    >>> line_text("Q&amp;A with /u/ann_lee")
    'Q&A with /u/[user]'
    """
    return " ".join(_without_names(_unescaped(text)).split())


def post_text(text: str, *, keeps_quotes: bool) -> str:
    """Return the text of a post in Markdown.

    Dumps escape `&`, `<` and `>`. The text is unescaped once, as it was written; Markdown then decodes the entities
    that its author wrote.

    >>> post_text("&gt; Why?\\n\\nAs u/ann says: *x* &lt; 10^2 ^now &gt;!secret!&lt;", keeps_quotes=False)
    'As u/[user] says: x < 10^2 now secret'

    Raises:
        DataError: ``too_large``, ``too_complex``.
    """
    if len(text) > MAX_MARKUP_BYTES:
        raise DataError(f"the text is larger than {MAX_MARKUP_BYTES:,} characters", kind="too_large")
    tokens = parse(_without_spoiler_marks(_unescaped(text).replace("\r\n", "\n")), is_post=True)
    plain = plain_text(list(_shown(tokens if keeps_quotes else _without_quotes(tokens))))
    lines = (line.rstrip() for line in _INVISIBLE.sub("", _without_names(plain)).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _without_names(text: str) -> str:
    return _PROFILE.sub(r"\1[user]", _MENTION.sub(r"\1[user]", text))


def _without_spoiler_marks(text: str) -> str:
    """Return *text* without the marks of spoilers, in linear time.

    >>> _without_spoiler_marks("a >!b!< c >! d, !<e")
    'a b c d,e'
    """
    pieces = text.split("!<")
    whole: list[str] = []
    for piece in pieces[:-1]:
        before, mark, hidden = piece.rpartition(">!")
        whole += [before, hidden.strip(" ")] if mark and "\n\n" not in hidden else [piece, "!<"]
    return "".join(whole) + pieces[-1]


def _without_quotes(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += token.type == "blockquote_open"
        if not depth:
            yield token
        depth -= token.type == "blockquote_close"


def _shown(tokens: list[Token] | Iterator[Token]) -> Iterator[Token]:
    """Yield *tokens* without marks of superscripts in the text, and without pictures that nobody described."""
    for token in tokens:
        if token.children:
            token.children = [
                child for child in token.children if child.type != "image" or child.content not in _PICTURES
            ]
            _drop_superscripts(token.children)
        yield token


def _drop_superscripts(children: list[Token]) -> None:
    """Change `^now` to `now`; `10^2` stays, because it would become another number."""
    for index, child in enumerate(children):
        if child.type == "text" and (index == 0 or children[index - 1].type == "softbreak" or child.content[:1] != "^"):
            child.content = _SUPERSCRIPT.sub(r"\1", child.content)
