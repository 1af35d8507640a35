"""What must hold for any bytes that the reader is given: the fuzzer and the tests ask the same questions.

`reading_faults` asks the C module, `page_faults` everything a user gets. Both give sentences; none is good news.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from corpusmill.pipelines.stages.extract import _reader, page
from corpusmill.schemas.decoding.pages import utf8
from corpusmill.schemas.errors import DataError

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""No text holds these; of the controls only tab and line feed are left."""
_KINDS: Final = frozenset(("paragraph", "heading", "item", "cell", "pre", "quote", "caption"))
_SPANS: Final = frozenset(("link", "code", "strong", "emphasis", "image", "sub", "sup", "formula"))
_ERRORS: Final = frozenset(("too_large", "too_complex", "not_html"))
_OTHER: Final = b"<table><tr><td>9<td>8</table><ul><li>seven" + b"<div class=a><p>six, five. four" * 40
"""A page that is read between two readings of another one: nothing of it may be left in memory that is used again."""
LEAST_SECONDS: Final = 0.3
SECONDS_PER_MB: Final = 3.0
"""Processor time that a page may take. Ordinary pages take 0.02 s/MB; what is beyond is a page that makes work."""


def reading_faults(data: bytes, model: _reader.Model) -> list[str]:
    """Read *data* with the C module alone: decoded, as pages are; and as it is, which must at least do no harm."""
    markup = utf8(data)
    try:
        if markup != data:
            _everything(data, model)
        first = _everything(markup, model)
        _everything(_OTHER, model)
        again = _everything(markup, model)
    except _reader.TooComplex:
        return []
    checks = (_wrong_texts, _wrong_blocks, _torn_groups, _wrong_arrays)
    return [*_differing(first, again), *(fault for check in checks for fault in check(first))]


def _everything(markup: bytes, model: _reader.Model) -> dict[str, Any]:
    reading = _reader.read(markup, model)
    reading.choose(1.0)
    found = {
        "blocks": reading.blocks(only_kept=False, spans=True, paths=True),
        "kept": reading.blocks(),
        "texts": reading.texts,
        "lines": reading.lines,
        "record_places": reading.record_places,
        "records": reading.records,
        "elements": reading.elements,
        "places": reading.places,
        "scores": reading.scores,
        "columns": reading.columns,
    }
    reading.rescore(reading.scores)
    return {**found, "rescored": reading.columns}


def _differing(first: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    for name, value in first.items():
        if value != again[name]:
            yield f"{name} differ between two readings of the same bytes"


def _wrong_texts(found: dict[str, Any]) -> Iterator[str]:
    for text in found["texts"]:
        if not text or text.isspace():
            yield f"a block without text: {text!r}"
        if match := _CONTROLS.search(text):
            yield f"a block holds {match.group()!r}"
    if [row[1] for row in found["blocks"]] != [line for line in found["lines"] if line]:
        yield "blocks and lines differ"
    if any(line not in ("", text) for line, text in zip(found["lines"], found["texts"], strict=True)):
        yield "lines and texts differ"
    if any(not 0 <= block <= len(found["texts"]) for block, _ in found["record_places"]):
        yield "a record stands in no block"
    if [row[1] for row in found["blocks"] if row[4]] != [row[1] for row in found["kept"]]:
        yield "the kept blocks are not those that are marked so"


def _wrong_blocks(found: dict[str, Any]) -> Iterator[str]:
    for kind, text, level, score, _, path, group, row, column, _, spans, _ in found["blocks"]:
        if kind not in _KINDS or not 0 <= level <= 200 or not 0 <= score <= 1 or min(group, row, column) < -1:
            yield f"a block with odd values: {kind} {level} {score} {group} {row} {column} {path}"
        for span, start, end, target, alt in spans:
            if span not in _SPANS or not 0 <= start <= end <= len(text):
                yield f"{span} from {start} to {end} of {len(text)} characters"
            (target + alt).encode()
    for tag, attributes, text in found["records"]:
        (tag + text + "".join(attributes) + "".join(attributes.values())).encode()


def _torn_groups(found: dict[str, Any]) -> Iterator[str]:
    """Tell of a table or a list of which only a part is kept."""
    kept: defaultdict[int, set[bool]] = defaultdict(set)
    for kind, _, _, _, is_kept, _, group, *_ in found["blocks"]:
        if kind in ("cell", "item", "pre") and group >= 0:
            kept[group].add(is_kept)
    for group, values in kept.items():
        if len(values) > 1:
            yield f"some blocks of the table or list {group} are kept, some not"


def _wrong_arrays(found: dict[str, Any]) -> Iterator[str]:
    blocks, elements = len(found["texts"]), found["elements"]
    columns = np.frombuffer(found["columns"] + found["rescored"], "<f4")
    if len(columns) != 2 * blocks * len(_reader.FEATURES) or not np.isfinite(columns).all():
        yield "columns of the wrong size, or with values that are no numbers"
    if any(not -1 <= parent < max(index, 1) for index, (parent, _, _) in enumerate(elements)):
        yield "an element stands before the one around it"
    if any(not 0 <= place < len(elements) for place in found["places"]) or len(found["places"]) != blocks:
        yield "a block stands nowhere"


def page_faults(data: bytes) -> list[str]:
    """Extract *data* in every form."""
    try:
        first = _forms(data)
        return [*_differing(first, _forms(data)), *_wrong_forms(first)]
    except DataError as error:
        return [] if error.kind in _ERRORS else [f"an error of the kind {error.kind}"]


def _forms(data: bytes) -> dict[str, Any]:
    found = page.extract_page(data, "https://example.org/a")
    return {
        "text": found.text,
        "markdown": found.markdown(),
        "blocks": found.blocks,
        **{f"metadata {name}": text for name, (text, _) in found.metadata.found().items()},
        "title": found.title,
    }


def _wrong_forms(found: dict[str, Any]) -> Iterator[str]:
    for name, text in found.items():
        if isinstance(text, str) and (match := _CONTROLS.search(text)):
            yield f"{name} holds {match.group()!r}"


def faults(data: bytes, model: _reader.Model, *, slow: float = 1.0) -> list[str]:
    """Give all that is wrong with how *data* is read; an exception is one of the faults.

    Args:
        slow: How many times slower the program runs than usual, for the bound on time.
    """
    found: list[str] = []
    bound = slow * (LEAST_SECONDS + SECONDS_PER_MB * len(data) / 1e6)
    checks: tuple[Callable[[], list[str]], ...] = (lambda: reading_faults(data, model), lambda: page_faults(data))
    for check in checks:
        start = time.process_time()
        try:
            found += check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            found.append(f"{type(error).__name__}: {error}")
        if (seconds := time.process_time() - start) > bound:
            found.append(f"{seconds:.2f} s of processor time for {len(data)} bytes")
    return found
