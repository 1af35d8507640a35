"""Digests of mailing lists: messages within a message, in MIME (RFC 2046) or plain text (RFC 1153)."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from typing import Final

MAX_MESSAGES: Final = 1_000
_TITLE: Final = re.compile(r"\bdigest\b", re.IGNORECASE)
_PREAMBLE: Final = re.compile(r"^-{60,80}[ \t]*$", re.MULTILINE)
_SEPARATOR: Final = re.compile(r"^-{30}[ \t]*$", re.MULTILINE)
_HEAD: Final = re.compile(
    r"\s*(?:Message: \d+\s*\n)?((?:[A-Za-z][A-Za-z-]{1,40}:[^\n]*\n(?:[ \t]+[^\n]*\n)*)+)(?:\s*\n|\Z)"
)
_NEEDED: Final = re.compile(r"^From:", re.MULTILINE | re.IGNORECASE)
_DESCRIBED: Final = re.compile(r"^(?:Subject|Date):", re.MULTILINE | re.IGNORECASE)
_CONTENT: Final = re.compile(r"^(?:Content|MIME)-[A-Za-z-]+:[^\n]*\n(?:[ \t]+[^\n]*\n)*", re.MULTILINE | re.IGNORECASE)
_TRAILER: Final = re.compile(r"\A\s*_{20,}\s*\n|^End of [^\n]{0,200}\n\*{5,}", re.MULTILINE)
_OWN: Final = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"


def messages_in(message: Message) -> list[Message]:
    """Return the messages of which *message* is a MIME digest; none if it is no digest."""
    found: list[Message] = []
    for part in message.walk():
        if part.get_content_type() == "multipart/digest" and part.is_multipart():
            for child in part.get_payload():
                if isinstance(child, Message) and child.get_content_type() == "message/rfc822" and child.is_multipart():
                    found += [inner for inner in child.get_payload() if isinstance(inner, Message)]
    return found[:MAX_MESSAGES]


def messages_in_text(text: str, *, title: str) -> list[Message]:
    """Return the messages in the *text* of a plain digest with the subject *title*; none if it is no digest.

    Preamble and trailer are no messages. A line of 30 hyphens in a message does not end it, because no header follows.
    """
    start = _PREAMBLE.search(text) if _TITLE.search(title) else None
    if start is None:
        return []
    found: list[tuple[str, list[str]]] = []
    for block in _SEPARATOR.split(text[start.end() :]):
        head = _HEAD.match(block)
        if head is not None and _NEEDED.search(head[1]) and _DESCRIBED.search(head[1]):
            found.append((_CONTENT.sub("", head[1]), [block[head.end() :]]))
        elif found and not _is_trailer(block):
            found[-1][1].append(block)
    return [
        message_from_bytes(_OWN + f"{head}\n{('-' * 30).join(parts)}".encode(errors="replace"))
        for head, parts in found[:MAX_MESSAGES]
    ]


def _is_trailer(block: str) -> bool:
    return _TRAILER.search(block) is not None
