"""Punctuation in ASCII, or none."""

from __future__ import annotations

from typing import Final

from corpusmill.pipelines.stages.normalize.operations import Operation, in_turn, substitution

ASCII_FORMS: Final = (
    ("‘’‚‛′‹›", "'"),
    ("“”„‟″«»", '"'),
    ("‐‑‒–−", "-"),
    ("—―", "--"),
    ("…", "..."),
)
"""What a typewriter has for quotation marks, hyphens, dashes and the ellipsis."""


def ascii_punctuation() -> Operation:
    """Write quotation marks, hyphens, dashes and the ellipsis in ASCII."""
    every = "".join(characters for characters, _ in ASCII_FORMS)
    steps = (substitution(f"[{characters}]", ascii_form) for characters, ascii_form in ASCII_FORMS)
    return Operation(f"[{every}]", in_turn(*steps), ascii=False)


def no_punctuation() -> Operation:
    """Remove punctuation (Unicode category P): apostrophes without a trace, other runs leave a space."""
    return Operation(r"\p{P}", in_turn(substitution("['’]+", ""), substitution(r"\p{P}+", " ")), ascii=True)
