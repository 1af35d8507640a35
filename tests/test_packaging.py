"""An installation adds one import name to an environment and does not conflict with other packages."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import corpusmill

ROOT = Path(__file__).parent.parent
THEIRS = ("training", "schemas", "pipelines", "crawlers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that `pip wheel` builds from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_installs_one_name(wheel: Path) -> None:
    """Top-level packages named `schemas` or `training` would conflict with those of a user."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"corpusmill"}
    assert "corpusmill/pipelines/stages/extract/_reader.abi3.so" in names
    assert "corpusmill/pipelines/stages/dedup/_kernel.abi3.so" in names
    assert "corpusmill/crawlers/_scan.abi3.so" in names
    assert "corpusmill/py.typed" in names


def test_a_project_with_packages_of_the_same_names_keeps_them(wheel: Path, tmp_path: Path) -> None:
    """The user's packages and ours (under `corpusmill`) must work in one interpreter."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    # Uses the libraries of the test environment, but not this checkout, which is installed there too.
    (packages / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    project = tmp_path / "project"
    for name in THEIRS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"OWNER = 'their {name}'\n")
    code = (
        f"import {', '.join(THEIRS)}\n"
        "from corpusmill.training.data import PackedDataset\n"
        "import corpusmill, corpusmill.schemas, corpusmill.crawlers, corpusmill.pipelines\n"
        "print(training.OWNER, schemas.OWNER, pipelines.OWNER, crawlers.OWNER, sep='|')\n"
        "print(corpusmill.__file__, PackedDataset.__module__, sep='|')\n"
    )

    python = environment / "bin" / "python"
    completed = subprocess.run([python, "-E", "-c", code], cwd=project, capture_output=True, text=True, check=False)

    assert completed.stderr == ""
    theirs, ours = completed.stdout.splitlines()
    assert theirs == "their training|their schemas|their pipelines|their crawlers"
    assert ours == f"{packages / 'corpusmill' / '__init__.py'}|corpusmill.training.data.packed"


def test_an_editable_installation_works_in_the_folder_above_the_checkout(tmp_path: Path) -> None:
    """In that folder, a checkout called `corpusmill` looks like a package without code, which must not come first."""
    checkout = tmp_path / "corpusmill"
    ignored = shutil.ignore_patterns(".*", "tests", "docs", "benchmarks", "build", "*.so", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, checkout, symlinks=True, ignore=ignored)
    build = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, tmp_path], cwd=checkout, check=True, capture_output=True)
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (editable,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(editable).extractall(packages)

    python = environment / "bin" / "python"
    code = "import corpusmill; print(corpusmill.__version__, corpusmill.__file__)"
    completed = subprocess.run([python, "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert completed.stderr == ""
    version, file = completed.stdout.split()
    assert version == corpusmill.__version__
    assert Path(file).resolve() == checkout / "corpusmill" / "__init__.py"
    assert [path.name for path in (ROOT / "src").iterdir() if path.suffix != ".egg-info"] == ["corpusmill"]


def test_importing_corpusmill_imports_nothing_else() -> None:
    """Importing the Python API must be fast; functions import what they need when they are called."""
    code = (
        "import sys; before = set(sys.modules); import corpusmill\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - sys.stdlib_module_names - {'corpusmill'}))\n"
        "print(all(callable(getattr(corpusmill, name)) for name in ('extract', 'run', 'open_version')))\n"
    )

    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert completed.stdout.splitlines() == ["[]", "True"]
