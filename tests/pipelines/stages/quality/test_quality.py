"""Profiles, verdicts and parameters of the stage."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.registry import STAGES
from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.quality import PROFILES, SIGNALS, Judge, Measure, Quality, judge_all, rules
from corpusmill.schemas.document import CAPTURE

PROSE = (
    "The harbour reopened on Tuesday after a storm that closed it for nine days, and the pilots said that the channel "
    "had been surveyed twice. Grain ships are to sail before the weekend; those with fish have to wait for ice. "
    "Nobody was hurt, although two cranes fell and part of the old wall lies in the water. Work begins in May."
)


def captures(*texts: str | None) -> pa.RecordBatch:
    rows = [
        {"id": f"{place:032x}", "source": "s", "source_id": str(place), "record_sha256": "0", "text": text}
        for place, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CAPTURE)


def verdicts(stage: Stage, *texts: str) -> list[tuple[str | None, float | None, float | None]]:
    out = stage.build()(captures(*texts))
    return list(
        zip(*(out.column(name).to_pylist() for name in ("rule", "value", "threshold")), strict=True),
    )


def test_prose_passes_and_the_first_failing_rule_is_the_verdict() -> None:
    """A ledger row names one rule, the first in profile order, with the value and the violated bound."""
    found = verdicts(Quality(), PROSE, "Too short.", "1 2 3 4 5 " * 20)

    assert found == [(None, None, None), ("gopher.word_count", 2.0, 50.0), ("gopher.mean_word_length", 1.0, 3.0)]


def test_the_two_parts_do_what_the_whole_does() -> None:
    """The plan runs measuring and judging as two steps; `try` may run the stage as one."""
    stage = Quality(profile="documentation", without=("gopher.word_count",))
    batch = captures(PROSE, "x " * 300, "")

    apart = batch
    for _, part in stage.sub_stages():
        apart = part.build()(apart)

    assert apart.equals(stage.build()(batch))
    assert apart.schema.names[len(CAPTURE) :] == [field.name for field in stage.adds()] == list(SIGNALS)


def test_another_bound_does_not_measure_again() -> None:
    """Measuring is expensive: its parameters, and so its address, must not depend on thresholds."""
    plain, changed = Quality(), Quality.model_validate({"bounds": {"gopher.word_count": {"min": 1}}})

    assert dict(plain.sub_stages())["measure"] == dict(changed.sub_stages())["measure"]
    assert dict(plain.sub_stages())[""] != dict(changed.sub_stages())[""]


def test_a_bound_replaces_only_the_side_that_is_given() -> None:
    """`{min: 1}` in a recipe must not affect the maximum."""
    stage = Quality.model_validate_json('{"bounds": {"gopher.word_count": {"min": 1}}}', strict=True)

    first = stage.bounded_rules()[0]
    assert (first.min, first.max) == (1, 100_000)
    assert verdicts(stage, "Too short.")[0][0] == "gopher.stop_words"


def test_a_stage_is_rebuilt_from_its_parameters() -> None:
    """Workers receive JSON."""
    stage = Quality.model_validate({"bounds": {"gopher.stop_words": {"min": 0}}, "without": ["gopher.top_2_gram"]})

    for _, part in (("", stage), *stage.sub_stages()):
        assert type(part).model_validate_json(json.dumps(part.model_dump(mode="json")), strict=True) == part


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"profile": "gofer"}, "unknown profile"),
        ({"without": ["gopher.word_counts"]}, "has no rule `gopher.word_counts`"),
        ({"bounds": {"word_count": {"min": 1}}}, "has no rule `word_count`"),
        ({"bounds": {"gopher.word_count": {"min": 200_000}}}, "`min` 200000 is greater than `max` 100000"),
        ({"bounds": {"gopher.word_count": {"least": 1}}}, "least"),
        ({"rules": []}, "rules"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(parameters: dict[str, object], message: str) -> None:
    """A recipe is refused before any work starts."""
    with pytest.raises(ValidationError, match=message):
        Quality.model_validate(parameters)


def test_an_unknown_signal_is_refused() -> None:
    """An undefined signal would otherwise fail in the worker."""
    with pytest.raises(ValidationError, match="unknown signal"):
        Measure.model_validate({"signals": ["gopher.wordcount"]})


def test_every_rule_has_a_signal_a_bound_and_a_source() -> None:
    """A rule without a bound never rejects, and one without a source cannot be justified."""
    for profile in PROFILES:
        names = [rule.name for rule in rules(profile)]
        assert len(set(names)) == len(names)
        for rule in rules(profile):
            assert rule.signal in SIGNALS
            assert rule.min is not None or rule.max is not None
            assert rule.source


def test_the_papers_bounds_are_the_papers() -> None:
    """Table A1 and the list of A1.1, typed a second time."""
    bounds = {rule.name.removeprefix("gopher."): (rule.min, rule.max) for rule in rules("gopher")}

    assert bounds == {
        "word_count": (50, 100_000),
        "mean_word_length": (3, 10),
        "symbol_ratio": (None, 0.1),
        "bullet_lines": (None, 0.9),
        "ellipsis_lines": (None, 0.3),
        "alphabetic_words": (0.8, None),
        "stop_words": (2, None),
        "duplicate_lines": (None, 0.3),
        "duplicate_paragraphs": (None, 0.3),
        "duplicate_line_characters": (None, 0.2),
        "duplicate_paragraph_characters": (None, 0.2),
        "top_2_gram": (None, 0.2),
        "top_3_gram": (None, 0.18),
        "top_4_gram": (None, 0.16),
        **{
            f"duplicate_{n}_grams": (None, bound)
            for n, bound in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.1), strict=True)
        },
    }


def test_documentation_is_never_stricter_than_the_paper() -> None:
    """The profile documents which bounds it loosens, so no bound may be tighter by mistake."""
    paper = {rule.name: rule for rule in rules("gopher")}

    for rule in rules("documentation"):
        low, high = paper[rule.name].min, paper[rule.name].max
        assert low is None or (rule.min is not None and rule.min <= low)
        assert high is None or (rule.max is not None and rule.max >= high)


def test_a_value_on_the_bound_passes() -> None:
    """`min` and `max` are inclusive."""
    batch = captures("a", "b", "c").append_column("gopher.word_count", pa.array([49, 50, 100_001]))

    out = Judge(limits=rules("gopher")[:1]).build()(batch)

    assert out.column("threshold").to_pylist() == [50.0, None, 100_000.0]


def test_all_rules_are_recomputed_from_stored_signals_alone() -> None:
    """`explain` shows each rule of a rejected document, even after its text is gone."""
    table = pa.table(
        {
            "id": ["a", "b"],
            "gopher.word_count": pa.array([10, 60]),
            "gopher.stop_words": pa.array([1, None], pa.int64()),
        }
    )

    found = judge_all(table, rules("gopher")).to_pylist()

    assert [(row["row"], row["rule"], row["passed"], row["threshold"]) for row in found] == [
        (0, "gopher.word_count", False, 50.0),
        (0, "gopher.stop_words", False, 2.0),
        (1, "gopher.word_count", True, None),
        (1, "gopher.stop_words", True, None),
    ]


def test_judging_nothing_is_possible() -> None:
    """Batches can be empty, and a recipe can skip all rules."""
    every = tuple(rule.name for rule in rules("gopher"))

    assert verdicts(Quality(without=every), "x") == [(None, None, None)]
    assert verdicts(Quality()) == []
    assert judge_all(pa.table({"id": ["a"]}), rules("gopher")).num_rows == 0


def test_the_registry_finds_the_stage() -> None:
    """One table maps names in recipes to code."""
    assert resolve(STAGES["quality"]) is Quality
