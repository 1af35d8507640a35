"""Check which extras of corpusmill are installed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "corpusmill"
_REQUIREMENT: Final = re.compile(r"""^([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]([a-z0-9]+)['"]""")


@cache
def distributions_of(extra: str) -> tuple[str, ...]:
    """Return the distributions that *extra* installs; empty if corpusmill itself is not installed."""
    try:
        requirements: Iterable[str] = metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return ()
    matches = (_REQUIREMENT.match(requirement) for requirement in requirements)
    return tuple(match[1] for match in matches if match and match[2] == extra and match[1] != DISTRIBUTION)


def installed_version(distribution: str) -> str | None:
    """Return the version of *distribution*; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def missing_from(extra: str) -> tuple[str, ...]:
    """Return the distributions of *extra* that are not installed."""
    return tuple(name for name in distributions_of(extra) if installed_version(name) is None)
