"""A workspace, and schedules of a small recipe whose runs take a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill import acquisition
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.scheduling.registering import add_schedule
from corpusmill.pipelines.workspace import Workspace

RECIPE = """\
dataset: notes
sources:
  - load: {name: notes, format: jsonl, path: notes.jsonl, refresh: 1m}
stages: [normalize]
"""
Add = Callable[..., Schedule]


def write_notes(folder: Path, *texts: str) -> None:
    lines = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts)]
    (folder / "notes.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "corpus")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_notes(tmp_path, "The first note.", "The second note.")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def add(workspace: Workspace, recipe: Path) -> Add:
    """Return a function that adds a schedule of the small recipe."""

    def add_one(name: str = "nightly", *, cron: str = "0 2 * * *", **options: Any) -> Schedule:
        schedule, _ = add_schedule(workspace, acquisition(), name=name, recipe=recipe, cron=cron, **options)
        return schedule

    return add_one
