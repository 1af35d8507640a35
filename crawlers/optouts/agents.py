"""The agents that collect texts for training, and the names under which a site addresses this crawler."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from corpusmill.crawlers.frontier.robots import PRODUCT_TOKEN

DATA: Final = Path(__file__).with_name("training_agents.toml")
EVERYONE: Final = frozenset(("", "*", "robots", PRODUCT_TOKEN))
"""Names that address this crawler in `X-Robots-Tag` and `<meta>`; empty: the directive names no agent."""


@cache
def training_agents() -> dict[str, str]:
    """Return the names of training agents, by the name in lower case.

    >>> training_agents()["gptbot"]
    'GPTBot'
    """
    with DATA.open("rb") as file:
        return {agent["name"].lower(): agent["name"] for agent in tomllib.load(file)["agent"]}
