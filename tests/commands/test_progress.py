"""All progress lines of a run have the same columns, so that stages can be compared."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from corpusmill.terminal.progress import WRITE, account_of
from tests.commands.conftest import Command
from tests.pipelines.planning.test_order import LATE, write_recipe

LINE = re.compile(r"  (\w+) +([\d,]+) in +([\d,]+) kept +(reused|[\d.]+ s)(?: +[\d,]+/s)?(?: +(\d[\d,]* \S.*))?")
TEXTS = [" ".join(f"In the year {n} the harbor was quiet and {n * 7} boats were out." for n in range(40))] * 3


def lines(error: str) -> list[tuple[str, str, str, str | None]]:
    """Return the stage, documents in, documents kept and rules of each line; fail if a line has another form."""
    matches = [LINE.fullmatch(line) for line in error.splitlines() if line.startswith("  ")]
    assert all(matches), error
    return [(m[1], m[2], m[3], m[5]) for m in matches if m]


def test_every_stage_has_one_line_and_internal_steps_have_none(command: Command, tmp_path: Path) -> None:
    """The input of a stage is the output of the stage before it, also if documents are compared."""
    for number, text in enumerate([*TEXTS, "", TEXTS[0] + "One word more than the other documents have."]):
        (tmp_path / f"{number}.txt").write_text(text)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        'dataset: d\nsources:\n  - load: {name: s, format: text, path: "*.txt"}\n'
        "stages: [normalize, exact_dedup, near_dedup]\nsplit: {train: 1.0, validation: 0.0, test: 0.0}\n"
    )

    first = command("run", recipe, "--workers", 0)
    again = command("run", recipe, "--workers", 0)

    assert lines(first.err) == [
        ("read", "5", "4", "1 error.empty"),
        ("normalize", "4", "4", None),
        ("identity", "4", "4", None),
        ("exact_dedup", "4", "2", "2 exact_dedup.duplicate"),
        ("near_dedup", "2", "1", "1 near_dedup.duplicate"),
        (WRITE, "1", "1", None),
    ]
    assert lines(again.err) == lines(first.err)
    assert again.err.count("reused") == 6


def test_a_corrected_recipe_is_run_with_a_line_that_says_why(command: Command, tmp_path: Path) -> None:
    """The hint of the first run is to correct the field; new files are a warning of `plan` and `run`."""
    (tmp_path / "a.jsonl").write_text('{"id": "1", "body": "one text"}\n')
    recipe = tmp_path / "recipe.yaml"
    source = "load: {name: s, format: jsonl, path: '*.jsonl'}"
    recipe.write_text(f"dataset: d\nsources:\n  - {source}\nstages: [normalize]\n")
    wrong = command("run", recipe, "--workers", 0)
    recipe.write_text(recipe.read_text().replace("path:", "text_field: body, path:"))

    plan = command("plan", recipe)
    run = command("run", recipe, "--workers", 0)
    (tmp_path / "b.jsonl").write_text('{"id": "2", "body": "another text"}\n')
    more = command("plan", recipe)

    change = "source `s`: `text_field` was `text` when `s` was first loaded and is `body` now"
    assert (wrong.code, run.code) == (3, 0)
    assert f"{change}\n" in plan.out
    assert "the definition of `s` changed" in plan.out
    assert f"\n{change}; its files are registered again\n" in run.err
    assert "warning: 1 new file matches `path` of the source `s`" in more.err


def test_load_and_plan_say_what_is_there_in_the_words_of_the_recipe(command: Command, tmp_path: Path) -> None:
    """`load` shows files, bytes, records, kinds and skipped files; `plan` shows stages, but no internal steps."""
    (tmp_path / "data").mkdir()
    for name in ("a.txt", "b.txt", "c.jpg"):
        (tmp_path / "data" / name).write_text("text " * 300)
    (tmp_path / "data" / "gone.txt").symlink_to("nowhere")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: d\nsources:\n  - load: {name: s, format: text, path: data}\nstages: [normalize, near_dedup]\n"
    )

    before = command("plan", recipe)
    load = command("load", recipe)
    plan = command("plan", recipe)

    assert "documents: about 2\n" in before.out
    assert load.out.splitlines() == [
        "s: registered in place as text: 2 files, 3.0 kB, 2 records (2 × .txt)",
        "  skipped 1 file that the format text does not read (1 × .jpg)",
        "  skipped 1 symbolic link: to folders, out of the folder, or broken",
    ]
    rows = [line.split() for line in plan.out.split("\n\n")[0].splitlines()]
    assert [row[0] for row in rows] == ["stage", "read", "normalize", "identity", "near_dedup", WRITE]
    assert [row[:3] for row in rows[1:5]] == [[row[0], "compute", "2"] for row in rows[1:5]]
    assert "documents: about 2\n" in plan.out
    assert not re.search(r" :|decisions|signatures", plan.out)


def test_plan_and_run_warn_about_an_order_that_is_rarely_intended(command: Command, tmp_path: Path) -> None:
    """`plan` says it before anything is computed."""
    recipe = write_recipe(tmp_path, "[near_dedup, extract]")

    assert LATE[0] in command("plan", recipe).err
    assert LATE[0] in command("run", recipe, "--workers", 0).err


@pytest.mark.parametrize(
    ("stage", "counters", "living", "expected"),
    [
        ("pii", {"law/pii/documents_in": 10, "law/pii/documents_out": 9, "law/pii/rule/pii.email": 1}, 10, (10, 9)),
        (
            "extract",
            {"law/read/documents_in": 10, "law/read/documents_out": 9, "law/extract/documents_out": 8},
            0,
            (10, 8),
        ),
        ("near_dedup", {"law/near_dedup/rule/near_dedup.duplicate": 3, "law/near_dedup/ledger": 3}, 10, (10, 7)),
        ("exact_dedup", {}, 10, (10, 10)),
        (WRITE, {"published/a": 4, "published/b": 3, "ledger/a": 2}, 7, (7, 7)),
    ],
)
def test_the_account_of_a_stage(stage: str, counters: dict[str, int], living: int, expected: tuple[int, int]) -> None:
    """Stages that compare documents only count rejected ones."""
    account = account_of(stage, Counter(counters), living=living)

    assert (account.taken, account.kept) == expected


def test_a_plan_estimates_files_before_they_are_registered_and_names_sites_it_cannot(
    command: Command, tmp_path: Path
) -> None:
    """A first plan is made before anything is there: it counts records of files, and writes nothing."""
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"text": "row {number}"}}\n' for number in range(500)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "dataset: d\nsources:\n  - load: {name: rows, format: jsonl, path: rows.jsonl}\n"
        '  - crawl: {name: site, start_urls: ["https://example.org/"], contact: "mailto:me@example.org"}\n'
        "stages: [normalize]\n"
    )

    plan = command("plan", recipe)

    assert "documents: about 500\n" in plan.out
    assert "to be crawled, and not part of the estimates: `site`\n" in plan.out
    assert not (tmp_path / "corpus" / "raw").exists()
