"""Allowed imports between modules, checked on the syntax tree; and modules that the command must not import early."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpusmill.pipelines.registry import STAGES

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "crawlers", "pipelines", "training")
SCHEMAS_MAY = {"pydantic", "pydantic_core", "pyarrow", "numpy", "yaml", "fsspec", "soupsieve"}
"""`numpy` is allowed because pyarrow columns need it, `soupsieve` because a recipe checks its selectors."""

HEAVY = {
    "pyspark": {"pipelines/engines/spark"},
    "apache_beam": {"pipelines/engines/beam"},
    "ray": {"pipelines/engines/ray"},
    "torch": {"training/"},
    "tokenizers": {"training/"},
    "safetensors": {"training/"},
    "spacy": {"pipelines/stages/linguistics/"},
    "nltk": {"pipelines/stages/linguistics/"},
    "scrapy": {"crawlers/"},
    "twisted": {"crawlers/"},
    "duckdb": {"crawlers/loaders/cc_where", "pipelines/dataset/", "pipelines/reports/", "pipelines/web/"},
    "pyiceberg": {"pipelines/dataset/"},
    "pandas": set(),
    "scipy": set(),
}
"""Modules that may import a heavy library at import time. Others import it inside functions, and `pandas` nowhere."""


def modules() -> list[Path]:
    """Return all modules of the packages and the command."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted([*paths, *(ROOT / "corpusmill").glob("*.py")])


def names(node: ast.AST) -> Iterator[str]:
    """Yield the full names that an import statement imports."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom(level=0, module=str() as module):
            yield module


def all_imports(tree: ast.Module) -> Iterator[str]:
    """Yield all imports of a module, including the modules that it imports with `importlib`."""
    for node in ast.walk(tree):
        yield from names(node)


def early_imports(tree: ast.Module) -> Iterator[str]:
    """Yield the imports that run when a module is imported: not those in functions or under `if TYPE_CHECKING`."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        yield from names(node)
        pending += ast.iter_child_nodes(node)


def relative(path: Path) -> str:
    """Return the path in the form of the rules."""
    return path.relative_to(ROOT).as_posix()


