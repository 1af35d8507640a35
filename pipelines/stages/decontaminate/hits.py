"""The side table of hits: the texts of evaluation sets in documents, with both texts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.stages.base import Counted, SideTable
from corpusmill.pipelines.stages.decontaminate.index import Entry, Index
from corpusmill.pipelines.stages.decontaminate.overlaps import Listed, Overlap, Span
from corpusmill.pipelines.stages.decontaminate.words import Characters, characters

RULE: Final = "decontaminate.overlap"
"""A document contains an evaluation text. It is rejected, or the words in it are masked."""
HITS: Final = "hits"
AROUND: Final = 200
"""Characters of the evaluation text shown on each side of the match, as many as GPT-3 removed from documents."""
MAX_SHOWN: Final = 10_000
"""Characters of a span of the document that are shown at most."""
MAX_EVALUATION_SHOWN: Final = 2_000
"""Characters of the evaluation text that are shown at most."""

_FIELDS: Final = (
    *(("id", pa.string()), ("rule", pa.string()), ("file", pa.string()), ("record", pa.int64())),
    *(("field", pa.string()), ("coverage", pa.float64()), ("threshold", pa.float64()), ("action", pa.string())),
    *(("start", pa.int64()), ("end", pa.int64()), ("text", pa.string()), ("evaluation_text", pa.string())),
    *(("records", pa.int64()), ("texts", pa.int64())),
)
SIDE: Final = SideTable(
    pa.schema([pa.field(name, kind, nullable=False) for name, kind in _FIELDS]),
    order=("file", "record", "field", "start"),
    is_published=True,
    note="{action}: {coverage:.0%} of {file}, record {record}, `{field}`\n"
    "document, characters {start:,} to {end:,}: {text}\nevaluation: {evaluation_text}",
    samples=("text",),
    counted=Counted("Decontamination", by="file", items=("record", "field"), noun="evaluation texts"),
)
"""One row for each span of a document that an evaluation text covers.

`start` and `end` are characters of the text before it was masked. `records` is the number of evaluation texts with the
same words, and `texts` that of all evaluation texts in the document, listed or not.
"""


def rows(identity: str, text: str, overlap: Overlap, *, threshold: float, action: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of the document *identity* with *text*."""
    shared = {"id": identity, "rule": RULE, "threshold": threshold, "texts": len(overlap.texts.texts)}
    for listed in overlap.listed():
        entry = overlap.index.entries[listed.text]
        for span in listed.spans:
            yield {**shared, "action": action, **_evidence(entry, listed, span, text)}


def _evidence(entry: Entry, listed: Listed, span: Span, text: str) -> dict[str, Any]:
    return {
        "file": entry.file,
        "record": entry.record,
        "field": entry.field,
        "records": entry.records,
        "coverage": listed.share,
        "start": span.start,
        "end": span.end,
        "text": text[span.start : span.end][:MAX_SHOWN],
        "evaluation_text": _around(entry.text, span),
    }


def _around(text: str, span: Span) -> str:
    """Return the words of *span* in the evaluation text *text*, with their surroundings."""
    of_text = _words(text)
    start = max(0, int(of_text.starts[span.first]) - AROUND)
    return text[start : int(of_text.ends[span.last - 1]) + AROUND][:MAX_EVALUATION_SHOWN]


@lru_cache(maxsize=1024)
def _words(text: str) -> Characters:
    return characters(text)


def message(index: Index, overlap: Overlap) -> str:
    """Return the message of the document in the ledger: the evaluation text with the greatest coverage."""
    return described(index.entries[int(overlap.texts.texts[0])], others=len(overlap.texts.texts) - 1)


def described(entry: Entry, *, others: int) -> str:
    """Return where the evaluation text *entry* is, and that there are *others*.

    >>> described(Entry("eval/a.jsonl", 3, "q", "A question."), others=2)
    'eval/a.jsonl, record 3, `q`, and 2 more'
    """
    more = f", and {others:,} more" if others else ""
    return f"{entry.file}, record {entry.record}, `{entry.field}`{more}"
