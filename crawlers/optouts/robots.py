"""What a robots.txt says about the use of pages: groups for training agents, preferences and licenses.

Groups and rules are those of RFC 9309; `Content-Usage`, `Content-Signal` and `License` extend it. Before the first
group, they hold for all agents. An `ai.txt` (Spawning, https://spawning.ai/ai-txt) has the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.robots import MAX_ROBOTS_BYTES, PRODUCT_TOKEN
from corpusmill.crawlers.optouts import preferences
from corpusmill.crawlers.optouts.agents import training_agents
from corpusmill.crawlers.optouts.paths import matches, specificity
from corpusmill.schemas.optouts import AI_TXT, ROBOTS, Signal, shown

_LINES: Final = re.compile(r"\r\n|\r|\n")
_AGENT: Final = "user-agent"
_ALLOW: Final = "allow"
_DISALLOW: Final = "disallow"
_PREFERENCES: Final = (preferences.USAGE, preferences.SIGNAL)
_LICENSE: Final = "license"
_SITE_WIDE: Final = frozenset(("sitemap", "host", _LICENSE))
"""Fields that belong to no group. All others end the list of agents with which a group begins, unknown ones as well."""


class Rule(NamedTuple):
    """A rule of a group: a pattern of paths, and `value`: the name of the field, or a preference."""

    pattern: str
    value: str


@dataclass
class Group:
    """The rules for some agents, whose names are in lower case."""

    agents: list[str] = field(default_factory=list)
    access: list[Rule] = field(default_factory=list)
    stated: dict[str, list[Rule]] = field(default_factory=lambda: {name: [] for name in _PREFERENCES})


@dataclass
class RobotsFile:
    """A parsed file. `groups` are in order; the first one has the rules before any `User-agent`."""

    groups: list[Group] = field(default_factory=lambda: [Group()])
    licenses: list[str] = field(default_factory=list)

    def rules(self, agent: str, *, or_default: bool = True) -> list[Rule]:
        """Return the access rules of all groups of *agent*, or those for ``*`` if it has none (RFC 9309, 2.2.1)."""
        return [rule for group in self.groups_of(agent, or_default=or_default) for rule in group.access]

    def groups_of(self, agent: str, *, or_default: bool = True) -> list[Group]:
        """Return the groups of *agent*, or, with *or_default*, those for ``*`` if it has none."""
        own = [group for group in self.groups if agent in group.agents]
        return own or ([group for group in self.groups if "*" in group.agents] if or_default else [])


def parse(text: str) -> RobotsFile:
    """Parse the beginning of a robots.txt, `MAX_ROBOTS_BYTES` characters. Lines that say nothing are skipped.

    >>> parse("User-agent: GPTBot\\nDisallow: /").rules("gptbot")
    [Rule(pattern='/', value='disallow')]
    """
    robots = RobotsFile()
    is_open = False
    for name, value in _fields(text[:MAX_ROBOTS_BYTES]):
        if name == _AGENT and not is_open:
            robots.groups.append(Group())
        is_open = name == _AGENT or (is_open and name in _SITE_WIDE)
        group = robots.groups[-1]
        if name == _AGENT:
            group.agents.append(_token(value))
        elif name == _LICENSE:
            robots.licenses += [value] if value else []
        elif name in (_ALLOW, _DISALLOW):
            group.access += [Rule(value, name)] if value else []
        elif name in _PREFERENCES:
            group.stated[name].append(_preference(value))
    return robots


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in _LINES.split(text.removeprefix("\ufeff")):
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _token(value: str) -> str:
    """Return the product token of an agent in lower case, without its version.

    >>> _token("GPTBot/1.0"), _token("*")
    ('gptbot', '*')
    """
    return value.partition("/")[0].strip().lower()


def _preference(value: str) -> Rule:
    """Return the path and the preference of a rule; without a path, it is for all pages.

    >>> _preference("/a/ train-ai=n"), _preference("ai-train=no, search=yes")
    (Rule(pattern='/a/', value='train-ai=n'), Rule(pattern='/', value='ai-train=no, search=yes'))
    """
    path, *rest = value.split(None, 1)[:2] or [""]
    if path.startswith(("/", "*")):
        return Rule(path, rest[0] if rest else "")
    return Rule("/", value)


def deciding(rules: Iterable[Rule], *targets: str) -> Rule | None:
    """Return the most specific access rule that matches one of *targets*; of equally long ones, one that allows it."""
    hits = [rule for rule in rules if any(matches(rule.pattern, target) for target in targets)]
    return max(hits, key=lambda rule: (specificity(rule.pattern), rule.value == _ALLOW), default=None)


class RobotsSignals:
    """The signals of a robots.txt for the pages of its site.

    Only the groups that name a training agent count for it: a site that forbids all agents but names this crawler as
    an exception has not opted out.
    """

    def __init__(self, text: str) -> None:
        robots = parse(text)
        self._own = robots.rules(PRODUCT_TOKEN)
        named = {agent: robots.rules(agent, or_default=False) for agent in training_agents()}
        self._named = {agent: rules for agent, rules in named.items() if any(rule.value == _DISALLOW for rule in rules)}
        own = [robots.groups[0], *robots.groups_of(PRODUCT_TOKEN)]
        self._stated = {name: [rule for group in own for rule in group.stated[name]] for name in _PREFERENCES}
        self._licenses = [Signal("rsl", ROBOTS[1:], shown(f"License: {address}")) for address in robots.licenses[:1]]
        self.is_silent = not (
            any(rule.value == _DISALLOW for rule in self._own)
            or self._named
            or any(self._stated.values())
            or self._licenses
        )

    def of(self, target: str) -> Iterator[Signal]:
        """Yield the signals for the page with the path *target* (`paths.target_of`)."""
        own = deciding(self._own, target)
        if own is not None and own.value == _DISALLOW:
            yield Signal("robots", ROBOTS[1:], shown(f"Disallow: {own.pattern}"))
        refused = [
            (training_agents()[agent], rule.pattern)
            for agent, rules in self._named.items()
            if (rule := deciding(rules, target)) is not None and rule.value == _DISALLOW
        ]
        if refused:
            names = ", ".join(name for name, _ in refused[:3]) + (f" and {len(refused) - 3} more" * (len(refused) > 3))
            yield Signal("agents", ROBOTS[1:], shown(f"User-agent: {names}; Disallow: {refused[0][1]}"))
        for name, rules in self._stated.items():
            yield from _most_specific(name, rules, target)
        yield from self._licenses


def _most_specific(name: str, rules: list[Rule], target: str) -> list[Signal]:
    """Return the signals of the longest patterns that match; equally long ones count each by itself."""
    hits = [rule for rule in rules if matches(rule.pattern, target)]
    longest = max((specificity(rule.pattern) for rule in hits), default=0)
    values = [rule.value for rule in hits if specificity(rule.pattern) == longest]
    return preferences.signals(name, values, place=f"{ROBOTS[1:]} {name}")


class AiTxtSignals:
    """The signals of an `ai.txt`, which speaks about training alone: its groups for everyone count as well.

    A page without a suffix is also tested as ``.html``, because the file forbids types of files.
    """

    def __init__(self, text: str) -> None:
        file = parse(text)
        groups = [file.groups_of(agent, or_default=False) for agent in ("*", PRODUCT_TOKEN, *training_agents())]
        rules = [[rule for group in own for rule in group.access] for own in groups]
        self._rules = [list(own) for own in dict.fromkeys(tuple(own) for own in rules if own)]
        self.is_silent = not any(rule.value == _DISALLOW for own in self._rules for rule in own)

    def of(self, target: str) -> Iterator[Signal]:
        """Yield at most one signal for the page with the path *target* (`paths.target_of`)."""
        path = urlsplit(target).path
        targets = (target,) if "." in path.rpartition("/")[2] else (target, f"{path}.html")
        for rules in self._rules:
            rule = deciding(rules, *targets)
            if rule is not None and rule.value == _DISALLOW:
                yield Signal("ai_txt", AI_TXT, shown(f"Disallow: {rule.pattern}"))
                return
