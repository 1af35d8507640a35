"""Convert punctuation to ASCII, or remove it."""

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
"""ASCII replacements for quotation marks, hyphens, dashes and the ellipsis."""


def ascii_punctuation() -> Operation:
    """Replace quotation marks, hyphens, dashes and the ellipsis with ASCII."""
    every = "".join(characters for characters, _ in ASCII_FORMS)
    steps = (substitution(f"[{characters}]", ascii_form) for characters, ascii_form in ASCII_FORMS)
    return Operation(f"[{every}]", in_turn(*steps), ascii=False)


def no_punctuation() -> Operation:
    """Remove punctuation (Unicode category P). Apostrophes are deleted, other runs become a space."""
    return Operation(r"\p{P}", in_turn(substitution("['’]+", ""), substitution(r"\p{P}+", " ")), ascii=True)
