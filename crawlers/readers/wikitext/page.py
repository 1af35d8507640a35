"""A page that is being read: what templates and links need to know about it, and what they find for its metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from corpusmill.crawlers.readers.wikitext.extensions import Apart, without_extensions
from corpusmill.crawlers.readers.wikitext.languages import Language

MAX_NAMES: Final = 500
"""Categories, links or names of templates that are kept."""


@dataclass
class Page:
    """A page of a wiki.

    Args:
        namespaces: Numbers of namespaces by their names in lower case.
        keep: Optional parts of the text.
        patterns: Templates of the recipe, as texts with places, by name in lower case.
    """

    title: str
    language: Language
    site: str = ""
    namespaces: dict[str, int] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()
    patterns: dict[str, str] = field(default_factory=dict)
    apart: Apart = field(default_factory=Apart)
    categories: dict[str, None] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    is_disambiguation: bool = False

    def tag(self, name: str, content: str) -> str:
        """Return the text of the extension tag *name*, which a template wrote."""
        if name in {"references", ""}:
            return ""
        return without_extensions(f"<{name}>{content}</{name}>", self.apart, keep=self.keep)

    def note_unknown(self, name: str) -> None:
        """Record that the table has no template *name*."""
        if len(self.unknown) < MAX_NAMES and len(name) <= 80:
            self.unknown[name] = None
