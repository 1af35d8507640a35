"""Measure de-identification on generated notes: recall by kind, sentences that must stay, and CPU a note.

    python -m benchmarks.deidentify [--notes 400] [--seed 1] [--tuning first] [--examples]

The notes have no structured fields, so that every identifier must be recognized by its context. By default, the notes
are made of sentences that were not used while the detectors were written (`templates.HELD_OUT`); `--tuning` uses
others. `--examples` prints what was missed. A name or an address counts as removed only if all of its words are gone.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter

from benchmarks.deidentify.notes import notes, score
from benchmarks.deidentify.templates import HELD_OUT, SECOND, THIRD, TUNING
from corpusmill.schemas.deidentification.text import deidentified


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tuning", choices=("first", "second", "third"))
    parser.add_argument("--examples", action="store_true")
    options = parser.parse_args()
    templates = {"first": TUNING, "second": SECOND, "third": THIRD}.get(options.tuning, HELD_OUT)
    result = score(templates, count=options.notes, seed=options.seed)
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.notes} notes, seed {options.seed}")
    print("| kind | planted | left | recall |\n|---|---|---|---|")
    for kind in sorted(result.planted):
        print(f"| {kind} | {result.planted[kind]:,} | {result.left[kind]:,} | {result.recall(kind):.4f} |")
    kept = result.negatives - len(result.changed)
    print(f"\nsentences without identifiers kept: {kept:,} of {result.negatives:,} ({kept / result.negatives:.4f})")
    texts = [note.text for note in notes(templates, count=min(options.notes, 200), seed=options.seed)]
    started = time.process_time()
    for text in texts:
        deidentified(text)
    spent = time.process_time() - started
    size = sum(map(len, texts))
    print(
        f"{spent / len(texts) * 1e6:,.0f} µs of CPU a note ({size // len(texts):,} characters),"
        f" {size / spent / 1e6:.2f} MB/s"
    )
    if options.examples:
        for (kind, sentence), number in Counter((one.kind, one.sentence) for one in result.examples).most_common():
            shown = next(one.value for one in result.examples if (one.kind, one.sentence) == (kind, sentence))
            print(number, kind, repr(sentence), repr(shown))
        for change, number in Counter(result.changed).most_common(20):
            print(number, *change, sep=" | ")


if __name__ == "__main__":
    main()
