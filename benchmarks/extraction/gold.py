"""Gold pages: where they come from, how they are split, and which blocks of a page are main text.

A block's label is the share of its words that a longest common subsequence of the page's words and the gold text's
words takes: order counts, so that a menu's "about" is not the article's. Of 518,000 blocks of the public pages, nearly
all have a share below 0.1 or above 0.9.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from corpusmill.pipelines.stages.extract import _reader
from corpusmill.pipelines.stages.extract.model_file import CHANCES
from corpusmill.schemas.decoding.pages import utf8

Array = np.ndarray[Any, np.dtype[Any]]

PLAIN_LICENCE: Final = frozenset(
    ("wcxb", "zyte", "fundus", "fundus-eval", "n4k-articles", "readability", "zh-handmade")
)
"""Sources whose annotations carry CC BY 4.0, MIT or Apache 2.0."""
OPEN_LICENCE: Final = PLAIN_LICENCE | {"daniel", "dragnet"}
"""And those under the GPL and AGPL. The rest has no licence, or one for research alone: it only tests."""
ALL_SOURCES: Final = OPEN_LICENCE | {"cleaneval", "cleanportaleval", "l3s-gn1"}
_ONE_CHARACTER: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f\u1000-\u109f"
_TOKEN: Final = re.compile(rf"[{_ONE_CHARACTER}]|[^\W_{_ONE_CHARACTER}]+")
_MAX_GOLD_WORDS: Final = 20_000
_MAX_PAGE_WORDS: Final = 60_000
UNTRAINED: Final = _reader.Model(names=b"", words=b"", stages=(), chances=bytes(2 * CHANCES))


@dataclass(frozen=True)
class GoldPage:
    """A page with its reviewed main text, and what the reader makes of it.

    Args:
        words: Words of each block.
        share: Of those, the share that is main text.
        places: The element of each block; `elements` are (parent, tag, class and id).
    """

    id: str
    source: str
    domain: str
    markup: bytes
    gold: str
    gold_words: int
    texts: tuple[str, ...]
    words: Array
    share: Array
    places: Array
    elements: tuple[tuple[int, str, str], ...]


def default_path() -> Path:
    """Give the place of the public pages."""
    shared = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[3] / "shared"))
    return shared / "data" / "extraction" / "public.parquet"


def tokens(text: str) -> list[str]:
    """Cut *text* into words in lower case; in scripts without spaces a character is a word."""
    return _TOKEN.findall(text.lower())


def read_gold(path: Path) -> list[GoldPage]:
    """Read all pages of the file, labelled, in its order."""
    columns = ["id", "source", "domain", "html", "gold_text"]
    rows = pq.read_table(path, columns=columns).to_pylist()
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_labelled, rows, chunksize=20))


def _labelled(row: dict[str, Any]) -> GoldPage:
    markup = utf8(row["html"])
    reading = _reader.read(markup, UNTRAINED)
    texts = reading.texts
    cut = [tokens(text) for text in texts]
    gold = tokens(row["gold_text"])[:_MAX_GOLD_WORDS]
    marks = _common(gold, [word for words in cut for word in words][:_MAX_PAGE_WORDS])
    ends = np.cumsum([len(words) for words in cut]) if cut else np.zeros(0, int)
    counts = np.diff(np.concatenate(([0], ends)))
    hits = np.diff(np.concatenate(([0], np.concatenate(([0], np.cumsum(marks)))[np.minimum(ends, len(marks))])))
    return GoldPage(
        id=row["id"],
        source=row["source"],
        domain=row["domain"] or row["id"],
        markup=markup,
        gold=row["gold_text"],
        gold_words=len(gold),
        texts=tuple(texts),
        words=counts,
        share=hits / np.maximum(counts, 1),
        places=np.array(reading.places, int),
        elements=tuple(reading.elements),
    )


def _common(gold: Sequence[str], page: Sequence[str]) -> Array:
    """Mark the words of *page* in a longest common subsequence with *gold*.

    One row of the table is one integer, a bit a word of *gold* (H. Hyyrö, "Bit-parallel LCS-length computation
    revisited", 2004); the rows are kept, so that the subsequence can be read back from the last.
    """
    positions: defaultdict[str, int] = defaultdict(int)
    for place, word in enumerate(gold):
        positions[word] |= 1 << place
    full = row = (1 << len(gold)) - 1
    rows = []
    for word in page:
        if match := positions.get(word, 0):
            both = row & match
            row = ((row + both) | (row - both)) & full
        rows.append(row)
    marks = np.zeros(len(page), bool)
    column, line = len(gold), len(page)
    while line and column:
        if rows[line - 1] >> (column - 1) & 1:
            column -= 1
            continue
        line -= 1
        if line == 0 or rows[line - 1] >> (column - 1) & 1:
            marks[line] = True
            column -= 1
    return marks


def is_held_out(domain: str) -> bool:
    """Tell whether pages of *domain* are for testing: half of the domains, by SHA-256."""
    digest = hashlib.sha256(f"corpusmill-extract-holdout/{domain}".encode()).digest()
    return digest[0] >= 128


def where(pages: Iterable[GoldPage], test: Callable[[GoldPage], bool]) -> list[GoldPage]:
    """Give the pages that pass *test*."""
    return [page for page in pages if test(page)]
