"""Quality: measure first (`signals`), judge second (`profiles`).

    text ── words ──► one tokenization of the batch ── signals ──► columns `gopher.…` ── judge ──► verdict

The signals are stored with the document, so a threshold can be changed, simulated and audited without the text.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.quality.judge import Judge, judge_all
    from corpusmill.pipelines.stages.quality.measure import Measure
    from corpusmill.pipelines.stages.quality.profiles import PROFILES, Rule, rules
    from corpusmill.pipelines.stages.quality.signals import SIGNALS, signals_of
    from corpusmill.pipelines.stages.quality.stage import Quality

__all__ = ["PROFILES", "SIGNALS", "Judge", "Measure", "Quality", "Rule", "judge_all", "rules", "signals_of"]

_HOME: Final = {
    "PROFILES": "profiles",
    "SIGNALS": "signals",
    "Judge": "judge",
    "Measure": "measure",
    "Quality": "stage",
    "Rule": "profiles",
    "judge_all": "judge",
    "rules": "profiles",
    "signals_of": "signals",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
