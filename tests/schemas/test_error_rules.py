"""Every rule for broken records has a meaning that `docs/reference/errors.md` prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from corpusmill.schemas.error_rules import CRAWL_RULES, ERROR_RULES

ROOT = Path(__file__).parents[2]
PACKAGES = ("crawlers", "pipelines", "schemas")
CRAWL_RULE = re.compile(
    r"(?<![\w./])(?:address|budget|content|feed|host|link|render|robots|scope|sitemap|trap|urls)\.[a-z_]+"
)
COLUMNS = ("id", "key", "url", "host", "depth", "referrer", "state", "rule", "message")
"""Columns of the table `urls` of a queue, which SQL names."""
NOT_RULES = {"robots.txt", "content.xml", "scope.rule", *(f"urls.{column}" for column in COLUMNS)}
TABLE = ROOT / "schemas" / "error_rules.py"


def test_every_rule_in_the_code_has_a_meaning() -> None:
    """A reader of a ledger looks up rules on that page."""
    assert {rule for tree in trees() for rule in rules_in(tree)} - ERROR_RULES.keys() == set()


def test_every_rule_of_a_crawl_has_a_meaning() -> None:
    """`run` prints these rules, so users look them up."""
    names = {name for tree in trees("crawlers") for text in strings_in(tree) for name in CRAWL_RULE.findall(text)}

    assert names - NOT_RULES == {rule for rule in CRAWL_RULES if "<" not in rule}


def test_every_meaning_belongs_to_a_rule_in_the_code() -> None:
    """The page must not list rules that no code uses anymore."""
    texts = {text for tree in trees() for text in strings_in(tree)}

    assert {rule for rule in ERROR_RULES if not {rule, rule.removeprefix("error.")} & texts} == set()


def trees(*packages: str) -> Iterator[ast.Module]:
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != TABLE:
                yield ast.parse(path.read_text())


def rules_in(tree: ast.Module) -> Iterator[str]:
    """Yield the rules in *tree*: as string constants, or as the kind of a `DataError`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(keywords=keywords):
                for keyword in keywords:
                    if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant) and is_data_error(node.func):
                        yield f"error.{keyword.value.value!s}"
            case ast.Constant(value=str() as text) if re.fullmatch(r"error\.[a-z_]+", text):
                yield text


def is_data_error(function: ast.expr) -> bool:
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name in ("DataError", "BrokenTableError", "BrokenStreamError")


def strings_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
