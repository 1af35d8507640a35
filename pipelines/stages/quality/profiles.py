"""Rules, and profiles as named lists of rules with bounds. They are data and read no text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

_QUALITY: Final = 'arXiv:2112.11446, A1.1 "Quality Filtering"'
_REPETITION: Final = 'arXiv:2112.11446, A1.1 "Repetition Removal", table A1'


class Rule(BaseModel):
    """A document passes if its signal lies within the bounds, inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name in the ledger; equal to the signal's unless two rules use the same signal.")
    signal: str = Field(description="Column to compare.")
    min: float | None = Field(default=None, description="Least value that passes; null: no bound.")
    max: float | None = Field(default=None, description="Greatest value that passes; null: no bound.")
    source: str = Field(default="recipe", description="Origin of the bounds.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Rule:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"{self.name}: min {self.min:g} is greater than max {self.max:g}")
        return self


def _rule(name: str, source: str, *, min: float | None = None, max: float | None = None) -> Rule:
    return Rule(name=f"gopher.{name}", signal=f"gopher.{name}", min=min, max=max, source=source)


GOPHER: Final = (
    _rule("word_count", _QUALITY, min=50, max=100_000),
    _rule("mean_word_length", _QUALITY, min=3, max=10),
    _rule("symbol_ratio", _QUALITY, max=0.1),
    _rule("bullet_lines", _QUALITY, max=0.9),
    _rule("ellipsis_lines", _QUALITY, max=0.3),
    _rule("alphabetic_words", _QUALITY, min=0.8),
    _rule("stop_words", _QUALITY, min=2),
    _rule("duplicate_lines", _REPETITION, max=0.3),
    _rule("duplicate_paragraphs", _REPETITION, max=0.3),
    _rule("duplicate_line_characters", _REPETITION, max=0.2),
    _rule("duplicate_paragraph_characters", _REPETITION, max=0.2),
    _rule("top_2_gram", _REPETITION, max=0.2),
    _rule("top_3_gram", _REPETITION, max=0.18),
    _rule("top_4_gram", _REPETITION, max=0.16),
    _rule("duplicate_5_grams", _REPETITION, max=0.15),
    _rule("duplicate_6_grams", _REPETITION, max=0.14),
    _rule("duplicate_7_grams", _REPETITION, max=0.13),
    _rule("duplicate_8_grams", _REPETITION, max=0.12),
    _rule("duplicate_9_grams", _REPETITION, max=0.11),
    _rule("duplicate_10_grams", _REPETITION, max=0.1),
)
"""The paper's rules and bounds for English, in its order."""


def _with_bounds(
    rules: tuple[Rule, ...], source: str, bounds: Mapping[str, tuple[float | None, float | None]]
) -> tuple[Rule, ...]:
    """Return *rules* with different bounds (min, max) for the named ones."""
    return tuple(
        rule.model_copy(update={"min": bounds[rule.name][0], "max": bounds[rule.name][1], "source": source})
        if rule.name in bounds
        else rule
        for rule in rules
    )


DOCUMENTATION: Final = _with_bounds(
    GOPHER,
    "Gopher's rule, bound calibrated on the pydoc pages of Python 3.11's standard library",
    {
        "gopher.alphabetic_words": (0.7, None),
        "gopher.duplicate_lines": (None, 0.6),
        "gopher.duplicate_paragraphs": (None, 0.6),
        "gopher.duplicate_line_characters": (None, 0.6),
        "gopher.duplicate_paragraph_characters": (None, 0.6),
        **{f"gopher.duplicate_{n}_grams": (None, 0.6) for n in range(5, 11)},
    },
)
"""Gopher's rules with bounds for reference documentation.

Reference documentation has two normal properties that indicate low quality in prose. A class repeats the entries of its
base classes, and generators write the same sentence for each of them ("Return repr(self)."), so the bounds on duplicate
lines, paragraphs and n-grams are 0.6 instead of 0.1 … 0.3. Signatures and tables contain words without letters (`*`,
`->`, `=`), so 0.7 of the words must have a letter instead of 0.8. All other bounds are those of the paper, including
the bounds on the most frequent n-grams: a single phrase repeated throughout is not documentation either.

Of 208 pages that pydoc generates from the standard library of Python 3.11, this profile keeps 138; the paper's bounds
keep 57."""

PROFILES: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType({"gopher": GOPHER, "documentation": DOCUMENTATION})
"""All profiles by name."""


def rules(profile: str) -> tuple[Rule, ...]:
    """Return the rules of *profile* in the order in which they are applied.

    Raises:
        KeyError: The profile does not exist.
    """
    return PROFILES[profile]
