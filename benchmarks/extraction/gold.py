"""Gold pages: their sources, their split, and the share of main text of each block.

The label of a block is the share of its words in a longest common subsequence of the words of the page and the words of
the gold text. The order of words matters, so the word "about" in a menu does not match the same word in the article. Of
518,000 blocks of the public pages, nearly all have a share below 0.1 or above 0.9.
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

PERMISSIVE_LICENSE: Final = frozenset(
    ("wcxb", "zyte", "fundus", "fundus-eval", "n4k-articles", "readability", "zh-handmade")
)
"""Sources whose annotations are under CC BY 4.0, MIT or Apache 2.0."""
OPEN_LICENSE: Final = PERMISSIVE_LICENSE | {"daniel", "dragnet"}
"""The permissive sources and those under GPL or AGPL. All other sources have no license or one for research only, and
are used only for testing."""
ALL_SOURCES: Final = OPEN_LICENSE | {"cleaneval", "cleanportaleval", "l3s-gn1"}
_ONE_CHARACTER: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f\u1000-\u109f"
_TOKEN: Final = re.compile(rf"[{_ONE_CHARACTER}]|[^\W_{_ONE_CHARACTER}]+")
_MAX_GOLD_WORDS: Final = 20_000
_MAX_PAGE_WORDS: Final = 60_000
UNTRAINED: Final = _reader.Model(names=b"", words=b"", stages=(), chances=bytes(2 * CHANCES))


@dataclass(frozen=True)
class GoldPage:
    """A page with its reviewed main text, and its blocks and elements as the reader sees them.

    Args:
        words: Number of words of each block.
        share: Share of the words of each block that is main text.
        places: Index of the element of each block.
        elements: Parent, tag, and class and id of each element.
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
    """Return the path of the public pages."""
    shared = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[3] / "shared"))
    return shared / "data" / "extraction" / "public.parquet"


def tokens(text: str) -> list[str]:
    """Split *text* into lower-case words; in scripts without spaces each character is a word."""
    return _TOKEN.findall(text.lower())


def read_gold(path: Path) -> list[GoldPage]:
    """Read and label all pages of the file, in the order of the file."""
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

    Each row of the table is one integer with one bit per word of *gold* (H. Hyyrö, "Bit-parallel LCS-length computation
    revisited", 2004). All rows are kept, because the subsequence is read backward from the last row.
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
    """Return whether *domain* is in the test half of the domains, which SHA-256 selects."""
    digest = hashlib.sha256(f"corpusmill-extract-holdout/{domain}".encode()).digest()
    return digest[0] >= 128


def where(pages: Iterable[GoldPage], test: Callable[[GoldPage], bool]) -> list[GoldPage]:
    """Return the pages for which *test* is true."""
    return [page for page in pages if test(page)]
