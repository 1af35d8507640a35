"""Stages of another, really installed distribution can do everything that ours can, on every engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.reports.describe import describe_version
from corpusmill.pipelines.workspace import Workspace

ROOT = Path(__file__).parent.parent
EXAMPLE = Path(__file__).parent / "example_distribution"
RECIPE = """
dataset: example
sources:
  - load: {name: pages, format: html, path: pages}
stages:
  - plain_html
  - mask_names: {names: [Ada]}
  - shards
  - limit_words: {words: 50}
  - shouting: {max_share: 0.5}
  - chained
split: {train: 1.0, validation: 0.0, test: 0.0}
"""
PAGES = {
    "a": "<p>start\nAda wrote LOUD words here\nlink one</p>",
    "b": "<p>link one\nmore of it\nlink two</p>",
    "c": "<p>link two\nthe END of the chain\nlast</p>",
    "alone": "<p>nobody\nshares THIS line\nwith it</p>",
    "loud": "<p>ADA AND OTHERS SHOUT ALL DAY</p>",
    "long": f"<p>{'word ' * 60}</p>",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment with the example and the libraries of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    # The same libraries, after this checkout.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages_of(folder / "venv") / "libraries.pth").write_text("\n".join([str(ROOT), *libraries]))
    install(folder / "venv", folder / "source")
    return folder / "venv"


def packages_of(environment: Path) -> Path:
    (packages,) = environment.glob("lib/python*/site-packages")
    return packages


def install(environment: Path, source: Path, *, version: str = "1.0") -> None:
    """Install release *version* of the example from a copy at *source*."""
    shutil.copytree(EXAMPLE, source)
    project = source / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "1.0"', f'version = "{version}"'))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--upgrade"]
    subprocess.run([*command, "--target", str(packages_of(environment)), str(source)], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def write_project(folder: Path) -> Path:
    (folder / "pages").mkdir()
    for name, page in PAGES.items():
        (folder / "pages" / f"{name}.html").write_text(page)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@dataclass(frozen=True)
class Published:
    """A project whose recipe was run, and the result. Tests must not change it."""

    project: Path
    result: dict[str, Any]


@pytest.fixture(scope="module")
def published(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    project = write_project(tmp_path_factory.mktemp("published"))
    (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
    return Published(project, result)


def corpusmill(environment: Path, project: Path, *arguments: str) -> Any:
    # Tests of Spark set the interpreter of this process in the environment variables.
    variables = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    completed = subprocess.run(
        [environment / "bin" / "python", "-m", "corpusmill", *arguments, "--json"],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return [json.loads(line) for line in completed.stdout.splitlines()]


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob(f"{kind}-*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def test_stages_of_another_distribution_do_what_ours_do(environment: Path, project: Path) -> None:
    """Covers extractors, types of signals, masking of samples, and rounds."""
    (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "2")

    folder = Path(result["path"])
    documents = {row["source_id"]: row for row in rows(folder, "train")}
    ledger = {row["source_id"]: row for row in rows(folder, "ledger")}
    chain = sorted(documents.keys() - {"alone.html"})
    assert (len(documents), result["counts"]) == (2, {"read": 6, "published": 2, "ledger": 4})
    assert documents["alone.html"]["loud_words"] == ["THIS"]
    assert documents["alone.html"]["first_word"] == {"word": "nobody", "at": 0}
    assert {row["stage"] for row in ledger.values()} == {"limit_words", "shouting", "chained"}
    assert {row["duplicate_of"] for row in ledger.values() if row["stage"] == "chained"} == {documents[chain[0]]["id"]}
    assert all("Ada" not in (row["sample_text"] or "") for row in ledger.values())
    schema = pq.read_schema(next(folder.glob("train-*.parquet")))
    assert schema.field("loud_words").type.value_type == pa.string()
    signals = pq.read_schema(next(folder.glob("signals-*.parquet")))
    assert signals.field("shouting.share").type == pa.float64()
    assert signals.field("shouting.is_loud").type == pa.bool_()
    assert signals.field("shards.letters").type == pa.int32()


def test_a_published_side_table_is_part_of_the_version(published: Published) -> None:
    """Other programs read it like the shards: sorted by document, and listed in the manifest."""
    folder = Path(published.result["path"])
    spans = rows(folder, "shouting.spans")
    assert [row["id"] for row in spans] == sorted(row["id"] for row in spans)
    assert {row["word"] for row in spans} >= {"LOUD", "THIS", "END", "SHOUT"}
    manifest = json.loads((folder / "manifest.json").read_text())
    (side,) = [file for file in manifest["side_files"] if file["kind"] == "shouting.spans"]
    assert side["rows"] == len(spans)
    assert side["sha256"] in (folder / "croissant.json").read_text()
    assert "`shouting.spans-*.parquet`" in (folder / "README.md").read_text()


def test_another_side_table_is_another_version(environment: Path, project: Path) -> None:
    """The id covers all data of the version, not only the documents."""
    recipe = SEEN.replace(", seen]", ", shouting]")
    ids = []
    for text in (recipe, recipe.replace("shouting", "shouting: {max_share: 0.9}"), recipe.replace(", shouting", "")):
        (project / "recipe.yaml").write_text(text)
        (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
        ids.append((result["version"], len(rows(Path(result["path"]), "train"))))

    assert ids[2][1] == 6
    assert len({version for version, _ in ids}) == 3


def test_a_published_side_table_has_as_many_files_as_there_are_shards(environment: Path, project: Path) -> None:
    """No task has to write the whole table, and the rows of a document can be read from one file."""
    for number in range(60):
        words = " ".join(f"word{number}x{place}" for place in range(12))
        (project / "pages" / f"{number}.html").write_text(f"<p>{words} LOUD</p>")
    recipe = SEEN.replace(", seen]", ", shouting]") + "shards: {target_bytes: 1kB}\n"
    (project / "recipe.yaml").write_text(recipe)

    (result,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")

    version = open_version(Path(result["path"]))
    files = version.files("shouting.spans")
    spans = [[row["id"] for row in pq.read_table(path).to_pylist()] for path in files]
    assert len(files) == len(version.files("shard")) > 3
    assert [id_ for ids in spans for id_ in ids] == sorted(id_ for ids in spans for id_ in ids)
    assert all(ids for ids in spans)
    for id_ in (spans[0][0], spans[-1][-1]):
        assert version.rows("shouting.spans", id_)["word"].to_pylist() == ["LOUD"]


def steps(explained: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    return [step for step in explained["trail"] if step["stage"] == stage]


def test_explain_asks_stages_of_another_distribution(environment: Path, published: Published) -> None:
    """Rules show value and bound even if they passed, and notes show details, as for our stages."""
    (alone,) = corpusmill(environment, published.project, "explain", "alone.html")
    (loud,) = corpusmill(environment, published.project, "explain", "loud.html")

    rule = {"stage": "shouting", "rule": "shouting.share", "threshold": 0.5, "min": None, "max": 0.5}
    (passed,) = steps(alone, "shouting")
    share = passed.pop("value")
    assert passed == {**rule, "verdict": "passed", "message": "it begins with nobody"}
    (rejected,) = steps(loud, "shouting")
    assert 0 < share < 0.5 < rejected.pop("value")
    assert rejected == {**rule, "verdict": "rejected"}


def test_the_report_asks_stages_of_another_distribution(published: Published) -> None:
    """Thresholds, personal data, copies and the data card must not depend on names of stages."""
    folder = Path(published.result["path"])
    figures = json.loads((folder / "report.json").read_text())
    (share,) = [signal for signal in figures["signals"] if signal["name"] == "shouting.share"]
    assert share["thresholds"] == [{"side": "max", "threshold": 0.5}]
    (words,) = [bound for bound in figures["bounds"] if bound["rule"] == "limit_words.too_many"]
    assert (words["signal"], words["threshold"], len(words["nearest_kept"])) == ("limit_words.count", 50, 2)
    assert figures["personal_data"]["stage"] == {"names": ["Ada"]}
    assert [(kind["kind"], kind["items"]) for kind in figures["personal_data"]["kinds"]] == [("given", 1)]
    assert "names.given" not in {signal["name"] for signal in figures["signals"]}
    assert figures["duplicates"]["stages"] == ["chained"]
    texts = {finding["code"]: finding["text"] for finding in figures["findings"]}
    assert not texts.keys() & {"no_dedup", "no_pii"}
    assert texts["duplicates"] == "Near duplicates: 33.3 % of the records of `pages` were copies."
    assert texts["top_rule"].startswith("Apart from copies, ")
    card = (folder / "README.md").read_text()
    assert "**shouting** rejects documents that shout (`max_share: 0.5`)." in card
    assert "The stage `mask_names` detects personal data (action: `mask`). Detection is incomplete" in card
    assert "Patterns find what has a fixed form" not in (folder / "report.html").read_text()


def test_a_version_is_explained_without_the_other_distribution(published: Published, tmp_path: Path) -> None:
    """Stored data is shown; information that needs the stages is left out."""
    project = shutil.copytree(published.project, tmp_path / "copy")
    folder = project / Path(published.result["path"]).relative_to(published.project)
    for name in ("report.json", "report.html", "README.md"):
        (folder / name).unlink()

    explained = explain("loud.html", Workspace(project / "corpus"))
    describe_version(folder)

    (step,) = steps(explained, "shouting")
    assert (step["rule"], step["threshold"], step["verdict"]) == ("shouting.share", 0.5, "rejected")
    assert steps(explain("alone.html", Workspace(project / "corpus")), "shouting")[0]["verdict"] == "passed"
    figures = json.loads((folder / "report.json").read_text())
    (bound,) = [bound for bound in figures["bounds"] if bound["rule"] == "shouting.share"]
    assert bound["signal"] == "shouting.share"
    assert not {finding["code"] for finding in figures["findings"]} & {"no_dedup", "no_pii"}
    assert "**shouting** is a stage that is not installed here" in (folder / "README.md").read_text()
    assert "It is unknown whether the recipe detects personal data" in (folder / "README.md").read_text()


SEEN = """
dataset: more
sources:
  - load: {name: pages, format: html, path: pages}
