"""Chats as text: a list of messages with a role or an author, and a content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_AUTHORS: Final = ("role", "from", "author", "sender", "speaker", "user", "name")
_CONTENTS: Final = ("content", "value", "text", "body", "message")
_ROLES: Final = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant"}
_KNOWN_ROLES: Final = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def chat_text(messages: Any) -> str | None:
    """Return *messages* as text; None if it is no list of messages, or none has text.

    The names of people are replaced by numbers in the order of their appearance, so that the text does not say who
    wrote it. Messages without text are left out.

    >>> print(chat_text([{"role": "user", "content": "Hi"}, {"from": "Ann Lee", "value": "Hello"}]))
    user: Hi
    <BLANKLINE>
    author 1: Hello
    """
    if not isinstance(messages, list):
        return None
    authors: dict[str, str] = {}
    parts = []
    for message in messages:
        if not isinstance(message, Mapping):
            continue
        content = next((text for name in _CONTENTS if (text := _content(message.get(name)))), None)
        if content:
            parts.append(f"{_author(message, authors)}: {content}")
    return "\n\n".join(parts) or None


def _author(message: Mapping[str, Any], authors: dict[str, str]) -> str:
    """Return the role of the author of *message*, or a number for a person."""
    value = next((message[name] for name in _AUTHORS if message.get(name)), "")
    if isinstance(value, Mapping):
        value = next((value[name] for name in ("role", "id", "username", "name") if value.get(name)), "")
    name = str(value).strip()
    role = _ROLES.get(name.lower(), name.lower())
    if role in _KNOWN_ROLES:
        return role
    return authors.setdefault(name, f"author {len(authors) + 1}")


def _content(value: Any) -> str:
    """Return the text of a content: a text, or a list of parts of which some have text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return _content(value.get("text") or value.get("parts"))
    if isinstance(value, list):
        return "\n".join(text for item in value if (text := _content(item)))
    return ""
