"""Infoboxes as lines "label: value", for `keep: [infoboxes]`."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments

_HIDDEN: Final = re.compile(
    r"(?:image|img|logo|map|flag|coat|seal|bild|photo|foto|pic|icon|signature|alt|caption|color|colour|style|class|"
    r"width|size|url|website|footnote|ref|module|embed|embedded|coordinates_|lat|lon|pushpin)",
    re.IGNORECASE,
)
_BLANK: Final = re.compile(r"\s*\n\s*")


def infobox(arguments: Arguments) -> str:
    """Return the fields that have a value, except images and settings.

    >>> infobox(Arguments(["name=Orte", "pop_total=8,900", "image=a.jpg", "leader="])).strip()
    'name: Orte\\n\\npop total: 8,900'
    """
    lines = []
    for name, value in arguments.items():
        text = _BLANK.sub("; ", value.strip("* \n").replace("\n*", "\n"))
        if text and not name.isdecimal() and not _HIDDEN.match(name):
            lines.append(f"{name.replace('_', ' ')}: {text}")
    return "\n\n" + "\n\n".join(lines) + "\n\n" if lines else ""
