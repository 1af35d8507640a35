"""`Content-Usage` (IETF AIPREF) and `Content-Signal` (Cloudflare): lists of uses, each with a yes or no.

Sources: draft-ietf-aipref-vocab-08 (`train-ai`, `ai-use`, `search`) and earlier drafts, whose broader uses were
`bots`, `all` and `tdm` and whose narrower one was `train-genai`; draft-ietf-aipref-attach-04 for the header and the
rule in robots.txt; https://contentsignals.org and draft-romm-aipref-contentsignals-00 (`ai-train`, `ai-input`,
`search`).
"""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.optouts import Signal, shown

USAGE: Final = "content-usage"
SIGNAL: Final = "content-signal"
KIND_OF: Final = {USAGE: "content_usage", SIGNAL: "content_signal"}
_SPELLED: Final = {USAGE: "Content-Usage", SIGNAL: "Content-Signal"}
_BROADER: Final = {
    **{"train-genai": "train-ai", "genai": "train-ai", "train-ai": "ai", "ai-train": "ai"},
    **{"ai": "tdm", "tdm": "all", "all": "bots"},
}
"""The use that decides about a use without a preference of its own."""
_TRAINING: Final = {USAGE: ("train-ai", "train-genai"), SIGNAL: ("ai-train",)}
_NO: Final = frozenset(("n", "no", "?0", "0", "false", "disallow"))


def signals(name: str, values: list[str], *, place: str | None = None) -> list[Signal]:
    """Return the signals of the statements *values* in the field *name* (`USAGE` or `SIGNAL`).

    Each statement counts by itself: if any of them forbids training, training is forbidden (draft-ietf-aipref-vocab,
    "Combining Preferences").

    >>> signals(USAGE, ["train-ai=n"])
    [Signal(kind='content_usage', place='header Content-Usage', value='train-ai=n', applies=True)]
    """
    where = place or f"header {_SPELLED[name]}"
    return [
        Signal(KIND_OF[name], where, shown(value), applies=forbids_training(name, value))
        for value in values
        if value.strip()
    ]


def forbids_training(name: str, value: str) -> bool:
    """Return whether the statement *value* forbids to train models.

    >>> forbids_training(USAGE, "bots=n, train-ai=y"), forbids_training(USAGE, "bots=n"), forbids_training(SIGNAL, "x")
    (False, True, False)
    """
    preferences = parse(value)
    return any(_preference(use, preferences) in _NO for use in _TRAINING[name])


def parse(value: str) -> dict[str, str]:
    """Return the preference for each use, in lower case; of several for one use, the last counts (RFC 9651, 3.2).

    >>> parse('Train-AI=n;x=1, search = "yes", bots')
    {'train-ai': 'n', 'search': 'yes', 'bots': 'y'}
    """
    preferences: dict[str, str] = {}
    for member in value.lower().split(","):
        use, equals, preference = member.partition(";")[0].partition("=")
        if use.strip():
            preferences[use.strip()] = preference.strip().strip('"') if equals else "y"
    return preferences


def _preference(use: str | None, preferences: dict[str, str]) -> str:
    while use is not None and use not in preferences:
        use = _BROADER.get(use)
    return "" if use is None else preferences[use]
