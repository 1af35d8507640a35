"""Invariants of the reader for any input bytes, checked by the fuzzer and the tests.

`reading_faults` checks the C module, `page_faults` all outputs for users. Both return one sentence per fault.
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
"""Characters that no text may contain. Of the control characters only tab and line feed are allowed."""
_KINDS: Final = frozenset(("paragraph", "heading", "item", "cell", "pre", "quote", "caption"))
_SPANS: Final = frozenset(("link", "code", "strong", "emphasis", "image", "sub", "sup", "formula"))
_ERRORS: Final = frozenset(("too_large", "too_complex", "not_html"))
_OTHER: Final = b"<table><tr><td>9<td>8</table><ul><li>seven" + b"<div class=a><p>six, five. four" * 40
"""A page that is read between two readings of another page, which must not see any reused memory."""
MIN_SECONDS: Final = 0.3
SECONDS_PER_MB: Final = 3.0
"""CPU time that a page may take, in addition to `MIN_SECONDS`. Ordinary pages take 0.02 s/MB."""


def reading_faults(data: bytes, model: _reader.Model) -> list[str]:
    """Return the faults of the C module for *data*, decoded as pages are. The raw bytes must at least not crash it."""
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
    outputs = {
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
    return {**outputs, "rescored": reading.columns}


def _differing(first: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    for name, value in first.items():
        if value != again[name]:
            yield f"{name} differ between two readings of the same bytes"


def _wrong_texts(outputs: dict[str, Any]) -> Iterator[str]:
    for text in outputs["texts"]:
        if not text or text.isspace():
            yield f"a block without text: {text!r}"
        if match := _CONTROLS.search(text):
            yield f"a block holds {match.group()!r}"
    if [row[1] for row in outputs["blocks"]] != [line for line in outputs["lines"] if line]:
        yield "the texts of blocks and the lines differ"
    if any(line not in ("", text) for line, text in zip(outputs["lines"], outputs["texts"], strict=True)):
        yield "lines and texts differ"
    if any(not 0 <= block <= len(outputs["texts"]) for block, _ in outputs["record_places"]):
        yield "a record is in no block"
    if [row[1] for row in outputs["blocks"] if row[4]] != [row[1] for row in outputs["kept"]]:
        yield "the kept blocks are not the blocks marked as kept"


def _wrong_blocks(outputs: dict[str, Any]) -> Iterator[str]:
    for kind, text, level, score, _, path, group, row, column, _, spans, _ in outputs["blocks"]:
        if kind not in _KINDS or not 0 <= level <= 200 or not 0 <= score <= 1 or min(group, row, column) < -1:
            yield f"a block with invalid values: {kind} {level} {score} {group} {row} {column} {path}"
        for span, start, end, target, alt in spans:
            if span not in _SPANS or not 0 <= start <= end <= len(text):
                yield f"{span} from {start} to {end} of {len(text)} characters"
            (target + alt).encode()
    for tag, attributes, text in outputs["records"]:
        (tag + text + "".join(attributes) + "".join(attributes.values())).encode()


def _torn_groups(outputs: dict[str, Any]) -> Iterator[str]:
    """Yield a fault for each table or list of which only a part is kept."""
    kept: defaultdict[int, set[bool]] = defaultdict(set)
    for kind, _, _, _, is_kept, _, group, *_ in outputs["blocks"]:
        if kind in ("cell", "item", "pre") and group >= 0:
            kept[group].add(is_kept)
    for group, values in kept.items():
        if len(values) > 1:
            yield f"some blocks of the table or list {group} are kept, some not"


def _wrong_arrays(outputs: dict[str, Any]) -> Iterator[str]:
    blocks, elements = len(outputs["texts"]), outputs["elements"]
    columns = np.frombuffer(outputs["columns"] + outputs["rescored"], "<f4")
    if len(columns) != 2 * blocks * len(_reader.FEATURES) or not np.isfinite(columns).all():
        yield "columns of the wrong size, or with values that are not finite"
    if any(not -1 <= parent < max(index, 1) for index, (parent, _, _) in enumerate(elements)):
        yield "an element comes before its parent"
    if any(not 0 <= place < len(elements) for place in outputs["places"]) or len(outputs["places"]) != blocks:
        yield "a block is in no element"


def page_faults(data: bytes) -> list[str]:
    """Return the faults of all outputs for *data*."""
    try:
        first = _forms(data)
        return [*_differing(first, _forms(data)), *_wrong_forms(first)]
    except DataError as error:
        return [] if error.kind in _ERRORS else [f"unexpected error kind {error.kind}"]


def _forms(data: bytes) -> dict[str, Any]:
    extracted = page.extract_page(data, "https://example.org/a")
    return {
        "text": extracted.text,
        "markdown": extracted.markdown(),
        "blocks": extracted.blocks,
        **{f"metadata {name}": text for name, (text, _) in extracted.metadata.as_text().items()},
        "title": extracted.title,
    }


def _wrong_forms(outputs: dict[str, Any]) -> Iterator[str]:
    for name, text in outputs.items():
        if isinstance(text, str) and (match := _CONTROLS.search(text)):
            yield f"{name} holds {match.group()!r}"


def faults(data: bytes, model: _reader.Model, *, slow: float = 1.0) -> list[str]:
    """Return all faults in reading *data*. An exception is a fault.

    Args:
        slow: Factor for the bound on CPU time, if the program runs slower than usual.
    """
    result: list[str] = []
    bound = slow * (MIN_SECONDS + SECONDS_PER_MB * len(data) / 1e6)
    checks: tuple[Callable[[], list[str]], ...] = (lambda: reading_faults(data, model), lambda: page_faults(data))
    for check in checks:
        start = time.process_time()
        try:
            result += check()
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            result.append(f"{type(error).__name__}: {error}")
        if (seconds := time.process_time() - start) > bound:
            result.append(f"{seconds:.2f} s of CPU time for {len(data)} bytes")
    return result
