"""The command line: fast help, clear errors, machine-readable output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    """Shell completion and help must be fast."""
    code = (
        "import sys, contextlib, corpusmill.command\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    corpusmill.command.main({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )

    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert completed.stderr.strip() == "[]"
    assert completed.stdout


def test_every_command_explains_itself() -> None:
    """Every command in the table exists, and its help lists the common options."""
    from click.testing import CliRunner

    for group in COMMANDS.values():
        for name in group:
            output = CliRunner().invoke(cli, [name, "--help"])
            assert output.exit_code == 0, (name, output.exception)
            assert "--json" in output.stdout
            assert "--workspace" in output.stdout


INTERRUPTED_CODE = "exec('import signal; signal.raise_signal(signal.SIGINT)')"
"""If an interrupt leaves code that was compiled from a string, `python -m` kills itself with SIGINT at the end."""
INTERRUPTED_LIBRARY = """
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("Query interrupted") from None
"""
"""If a library replaces the interrupt with its own error, it must not be reported as a bug of corpusmill."""


@pytest.mark.parametrize("work", [INTERRUPTED_CODE, INTERRUPTED_LIBRARY])
def test_an_interrupt_always_has_its_exit_code(tmp_path: Path, work: str) -> None:
    """A scheduler retries because of this exit code."""
    (tmp_path / "held.py").write_text(
        "import signal\n"
        "from corpusmill import command\n"
        f"def work(*_, **__):\n    {work}\n"
        "command.cli.main = work\n"
        "command.main([])\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    completed = subprocess.run(
        [sys.executable, "-m", "held"],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert completed.stderr.startswith("error: interrupted\n")
    assert completed.returncode == 130


def test_a_broken_recipe_is_refused_with_every_problem_and_its_line(tmp_path: Path) -> None:
    """All mistakes are reported at once, before any work starts."""
    recipe = tmp_path / "news.yaml"
    recipe.write_text(
        "dataset: news\n"
        "sources:\n"
        "  - load: {name: a, format: jsonl, path: missing/*.jsonl}\n"
        "stages:\n"
        "  - normalise\n"
        "  - near_dedup: {treshold: 0.8}\n"
    )

    completed = command("run", str(recipe), "--workspace", str(tmp_path / "w"), "--json")

    assert completed.returncode == 2
    for line, word in ((3, "missing"), (5, "normalize"), (6, "threshold")):
        assert f"news.yaml:{line}:" in completed.stderr
        assert word in completed.stderr
    assert "Traceback" not in completed.stderr
    output = json.loads(completed.stdout)
    assert output["status"] == "failed"
    assert [error["line"] for error in output["errors"]] == [3, 5, 6]
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn", "x.yaml"], ["No such command", "Did you mean `run`"]),
        (["run"], ["Missing argument", "run --help"]),
        (["run", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["run", "recipe.yaml", "--engine", "ray"], ["not built yet"]),
        (["run", "recipe.yaml", "--engine", "sparc"], ["no engine is called 'sparc'"]),
        (["plan", "recipe.yaml", "--store", "data://x"], ["data:// is read-only"]),
    ],
)
def test_a_usage_error_has_a_hint_and_exit_code_2(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    """Wrong arguments must not cause a traceback."""
    write_project(tmp_path, count=5)

    completed = command(*arguments, cwd=tmp_path)

    assert completed.returncode == 2
    assert all(word in completed.stderr for word in words), completed.stderr
    assert "hint: " in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_workspace_that_cannot_be_written_is_exit_code_5(tmp_path: Path) -> None:
    """The user can fix the folder and run the command again."""
    recipe = write_project(tmp_path, count=5)
    (tmp_path / "file").write_text("in the way")

    completed = command("run", str(recipe), "--workspace", str(tmp_path / "file" / "corpus"))

    assert completed.returncode == 5
    assert "cannot be written" in completed.stderr


def test_run_plan_and_runs_speak_json(tmp_path: Path) -> None:
    """Standard output contains only the JSON document."""
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


def test_a_changed_threshold_repeats_only_the_judging(tmp_path: Path) -> None:
    """Signals are kept, so a changed threshold does not process the text again."""
    recipe, workspace = write_project(tmp_path, count=30), str(tmp_path / "corpus")
    assert command("run", str(recipe), "--workspace", workspace, "--workers", "1").returncode == 0
    recipe.write_text(
        recipe.read_text().replace("profile: gopher", "profile: gopher, bounds: {gopher.word_count: {min: 60}}")
    )

    steps = {
        step["name"]: step
        for step in json.loads(command("plan", str(recipe), "--workspace", workspace, "--json").stdout)["steps"]
    }

    assert steps["quality.measure"]["cached"]
    assert not steps["quality"]["cached"]
    assert "changed" in steps["quality"]["reason"]
    assert "its input" in steps["pii"]["reason"]


def test_extract_reads_a_file_and_standard_input(tmp_path: Path) -> None:
    """The command must work in a pipe."""
    page = tmp_path / "page.html"
    page.write_text("<title>Tide</title><p>" + "The harbour reopened on Tuesday after the storm. " * 5)

    output = json.loads(command("extract", str(page), "--json").stdout)
    piped = subprocess.run(
        [sys.executable, "-m", "corpusmill", "extract"], input=page.read_bytes(), capture_output=True, check=True
    )

    assert output["file"] == str(page)
    assert output["title"] == "Tide"
    assert output["text"].startswith("The harbour reopened")
    assert piped.stdout.decode().strip() == output["text"].strip()


def test_try_shows_each_stage_and_writes_nothing(tmp_path: Path) -> None:
    """Users tune a recipe on one document before they run it on millions."""
    recipe = write_project(tmp_path, count=3)

    completed = command(
        "try", str(recipe), str(tmp_path / "pages" / "page-1.html"), "--workspace", str(tmp_path / "w"), "--json"
    )

    output = json.loads(completed.stdout)
    assert [stage["stage"] for stage in output["stages"]][:3] == ["read", "extract", "normalize"]
    assert output["title"] == "Page 1"
    assert not (tmp_path / "w").exists()
