"""The repository: requirements, CI, and recipes that run unchanged."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.projects import doctor
from corpusmill.pipelines.recipes.reading import load_recipe

ROOT = Path(__file__).parent.parent
TARGETS = ("demo", "test", "quick", "lint", "types", "format", "docs", "bench", "clean")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    """Return the normalized name of a distribution."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=\[;! ]", name)[0]).lower()


def test_constraints_pin_every_requirement() -> None:
    """Without a pin, two installations of the same commit can differ."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    required = [
        *PROJECT["dependencies"],
        *(name for extra in PROJECT["optional-dependencies"].values() for name in extra),
    ]

    missing = {normal(name) for name in required} - {normal(name) for name in pins} - {"corpusmill"}

    assert missing == set()
    assert pins["torch"] == "2.13.0"


def test_the_extra_all_has_every_part_that_users_install() -> None:
    """`corpusmill[all]` includes all extras except `ray`, which is large and not used by any engine yet, and `model`,
    which is needed only to train the extraction model."""
    (everything,) = PROJECT["optional-dependencies"]["all"]

    assert set(re.findall(r"[a-z0-9]+", everything)) - {"corpusmill"} == PROJECT["optional-dependencies"].keys() - {
        "all",
        "model",
        "ray",
        "test",
    }


def test_every_extra_that_the_code_names_exists() -> None:
    """pip ignores an unknown extra, so the hint would not help."""
    named = set(doctor.EXTRAS)
    for package in ("corpusmill", "crawlers", "pipelines", "schemas", "training"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            named |= set(re.findall(r'(?:MissingExtraError\.of|install_command)\("(\w+)"', text))
            named |= set(re.findall(r'^ *extra: ClassVar\[.*\] = "(\w+)"', text, re.MULTILINE))
            is_one_place = path == ROOT / "schemas" / "installing.py"
            assert is_one_place or "corpusmill[" not in text, f"{path} writes the command itself"

    assert named >= {"nlp", "train", "spark", "beam", "s3"}
    assert named <= PROJECT["optional-dependencies"].keys()


def test_every_extra_that_a_page_names_exists() -> None:
    """Readers copy the commands of the pages."""
    pages = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "docker" / "Dockerfile", ROOT / "Makefile")
    extras_by_page = [
        re.findall(r"(?:corpusmill|-e '|--editable ')\.?\[([a-z0-9,]+)\]", page.read_text()) for page in pages
    ]
    named = {name for of_page in extras_by_page for extras in of_page for name in extras.split(",")}

    assert named >= {"nlp", "train", "s3", "test"}
    assert named <= PROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_what_to_do_from_nothing(target: str, tmp_path: Path) -> None:
    """Each target creates its environment, so any of them can be the first command in a fresh clone."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}

    planned = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert (f"-m venv {tmp_path}/venv" in planned) == (target != "clean")
    assert ("--constraint constraints.txt" in planned) == (target != "clean")


def test_ci_runs_the_command_that_the_readme_names() -> None:
    """Contributors must be able to run the same checks as CI."""
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
    assert "\nmake test " in (ROOT / "README.md").read_text()


def test_the_demo_recipe_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All fields must be known, and the patterns must match files of an installed distribution."""
    information = tmp_path / "some-1.0.dist-info"
    (information / "licenses").mkdir(parents=True)
    for name in ("METADATA", "licenses/LICENSE", "licenses/COPYING.txt"):
        (information / name).write_text("Name: some\n")
    monkeypatch.setenv("CORPUSMILL_SITE_PACKAGES", str(tmp_path))

    recipe = load_recipe(ROOT / "recipes" / "handbook.yaml", loaders=LOADERS).recipe

    assert recipe.dataset == "handbook"
    assert recipe.split.shares == {"train": 0.8, "validation": 0.1, "test": 0.1}
