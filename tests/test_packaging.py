"""What an installation brings into somebody's environment: one import name, and nothing that is in their way."""

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
    """The wheel that `pip wheel` makes of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_installs_one_name(wheel: Path) -> None:
    """A package that installs `schemas` or `training` shadows somebody's own, or is shadowed by it."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"corpusmill"}
    assert "corpusmill/pipelines/stages/extract/_reader.abi3.so" in names
    assert "corpusmill/py.typed" in names


def test_a_project_with_packages_of_the_same_names_keeps_them(wheel: Path, tmp_path: Path) -> None:
    """Both work in one interpreter: theirs, and ours under `corpusmill`."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    # The libraries come from the environment of the tests; this checkout, which is installed there too, does not.
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
    done = subprocess.run([python, "-E", "-c", code], cwd=project, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    theirs, ours = done.stdout.splitlines()
    assert theirs == "their training|their schemas|their pipelines|their crawlers"
    assert ours == f"{packages / 'corpusmill' / '__init__.py'}|corpusmill.training.data.packed"


def test_an_editable_installation_works_in_the_folder_above_the_checkout(tmp_path: Path) -> None:
    """There a checkout called `corpusmill` looks like a package without code, and may not come first."""
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
    done = subprocess.run([python, "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    version, file = done.stdout.split()
    assert version == corpusmill.__version__
    assert Path(file).resolve() == checkout / "corpusmill" / "__init__.py"
    assert [path.name for path in (ROOT / "src").iterdir() if path.suffix != ".egg-info"] == ["corpusmill"]


def test_importing_corpusmill_imports_nothing_else() -> None:
    """The Python API is there at once; what a function needs is imported when it is called."""
    code = (
        "import sys; before = set(sys.modules); import corpusmill\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(roots - sys.stdlib_module_names - {'corpusmill'}))\n"
        "print(all(callable(getattr(corpusmill, name)) for name in ('extract', 'run', 'open_version')))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["[]", "True"]