MODULES = modules()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_packages_import_schemas_and_never_each_other(path: Path) -> None:
    """Packages exchange data in file formats, so that each one can be replaced separately."""
    package = path.relative_to(ROOT).parts[0]
    imported = set(all_imports(ast.parse(path.read_text())))
    roots = {name.partition(".")[0] for name in imported}

    assert not roots & set(PACKAGES), "packages are imported under the name `corpusmill`"
    if package == "corpusmill":
        return
    ours = {name for name in imported if name.partition(".")[0] == "corpusmill"}
    allowed = ("corpusmill.schemas", f"corpusmill.{package}")
    assert [name for name in ours if not name.startswith(allowed)] == []
    if package == "schemas":
        assert roots <= {*sys.stdlib_module_names, *SCHEMAS_MAY, "corpusmill"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    """A command without a model must not wait for the import of model libraries."""
    here = relative(path)

    early = {name.partition(".")[0] for name in early_imports(ast.parse(path.read_text()))}

    for library in early & HEAVY.keys():
        assert any(here.startswith(place) for place in HEAVY[library]), f"{here} imports {library} at import"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_relative_imports_and_stars_are_not_used(path: Path) -> None:
    """Full names show where a definition is, also to the tests in this module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert all(alias.name != "*" for alias in node.names)


ROOMS = (
    {"registry", "extras"},
    {"engines"},
    {"stages", "workspace"},
    {"recipes", "file_dedup"},
    {"dataset", "projects"},
    {"reports", "planning"},
    {"running"},
    {"api", "scheduling"},
)
"""The layers of the pipelines, from the lowest to the highest."""


@pytest.mark.parametrize("path", [path for path in MODULES if relative(path).startswith("pipelines/")], ids=relative)
def test_imports_run_down(path: Path) -> None:
    """A layer may import lower layers, but not layers at the same level or above."""
    floors = {room: number for number, rooms in enumerate(ROOMS) for room in rooms}
    here = relative(path).removesuffix(".py").split("/")[1]
    if here == "__init__":
        return
    imported = {
        name.split(".")[2]
        for name in all_imports(ast.parse(path.read_text()))
        if name.count(".") >= 2 and name.startswith("corpusmill.pipelines.")
    }

    assert {room for room in imported - {here} if floors[room] >= floors[here]} == set()


NO_STAGE = {"language", "extract"}
"""Names of stages that are also names of a column, a command or a property of Croissant."""
RECIPES = ("schemas/recipe.py", "pipelines/projects/init.py")
"""Modules that contain or write recipes."""


def strings(tree: ast.Module) -> Iterator[str]:
    """Yield all strings of a module except docstrings."""
    statements = (node for node in ast.walk(tree) if isinstance(node, ast.Expr))
    docstrings = {id(node.value) for node in statements}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_do_not_refer_to_stages_by_name(path: Path) -> None:
    """Stages declare their properties, so that stages of other distributions are treated the same."""
    here = relative(path)
    if here.startswith("pipelines/stages/") or here in ("pipelines/registry.py", *RECIPES):
        return
    names = "|".join(STAGES.keys() - NO_STAGE)
    rules = "|".join(STAGES.keys())
    # The name alone, quoted in a message, or as the prefix of a rule or signal.
    spelled = re.compile(rf"({names})|.*`({names})[`.].*|({rules})\.[a-z_]*", re.DOTALL)

    assert [text for text in strings(ast.parse(path.read_text())) if spelled.fullmatch(text)] == []


def test_every_folder_of_tests_is_a_package() -> None:
    """Otherwise `tests/pipelines` would hide the package `pipelines`."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}

    assert [relative(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    "module",
    ["corpusmill.command", "corpusmill.pipelines.recipes.reading", "corpusmill.crawlers.registry"],
)
def test_tables_and_the_command_load_no_heavy_library(module: str) -> None:
    """`corpusmill --help` must be fast."""
    program = f"import {module}, sys; print(*sys.modules.keys() & set({sorted(HEAVY)}))"

    completed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert completed.stdout.split() == []


FILE_METHODS = {
    *("write_text", "write_bytes", "unlink", "rename", "mkdir", "rmdir", "touch", "truncate"),
    *("glob", "rglob", "iterdir", "hardlink_to", "symlink_to"),
}
OS_CALLS = {"rename", "replace", "remove", "unlink", "link", "mkdir", "makedirs", "rmdir", "scandir", "listdir"}
HARMLESS_SHUTIL_CALLS = {"disk_usage", "which"}
TOUCHES_FILES = {
    "the archives and the queue of a crawl grow on this machine; a finished one is sent to the store": {
        "crawlers/crawl",
        "crawlers/crawl_files",
        "crawlers/preparation",
        "crawlers/partitions/crawl",
        "crawlers/partitions/preparation",
        "crawlers/frontier/store",
        "crawlers/process",
        "crawlers/warc",
    },
    "logs that runs append to while others read them, on this machine": {"pipelines/scheduling/folders"},
    "files of the user": {
        "crawlers/loaders/git",
        "crawlers/loaders/medical/fhir_companions",
        "crawlers/patterns",
        "pipelines/file_dedup/run",
        "pipelines/projects/init",
        "pipelines/recipes/paths",
        "schemas/located_yaml",
    },
    "temporary files of a task, on this machine": {"crawlers/loaders/buckets", "crawlers/readers/code/repository"},
    "temporary files of a command, on this machine": {"pipelines/projects/sniff"},
    "temporary files of an exchange, on this machine": {
        "pipelines/engines/beam",
        "pipelines/engines/driver",
        "pipelines/engines/merging",
        "pipelines/engines/spills",
    },
    "writes to a local path from the cache": {
        "crawlers/archives/members",
        "crawlers/archives/tars",
        "crawlers/loaders/sqlite",
    },
    "writes to a local path from the store": {
        "pipelines/dataset/publish",
        "pipelines/engines/batches",
        "pipelines/file_dedup/reading",
        "pipelines/reports/card",
        "pipelines/reports/croissant",
        "pipelines/reports/report",
    },
    "files that dead processes left on this machine": {"pipelines/dataset/garbage", "pipelines/engines/work"},
    "the database, which stays on this machine": {"pipelines/dataset/health"},
    "`/proc`": {"pipelines/engines/memory"},
    "programs on this machine": {"crawlers/rendering/browser"},
    "models stay on this machine": {
        "training/checkpoint",
        "training/data/tokenizer",
        "training/metrics",
        "training/run_folder",
        "training/trainer",
    },
}
"""Why a module outside `schemas/storage/` touches files itself."""


def touched(tree: ast.Module) -> Iterator[str]:
    """Yield the file operations of a module: opening for writing, creating, renaming, removing and listing."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="open") | ast.Attribute(attr="open" | "OSFile") as function):
                is_method = isinstance(function, ast.Attribute) and function.attr == "open"
                values = [*node.args[0 if is_method else 1 :], *(keyword.value for keyword in node.keywords)]
                modes = [one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                if any(re.fullmatch(r"(?=.*[wax+])[rwaxbt+]{1,3}", mode) for mode in modes):
                    yield "open"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="shutil"), attr=name)):
                if name not in HARMLESS_SHUTIL_CALLS:
                    yield f"shutil.{name}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr=name)):
                if name in OS_CALLS:
                    yield f"os.{name}"
            case ast.Call(func=ast.Attribute(attr="replace"), args=[_], keywords=[]):  # strings take two arguments
                yield "replace"
            case ast.Call(func=ast.Attribute(attr=name)) if name in FILE_METHODS:
                yield name


def test_files_are_accessed_through_the_store() -> None:
    """The files of a workspace can be on a remote store, so only `schemas/storage/` may touch them directly."""
    allowed = set().union(*TOUCHES_FILES.values())
    calls_by_module = {
        relative(path).removesuffix(".py"): sorted(set(touched(ast.parse(path.read_text()))))
        for path in MODULES
        if not relative(path).startswith("schemas/storage/")
    }
    touching = {module: calls for module, calls in calls_by_module.items() if calls}

    assert {module: calls for module, calls in touching.items() if module not in allowed} == {}
    assert allowed - touching.keys() == set()


@pytest.mark.parametrize(
    "line",
    [
        "open('a', 'w')",
        "path.open(mode='ab')",
        "pa.OSFile('a', 'wb')",
        "path.write_text('x')",
        "path.replace(other)",
        "os.unlink('a')",
        "shutil.rmtree('a')",
        "path.glob('*')",
    ],
)
def test_file_operations_are_detected(line: str) -> None:
    """Reading files and `str.replace` do not count."""
    assert list(touched(ast.parse(line)))
    assert not list(touched(ast.parse("open('a'); path.open('rb'); text.replace('a', 'b'); shutil.which('a')")))
