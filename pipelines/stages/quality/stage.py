"""The stage `quality`: a profile of rules, with changes from the recipe."""

from __future__ import annotations

from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from corpusmill.pipelines.stages.base import Judgment, Stage, Transform
from corpusmill.pipelines.stages.quality.judge import Judge
from corpusmill.pipelines.stages.quality.measure import Measure
from corpusmill.pipelines.stages.quality.profiles import PROFILES, Rule, rules
from corpusmill.pipelines.stages.quality.signals import SIGNALS
from corpusmill.schemas.problems import HintedValueError, hint_among


class Bound(BaseModel):
    """Bounds that replace the profile's; a null side keeps the profile's bound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = Field(default=None, description="Least value that passes.")
    max: float | None = Field(default=None, description="Greatest value that passes.")


def _is_profile(name: str) -> str:
    if name not in PROFILES:
        raise HintedValueError("unknown profile", hint=hint_among(name, tuple(PROFILES), noun="profiles"))
    return name


class Quality(Stage):
    """Reject documents whose signals violate the thresholds of a profile.

    The verdict is the first rule, in the profile's order, that a document does not pass, with value and threshold.
    Signals are measured in a separate step (`measure`), so a changed threshold repeats only the judging.
    """

    version: ClassVar[int] = 1
    card_line: ClassVar[str | None] = "measures signals and rejects documents outside the thresholds of a profile"

    profile: Annotated[str, AfterValidator(_is_profile)] = Field(
        default="gopher", description=f"Set of rules with thresholds: {', '.join(PROFILES)}."
    )
    bounds: dict[str, Bound] = Field(
        default_factory=dict,
        description="Bounds that replace the profile's, by rule: `{min, max}`.",
        examples=[{"gopher.word_count": {"min": 20}}],
    )
    without: tuple[str, ...] = Field(
        default=(), description="Rules of the profile to skip.", examples=[["gopher.stop_words"]]
    )

    @model_validator(mode="after")
    def _names_are_rules(self) -> Quality:
        known = [rule.name for rule in PROFILES[self.profile]]
        for name in (*self.bounds, *self.without):
            if name not in known:
                hint = hint_among(name, known, noun="rules")
                at = ("bounds", name) if name in self.bounds else ("without", self.without.index(name))
                raise HintedValueError(f"profile `{self.profile}` has no rule `{name}`", hint=hint, at=at)
        self.bounded_rules()
        return self

    def rules(self) -> tuple[str, ...]:
        """Return the rules that are applied, in order."""
        return tuple(rule.name for rule in self.bounded_rules())

    def judges(self) -> tuple[Judgment, ...]:
        """Return the rules that are applied, with the signals and bounds that they compare."""
        return tuple(Judgment(rule.name, rule.signal, rule.min, rule.max) for rule in self.bounded_rules())

    def bounded_rules(self) -> tuple[Rule, ...]:
        """Return the rules that are applied, with their bounds, in order."""
        return tuple(
            _bounded(rule, self.bounds.get(rule.name)) for rule in rules(self.profile) if rule.name not in self.without
        )

    def sub_stages(self) -> tuple[tuple[str, Stage], ...]:
        """Separate measuring, which is the same for every profile, from judging."""
        return (("measure", Measure()), ("", Judge(limits=self.bounded_rules())))

    def adds(self) -> tuple[pa.Field, ...]:
        """Return a field for each signal."""
        return Measure().adds()

    def build(self) -> Transform:
        """Return measuring and judging as one function."""
        measure, judge = Measure(signals=tuple(SIGNALS)).build(), Judge(limits=self.bounded_rules()).build()
        return lambda batch: judge(measure(batch))


def _bounded(rule: Rule, bound: Bound | None) -> Rule:
    """Return *rule* with the bounds that *bound* sets."""
    if bound is None:
        return rule
    low = rule.min if bound.min is None else bound.min
    high = rule.max if bound.max is None else bound.max
    if low is not None and high is not None and low > high:
        problem = f"{rule.name}: `min` {low:g} is greater than `max` {high:g}"
        hint = f"use `{rule.name}: {{min: {high:g}, max: {low:g}}}`"
        raise HintedValueError(problem, hint=hint, at=("bounds", rule.name))
    return Rule(name=rule.name, signal=rule.signal, min=low, max=high)
