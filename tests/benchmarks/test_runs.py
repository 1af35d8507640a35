"""The scripts that measure whole runs: each works at its smallest size, and measures what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.runs.documents import documents, write_documents
from benchmarks.runs.engines import is_same
from benchmarks.runs.hard_inputs import KINDS
from benchmarks.runs.inputs import write_recipe
from benchmarks.runs.measuring import measure, size_of
from benchmarks.runs.plain_loop import PlainLoop, logical_hashes, plan_of
from corpusmill import acquisition
from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.workspace import Workspace
from tests.corpora import write_project
from tests.test_promises import hashes, run_once

ROOT = Path(__file__).parents[2]
FORMS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".warc", ".warc.gz")


def script(name: str, *arguments: str) -> str:
    """Call a script as a reader of its docstring does."""
    command = [sys.executable, "-m", f"benchmarks.runs.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestMadeDocuments:
    """Figures of different days are about the same input."""

    def test_fewer_documents_are_the_first_of_more(self) -> None:
        """So a small run is a part of a large one."""
        assert list(documents(20)) == list(islice(documents(50), 20))

    def test_size_and_near_duplicates_are_as_described(self) -> None:
        """A cost per document means little without its size."""
        made = list(documents(2_000))

        beginnings = {document["text"][:30] for document in made}
        assert 3_500 < sum(len(json.dumps(document)) for document in made) / len(made) < 3_900
        assert 0.12 < 1 - len(beginnings) / len(made) < 0.18

    @pytest.mark.parametrize("form", FORMS)
    def test_each_form_holds_all_records(self, tmp_path: Path, form: str) -> None:
        """One file is compared with the other."""
        path = tmp_path / f"documents{form}"
        write_documents(path, 30)

        recipe = write_recipe(path).read_text()
        loader = resolve(LOADERS[next(name for name in LOADERS if f"format: {name}," in recipe)])()
        assert sum(batch.num_rows for batch in loader.read(str(path), name=path.name)) == 30


class TestMeasuring:
    """What is not seen is not counted."""

    def test_a_process_that_outlives_its_parent_counts(self) -> None:
        """As Spark's Python workers do, which no parent waits for."""
        burn = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
        start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"

        cost = measure([sys.executable, "-c", start])

        assert cost.cpu_s > 0.5

    def test_memory_and_output_are_those_of_the_command(self) -> None:
        """The peak is that of the tree, and not of the script that measures."""
        cost = measure([sys.executable, "-c", "import time; a = b'x' * 10**8; time.sleep(0.7); print('done')"])

        assert 10**8 < cost.peak_bytes < 2 * 10**8
        assert cost.output == "done\n"

    def test_a_file_with_two_names_counts_once(self, tmp_path: Path) -> None:
        """A version shares its files with the tasks that wrote them."""
        (tmp_path / "one").write_bytes(b"12345")
        (tmp_path / "two").hardlink_to(tmp_path / "one")

        assert size_of(tmp_path) == (5, 1)


def test_the_plain_loop_writes_what_a_run_writes(tmp_path: Path) -> None:
    """An engine is compared with a loop that does all the work."""
    recipe = write_project(tmp_path / "project", count=60)
    made = plan_of(recipe, tmp_path / "loop")
    loop = PlainLoop(made.plan, tmp_path / "loop")

    loop.run()

    _, manifest = run_once(recipe, tmp_path / "run")
    assert logical_hashes(made, loop) == sorted(value for _, value in hashes(manifest))
    assert loop.cpu_s.keys() == {step.name for step in made.plan.steps}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recipe whose stages load no model."""
    path = tmp_path_factory.mktemp("made") / "documents.jsonl"
    write_documents(path, 20)
    recipe = write_recipe(path)
    recipe.write_text(re.sub(r"stages:\n.*?(?=shards)", "stages: [exact_dedup]\n", recipe.read_text(), flags=re.DOTALL))
    return str(recipe)


class TestScripts:
    """Each works as its docstring says."""

    def test_end_to_end_has_a_row_for_each_run(self, recipe: str) -> None:
        """In the form that is read beside each other."""
        printed = script("end_to_end", recipe, "--workers", "0")

        assert printed.splitlines()[-1].split()[:2] == ["this", "20"]

    @pytest.mark.slow
    def test_overhead_compares_a_run_with_a_loop_that_wrote_the_same(self, recipe: str) -> None:
        """Or it fails."""
        assert "times the CPU of the loop" in script("overhead", recipe, "--workers", "0")

    @pytest.mark.slow
    def test_disk_has_a_row_with_both_figures(self, recipe: str) -> None:
        """Estimate and truth of the peak, and of what stays."""
        printed = script("disk", recipe, "--workers", "0")

        names, figures = (line.split("  ") for line in printed.splitlines()[-2:])
        assert [name.strip() for name in names if name][2:6] == ["peak MB", "peak ratio", "kept MB", "kept ratio"]
        assert next(figure for figure in figures if figure) == "recipe"

    @pytest.mark.slow
    def test_each_hard_input_is_written_with_a_recipe(self, tmp_path: Path) -> None:
        """Which is read as one of a user is."""
        for number, kind in enumerate(KINDS.values()):
            folder = tmp_path / str(number)
            folder.mkdir()

            path = kind.recipe(folder, 0.01)

            assert read_recipe(path, Workspace(folder / "workspace"), acquisition()).recipe.dataset == "measured"

    @pytest.mark.slow
    def test_one_file_has_a_row_for_each_form(self) -> None:
        """With both times and the gain."""
        printed = script("one_file", "--documents", "20", "--formats", ".jsonl.gz", "--workers", "0", "1")

        assert printed.splitlines()[-1].startswith(".jsonl.gz")

    @pytest.mark.slow
    def test_kills_ends_with_equal_versions(self, recipe: str) -> None:
        """Wherever the run was killed."""
        printed = script("kills", recipe, "--kills", "1", "--publications", "1")

        assert printed.splitlines()[-1] in ("equal: 2", "equal: 1, too late: 1")

    def test_engines_compares_what_all_runs_published(self, recipe: str) -> None:
        """In a workspace and on a store."""
        printed = script("engines", recipe, "--engines", "local", "--stores", "none,file", "--workers", "0")

        assert printed.splitlines()[-1] == "all 2 runs published the same bytes"

    def test_runs_with_other_files_are_not_equal(self) -> None:
        """One version with two contents would be the fault that nobody sees."""
        row = {"version": "a", "files": {"train-00000.parquet": "1"}}

        assert is_same([row, row])
        assert not is_same([row, row | {"version": "b"}])
        assert not is_same([row, row | {"files": {"train-00000.parquet": "2"}}])
