"""The warning of a run about documents whose license is unknown."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands.conftest import Command


def test_a_run_names_the_sources_with_documents_of_unknown_license(command: Command, tmp_path: Path) -> None:
    """A license that nobody knows cannot be honored; `license` in the recipe or in the record ends the warning."""
    rows = [{"id": 1, "text": "one text", "license": "MIT"}, {"id": 2, "text": "another text"}]
    for name in ("a", "b"):
        lines = "".join(json.dumps(row | {"text": f"{row['text']} of {name}"}) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: d\nsources:\n  - load: {name: a, format: jsonl, path: a.jsonl}\n"
        "  - load: {name: b, format: jsonl, path: b.jsonl, license: CC0-1.0}\n"
        "stages: []\nsplit: {train: 1.0, validation: 0.0, test: 0.0}\n"
    )

    ran = command("run", recipe, "--workers", 0, "--json", "--strict")

    assert (ran.code, json.loads(ran.out)["unknown_licenses"]) == (0, {"a": 1})
    assert "warning: the license of 1 document is unknown: `a` (1); if you know it, set `license`" in ran.err
    recipe.write_text(recipe.read_text().replace("a.jsonl}", "a.jsonl, license: MIT}"))
    assert "the license of" not in command("run", recipe, "--workers", 0).err
