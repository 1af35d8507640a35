"""Chats as text: a list or a tree of messages with a role or an author, and a content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_AUTHORS: Final = ("role", "from", "author", "sender", "speaker", "user", "name")
_CONTENTS: Final = ("content", "value", "text", "body", "message")
_ROLES: Final = {"human": "user", "prompter": "user"} | dict.fromkeys(
    ("gpt", "chatgpt", "bot", "chatbot", "model", "ai"), "assistant"
)
_KNOWN_ROLES: Final = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


def chat_text(messages: Any) -> str | None:
    """Return *messages* as text; None if it is neither a list nor a tree of messages, or none has text.

    The names of people are replaced by numbers in the order of their appearance, so that the text does not say who
    wrote it. Messages without text are left out. In a tree, `replies` follow their message. Messages that are only
    texts have no role.

    >>> print(chat_text([{"role": "user", "content": "Hi"}, {"from": "Ann Lee", "value": "Hello"}]))
    user: Hi
    <BLANKLINE>
    author 1: Hello
    """
    authors: dict[str, str] = {}
    parts = []
    for message in _in_order(messages):
        if isinstance(message, str):
            parts.append(message.strip())
            continue
        content = next((text for name in _CONTENTS if (text := _content(message.get(name)))), None)
        if content:
            parts.append(f"{_author(message, authors)}: {content}")
    return "\n\n".join(filter(None, parts)) or None


def _in_order(messages: Any) -> Iterator[str | Mapping[str, Any]]:
    """Yield the messages of a list or a tree, each before its replies. Readers of JSON bound the depth."""
    for message in messages if isinstance(messages, list) else [messages] if isinstance(messages, Mapping) else ():
        if isinstance(message, str | Mapping):
            yield message
        if isinstance(message, Mapping):
            yield from _in_order(message.get("replies"))


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
    """Return the text of a content: a text, or a list of parts of which some have text.

    Parts are on lines of their own, unless some are plain texts, as in Telegram, where others mark up words.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return _content(value.get("text") or value.get("parts"))
    if isinstance(value, list):
        if any(isinstance(item, str) for item in value) and any(isinstance(item, Mapping) for item in value):
            return "".join(_inline(item) for item in value).strip()
        return "\n".join(text for item in value if (text := _content(item)))
    return ""


def _inline(item: Any) -> str:
    text = item.get("text") if isinstance(item, Mapping) else item
    return text if isinstance(text, str) else ""