stages: [plain_html, seen]
split: {train: 1.0, validation: 0.0, test: 0.0}
"""


def counts(result: dict[str, Any]) -> tuple[int, int]:
    return result["counts"]["published"], result["counts"]["ledger"]


def cached(result: dict[str, Any]) -> dict[str, bool]:
    return {step["name"]: step["cached"] for step in result["steps"]}


def test_a_stage_reads_a_published_version(environment: Path, project: Path) -> None:
    """The version counts by its content, so another name or path does not repeat any work."""
    (project / "recipe.yaml").write_text(SEEN)
    (project / "pages" / "b.html").rename(project / "b.html")
    (first,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
    (project / "b.html").rename(project / "pages" / "b.html")
    corpusmill(environment, project, "load", "recipe.yaml")
    shutil.copytree(first["path"], project / "elsewhere")

    results = []
    for of in (f"more@{first['version']}", str(project / "elsewhere")):
        (project / "recipe.yaml").write_text(SEEN.replace("seen]", f"seen: {{of: '{of}'}}]"))
        results += corpusmill(environment, project, "run", "recipe.yaml", "--workers", "2")

    one, other = results
    assert counts(first) == (5, 0)
    assert counts(one) == (1, 5)
    assert other["version"] == one["version"]
    assert cached(other)["seen.published"]
    assert cached(other)["seen"]
    ledger = rows(Path(one["path"]), "ledger")
    assert {(row["stage"], row["rule"]) for row in ledger} == {("seen", "seen.before")}
    assert {row["duplicate_of"] for row in ledger} == {row["id"] for row in rows(Path(first["path"]), "train")}
    manifest = json.loads((Path(one["path"]) / "manifest.json").read_text())
    assert manifest["contents"] == {"seen.published": first["version"]}


@pytest.mark.parametrize(
    "damage", [pytest.param("cut", marks=pytest.mark.slow), "flipped", pytest.param("gone", marks=pytest.mark.slow)]
)
def test_a_damaged_table_of_a_version_is_named(environment: Path, project: Path, damage: str) -> None:
    """Otherwise wrong rows would be published under the hash of the right ones."""
    (project / "recipe.yaml").write_text(SEEN)
    (first,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
    (shard,) = Path(first["path"]).glob("train-*.parquet")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.unlink()
    if damage != "gone":
        shard.write_bytes(content if damage == "flipped" else content[:100])
    (project / "recipe.yaml").write_text(SEEN.replace("more", "other").replace("seen]", "seen: {of: more}]"))
    command = [environment / "bin" / "python", "-m", "corpusmill", "run", "recipe.yaml", "--workers", "0"]

    completed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert (completed.returncode, shard.name in completed.stderr, "hint: " in completed.stderr) == (1, True, True), (
        completed.stderr
    )
    assert "mistake of corpusmill" not in completed.stderr


def test_the_parent_is_an_input_by_content(environment: Path, project: Path) -> None:
    """The first run has no parent; the second run reads the version of the first."""
    (project / "recipe.yaml").write_text(f"{SEEN.rstrip()}\nchecks: {{min_documents: 0}}\n")
    (first,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")

    (second,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")

    assert (counts(first), counts(second)) == ((6, 0), (0, 6))
    (steps_of_plan,) = corpusmill(environment, project, "plan", "recipe.yaml")
    reasons = {step["name"]: step["reason"] for step in steps_of_plan["steps"]}
    assert reasons["plain_html"] == "computed before"
    assert reasons["seen.published"] == "its files changed"


@pytest.mark.parametrize(
    ("of", "message"),
    [("more@nothing", "no data set 'more'"), ("./pages", "holds no version")],
)
def test_a_missing_version_is_refused_before_work_starts(
    environment: Path, project: Path, of: str, message: str
) -> None:
    """A usage error must not come after hours of work."""
    (project / "recipe.yaml").write_text(SEEN.replace("seen]", f"seen: {{of: '{of}'}}]"))
    command = [environment / "bin" / "python", "-m", "corpusmill", "run", "recipe.yaml"]

    completed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert (completed.returncode, message in completed.stderr) == (2, True), completed.stderr
    assert "hint: " in completed.stderr
    assert not (project / "corpus" / "tasks").exists()


def test_an_upgrade_of_a_distribution_is_noticed(environment: Path, project: Path, tmp_path: Path) -> None:
    """Only results that depend on its stages are computed again, and `plan` shows the reason."""
    corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
    try:
        install(environment, tmp_path / "upgraded", version="1.1")
        (planned,) = corpusmill(environment, project, "plan", "recipe.yaml")
        (again,) = corpusmill(environment, project, "run", "recipe.yaml", "--workers", "0")
    finally:
        install(environment, tmp_path / "restored")

    reasons = {step["name"]: step["reason"] for step in planned["steps"]}
    assert reasons["shouting"] == "changed: basis.tools.corpusmill-example-stages"
    assert reasons["plain_html"] == "computed before"
    assert cached(again)["plain_html"]
    assert not cached(again)["shouting"]


def test_inspect_shows_every_type(environment: Path, published: Published) -> None:
    """Users must be able to inspect all published columns."""
    documents = corpusmill(
        environment, published.project, "inspect", "example", "--where", '"shouting.is_loud" = false'
    )

    assert {row["first_word"]["word"] for row in documents} >= {"nobody"}
    assert all(isinstance(row["loud_words"], list) for row in documents)


@pytest.mark.engine
@pytest.mark.parametrize("engine", [pytest.param("spark", marks=pytest.mark.slow), "beam"])
def test_every_engine_gives_the_same_version(
    environment: Path, published: Published, project: Path, engine: str
) -> None:
    """The same recipe must give the same bytes with third-party stages too."""
    pytest.importorskip({"spark": "pyspark", "beam": "apache_beam"}[engine])
    (other,) = corpusmill(environment, project, "run", "recipe.yaml", "--workspace", engine, "--engine", engine)

    assert other["version"] == published.result["version"]
