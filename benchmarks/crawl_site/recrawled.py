"""Recrawls of the site, unchanged and changed: what is requested and stored, and what `diff` says after a run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.crawl_site.crawling import DATASET, archives, command, in_workspace_of, recipe_of
from benchmarks.crawl_site.server import Nginx
from benchmarks.peers.reporting import cost_of

CHANGED: Final = 10
VANISHED: Final = 3
APPEARED: Final = 5
_SENTENCE: Final = "This sentence with the number {} was not here when the site was crawled for the first time. "
_EXAMPLES: Final = 1_000


def recrawls(site: Nginx) -> list[dict[str, Any]]:
    """Return one row for the recrawl of the unchanged site, and one for that after pages changed, left and appeared.

    *as expected* says whether the row is what it has to be.
    """
    with tempfile.TemporaryDirectory(prefix="recrawled-") as folder:
        recipe = recipe_of(site, Path(folder))
        _crawled(recipe)
        before = _result(recipe)["version"]
        return [_unchanged(site, recipe, before), _changed(site, recipe, before)]


def _unchanged(site: Nginx, recipe: Path, before: str) -> dict[str, Any]:
    seen, stored = len(site.requests()), archives(recipe).responses
    _crawled(recipe, "--recrawl")
    requests = site.page_requests(after=seen)
    result = _result(recipe)
    row = {
        "site": "unchanged",
        "requests": len(requests),
        "conditional": sum(one.is_conditional for one in requests),
        "304": sum(one.status == 304 for one in requests),
        "bodies stored again": (archives(recipe).responses - stored).total(),
        "added": 0,
        "removed": 0,
        "changed": 0,
    }
    is_all = row["requests"] == row["conditional"] == row["304"] == len(site.pages)
    is_same = before == result["version"] and all(step["cached"] for step in result["steps"])
    return row | {"as expected": is_all and is_same and not row["bodies stored again"]}


def _changed(site: Nginx, recipe: Path, before: str) -> dict[str, Any]:
    """Change, remove and add pages, recrawl twice because a page is gone after two answers, and compare versions."""
    expected = change(site)
    seen, stored = len(site.requests()), archives(recipe).responses
    _crawled(recipe, "--recrawl")
    requests = site.page_requests(after=seen)
    again = archives(recipe).responses - stored
    _crawled(recipe, "--recrawl")
    _result(recipe)
    comparison = (f"{DATASET}@{before}", DATASET, "--examples", str(_EXAMPLES), "--json")
    difference = json.loads(cost_of(in_workspace_of(recipe, "diff", *comparison)).output)
    found = {
        kind: {_path(document["url"]) for document in difference["examples"][kind]}
        for kind in ("added", "removed", "changed")
    }
    return {
        "site": "changed",
        "requests": len(requests),
        "conditional": sum(one.is_conditional for one in requests),
        "304": sum(one.status == 304 for one in requests),
        "bodies stored again": sum(
            again[path] for path in again if path not in expected["changed"] | expected["added"]
        ),
        **{kind: len(paths) for kind, paths in found.items()},
        "as expected": found == expected,
    }


def change(site: Nginx) -> dict[str, set[str]]:
    """Change, remove and add pages of *site*, and return their paths."""
    names = sorted(site.pages - {"/index.html"})
    removed, changed = set(names[100 : 100 + VANISHED]), set(names[500 : 500 + CHANGED - 1]) | {"/index.html"}
    added = {f"/new-{number}.html" for number in range(APPEARED)}
    template = (site.html / names[300].lstrip("/")).read_text()
    for number, path in enumerate(sorted(added)):
        (site.html / path.lstrip("/")).write_text(_with(template, _SENTENCE.format(number)))
    for path in removed:
        (site.html / path.lstrip("/")).unlink()
    links = "".join(f'<a href="{path}">{path}</a> ' for path in sorted(added))
    for number, path in enumerate(sorted(changed)):
        file = site.html / path.lstrip("/")
        more = links if path == "/index.html" else ""
        file.write_text(_with(file.read_text(), _SENTENCE.format(number) + more))
    return {"added": added, "removed": removed, "changed": changed}


def _with(page: str, markup: str) -> str:
    """Return *page* with *markup* at the beginning of its first paragraph, which is main text on these pages."""
    before, paragraph, after = page.partition("<p>")
    return before + paragraph + markup + after


def _crawled(recipe: Path, *options: str) -> None:
    cost_of(command("crawl", recipe, "--quiet", *options))


def _result(recipe: Path) -> dict[str, Any]:
    """Run *recipe* and return what `run --json` prints."""
    return dict(json.loads(cost_of(command("run", recipe, "--json")).output))


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]
