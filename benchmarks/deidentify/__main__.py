"""Measure de-identification on generated notes: recall by kind, text that must stay, and CPU a note.

    python -m benchmarks.deidentify [--notes 400] [--seed 1] [--set held_out_3] [--names new_names] [--examples]

The notes have no structured fields, so that every identifier must be recognized by its context. The sets `development`
and `held_out` to `held_out_3` are whole notes; an identifier is left if a word of it with two characters or more is.
`lines_1` to `lines_4` are the earlier sets of lines with few names (`templates`). `--examples` prints what was missed.
`results/deidentify.md` has the figures of the first look at each set.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from typing import Final

from benchmarks.deidentify import styles
from benchmarks.deidentify.notes import notes, score
from benchmarks.deidentify.styles import SETS
from benchmarks.deidentify.templates import HELD_OUT, SECOND, THIRD, TUNING, Templates
from corpusmill.schemas.deidentification.text import deidentified

_LINES: Final = {"lines_1": TUNING, "lines_2": SECOND, "lines_3": THIRD, "lines_4": HELD_OUT}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", choices=(*SETS, *_LINES), default="held_out_3")
    parser.add_argument("--names", help="folder with other names, such as `new_names`; for whole notes only")
    parser.add_argument("--examples", action="store_true")
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.notes} notes, seed {options.seed}")
    texts = _print_lines(_LINES[options.set], options) if options.set in _LINES else _print_notes(options)
    started = time.process_time()
    for text in texts:
        deidentified(text)
    spent = time.process_time() - started
    size = sum(map(len, texts))
    print(
        f"{spent / len(texts) * 1e6:,.0f} µs of CPU a note ({size // len(texts):,} characters),"
        f" {size / spent / 1e6:.2f} MB/s"
    )


def _print_notes(options: argparse.Namespace) -> list[str]:
    result = styles.score(options.set, count=options.notes, seed=options.seed, people=options.names)
    _print_table(result.kinds())
    masked = sum(result.masked.values())
    print(f"\nwords that identify nobody, replaced: {masked:,} of {result.words:,} ({masked / result.words:.4f})")
    if options.examples:
        for planted, context in result.examples:
            print(planted.kind, planted.form, repr(context))
        print(result.masked.most_common(40))
    return [note.text for note in styles.notes(options.set, count=min(options.notes, 200), seed=options.seed)]


def _print_lines(templates: Templates, options: argparse.Namespace) -> list[str]:
    result = score(templates, count=options.notes, seed=options.seed)
    _print_table({kind: (result.planted[kind], result.left[kind]) for kind in sorted(result.planted)})
    kept = result.negatives - len(result.changed)
    print(f"\nsentences without identifiers kept: {kept:,} of {result.negatives:,} ({kept / result.negatives:.4f})")
    if options.examples:
        for (kind, sentence), number in Counter((one.kind, one.sentence) for one in result.examples).most_common():
            shown = next(one.value for one in result.examples if (one.kind, one.sentence) == (kind, sentence))
            print(number, kind, repr(sentence), repr(shown))
        for change, number in Counter(result.changed).most_common(20):
            print(number, *change, sep=" | ")
    return [note.text for note in notes(templates, count=min(options.notes, 200), seed=options.seed)]


def _print_table(kinds: dict[str, tuple[int, int]]) -> None:
    print("| kind | planted | left | recall |\n|---|---|---|---|")
    for kind, (planted, left) in kinds.items():
        print(f"| {kind} | {planted:,} | {left:,} | {1 - left / planted:.4f} |")


if __name__ == "__main__":
    main()
