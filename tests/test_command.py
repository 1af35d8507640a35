"""The command line: start-up time, errors and JSON output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpusmill.command import COMMANDS, cli
from tests.corpora import write_project

HEAVY = ("pyspark", "apache_beam", "torch", "spacy", "nltk", "scrapy", "pandas", "pyarrow", "duckdb", "pydantic")


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "corpusmill", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"NO_COLOR": "1"},
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help and shell completion must be fast."""
    code = (
        "import sys, contextlib, corpusmill.command\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    corpusmill.command.main({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stderr.strip() == "[]"
    assert process.stdout


def test_every_command_explains_itself() -> None:
    """Every command in the table exists and has help."""
    for group in COMMANDS.values():
        for name in group:
            result = CliRunner().invoke(cli, [name, "--help"])
            assert result.exit_code == 0, (name, result.exception)
            assert "--json" in result.stdout
            assert "--workspace" in result.stdout


INTERRUPTED_CODE = "exec('import signal; signal.raise_signal(signal.SIGINT)')"
"""After an interrupt in code compiled from a string, `python -m` kills itself with SIGINT at the end."""
INTERRUPTED_LIBRARY = """
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("Query interrupted") from None
"""
"""A library that replaces the interrupt by its own error would make it look like a bug in corpusmill."""


@pytest.mark.parametrize("work", [INTERRUPTED_CODE, INTERRUPTED_LIBRARY])
def test_an_interrupt_always_has_its_exit_code(tmp_path: Path, work: str) -> None:
    """Schedulers retry because of this exit code."""
    (tmp_path / "held.py").write_text(
        "import signal\n"
        "from corpusmill import command\n"
        f"def work(*_, **__):\n    {work}\n"
        "command.cli.main = work\n"
        "command.main([])\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    process = subprocess.run(
        [sys.executable, "-m", "held"],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert process.stderr.startswith("error: interrupted\n")
    assert process.returncode == 130


def test_a_broken_recipe_is_refused_with_every_problem_and_its_line(tmp_path: Path) -> None:
    """All mistakes are reported at once, before anything starts."""
    recipe = tmp_path / "news.yaml"
    recipe.write_text(
        "dataset: news\n"
        "sources:\n"
        "  - load: {name: a, format: jsonl, path: missing/*.jsonl}\n"
        "stages:\n"
        "  - normalise\n"
        "  - near_dedup: {treshold: 0.8}\n"
    )

    process = command("run", str(recipe), "--workspace", str(tmp_path / "w"), "--json")

    assert process.returncode == 2
    for line, word in ((3, "missing"), (5, "normalize"), (6, "threshold")):
        assert f"news.yaml:{line}:" in process.stderr
        assert word in process.stderr
    assert "Traceback" not in process.stderr
    result = json.loads(process.stdout)
    assert result["status"] == "failed"
    assert [error["line"] for error in result["errors"]] == [3, 5, 6]
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn", "x.yaml"], ["No such command", "Did you mean `run`"]),
        (["run"], ["Missing argument", "run --help"]),
        (["run", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["run", "recipe.yaml", "--engine", "ray"], ["not implemented"]),
        (["run", "recipe.yaml", "--engine", "sparc"], ["unknown engine 'sparc'"]),
        (["plan", "recipe.yaml", "--store", "data://x"], ["data:// is read-only"]),
    ],
)
def test_wrong_use_is_answered_with_a_hint_and_exit_code_2(
    tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    """Wrong use must never print a traceback."""
    write_project(tmp_path, count=5)

    process = command(*arguments, cwd=tmp_path)

    assert process.returncode == 2
    assert all(word in process.stderr for word in words), process.stderr
    assert "hint: " in process.stderr
    assert "Traceback" not in process.stderr


def test_a_workspace_that_cannot_be_written_is_exit_code_5(tmp_path: Path) -> None:
    """Users can fix the permissions and run the command again."""
    recipe = write_project(tmp_path, count=5)
    (tmp_path / "file").write_text("in the way")

    process = command("run", str(recipe), "--workspace", str(tmp_path / "file" / "corpus"))

    assert process.returncode == 5
    assert "cannot be written" in process.stderr


def test_run_plan_and_runs_speak_json(tmp_path: Path) -> None:
    """Standard output must only have the JSON document."""
    recipe, workspace = write_project(tmp_path, count=30), str(tmp_path / "corpus")

    before = json.loads(command("plan", str(recipe), "--workspace", workspace, "--json").stdout)
    ran = json.loads(command("run", str(recipe), "--workspace", workspace, "--json", "--workers", "1").stdout)
    after = json.loads(command("plan", str(recipe), "--workspace", workspace, "--json").stdout)
    runs = [json.loads(line) for line in command("runs", "--workspace", workspace, "--json").stdout.splitlines()]

    assert before["sources_missing"] == ["lines", "pages"]
    assert {step["name"]: step["rows"] for step in after["steps"]}["extract"] == ran["counts"]["read"]
    assert not any(step["cached"] for step in before["steps"])
    assert ran["status"] == "published"
    assert ran["counts"]["read"] == ran["counts"]["published"] + ran["counts"]["ledger"]
    assert {"name", "fingerprint", "cached", "in", "out", "cpu_s", "wall_s"} <= ran["steps"][0].keys()
    assert all(step["cached"] for step in after["steps"])
    assert [step["fingerprint"] for step in after["steps"]] == [step["fingerprint"] for step in ran["steps"]]
    assert [(run["status"], run["version"]) for run in runs] == [("published", ran["version"])]


def test_a_changed_bound_repeats_only_the_rules(tmp_path: Path) -> None:
    """Signals are stored, so a new threshold needs no new measurement."""
    recipe, workspace = write_project(tmp_path, count=30), str(tmp_path / "corpus")
    in_process = CliRunner()
    assert in_process.invoke(cli, ["run", str(recipe), "--workspace", workspace, "--workers", "0"]).exit_code == 0
    recipe.write_text(
        recipe.read_text().replace("profile: gopher", "profile: gopher, bounds: {gopher.word_count: {min: 60}}")
    )

    planned = in_process.invoke(cli, ["plan", str(recipe), "--workspace", workspace, "--json"]).stdout
    steps = {step["name"]: step for step in json.loads(planned)["steps"]}

    assert steps["quality.measure"]["cached"]
    assert not steps["quality"]["cached"]
    assert "changed" in steps["quality"]["reason"]
    assert "its input" in steps["pii"]["reason"]


def test_extract_reads_a_file_and_standard_input(tmp_path: Path) -> None:
    """`extract` works alone and in a pipe."""
    page = tmp_path / "page.html"
    page.write_text("<title>Tide</title><p>" + "The harbour reopened on Tuesday after the storm. " * 5)

    result = json.loads(command("extract", str(page), "--json").stdout)
    piped = subprocess.run(
        [sys.executable, "-m", "corpusmill", "extract"], input=page.read_bytes(), capture_output=True, check=True
    )

    assert result["file"] == str(page)
    assert result["title"] == "Tide"
    assert result["text"].startswith("The harbour reopened")
    assert piped.stdout.decode().strip() == result["text"].strip()


def test_try_shows_each_stage_and_writes_nothing(tmp_path: Path) -> None:
    """Users tune a recipe on one document before they run it."""
    recipe = write_project(tmp_path, count=3)

    process = command(
        "try", str(recipe), str(tmp_path / "pages" / "page-1.html"), "--workspace", str(tmp_path / "w"), "--json"
    )

    result = json.loads(process.stdout)
    assert [stage["stage"] for stage in result["stages"]][:3] == ["read", "extract", "normalize"]
    assert result["title"] == "Page 1"
    assert not (tmp_path / "w").exists()
