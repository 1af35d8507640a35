"""Small generated sites: pages of prose surrounded by the same pieces."""

from __future__ import annotations

import random
from typing import Any

from tests.corpora import prose
from tests.pipelines.stages.dedup.corpus import capture

HEAD, FOOT, ITEM = "The Daily Example, since 1900", "Share this  page", "- Letters to the editor"


def site(host: str, pages: int, *, seed: int = 1, pieces: tuple[str, ...] = (HEAD, FOOT)) -> list[dict[str, Any]]:
    """Return captures of *pages* pages of *host* that begin and end with *pieces*."""
    chance = random.Random(f"{host} {seed}")
    made = []
    for number in range(pages):
        text = "\n\n".join([pieces[0], prose(chance, 6), *pieces[1:]])
        made.append(capture(f"{host}/{number}", text, url=f"https://{host}/{number}"))
    return made
