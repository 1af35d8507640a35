"""The profile for reference documentation, on real pages that pydoc makes."""

from __future__ import annotations

import importlib
import pydoc

import pyarrow as pa

from corpusmill.pipelines.stages.extract import extract
from corpusmill.pipelines.stages.quality import judge_all, rules, signals_of

MODULES = (
    "abc argparse base64 bisect calendar cmd codecs configparser csv difflib email.message enum fractions functools "
    "getopt glob heapq html.parser json mailbox optparse pprint queue sched shelve statistics string tempfile textwrap "
    "tokenize trace weakref"
)


def kept(profile: str) -> float:
    html = pydoc.HTMLDoc()
    pages = [html.page(name, html.document(importlib.import_module(name), name)) for name in MODULES.split()]
    signals = pa.table(signals_of(pa.array([extract(page.encode()) for page in pages])))
    judged = judge_all(signals, rules(profile)).group_by("row").aggregate([("passed", "all")])
    share: float = sum(judged["passed_all"].to_pylist()) / len(pages)
    return share


def test_documentation_keeps_at_least_half_of_pages_of_which_gopher_drops_most() -> None:
    """That is what the profile is for: inherited entries are repetition, but not rubbish."""
    assert kept("gopher") < 0.5 <= kept("documentation")
