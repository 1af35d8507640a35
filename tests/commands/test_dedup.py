"""`corpusmill dedup`: options, exit codes, and a run that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.commands import dedup
from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.engines.driver import Silent
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.file_dedup.ranks import Keep
from corpusmill.pipelines.file_dedup.run import deduplicate
from corpusmill.pipelines.stages.dedup import near
from tests.commands.conftest import Command
from tests.pipelines.file_dedup.files import (
    content,
    job,
    kept,
    ledger,
    records,
    removed_of,
    run,
    text,
    write_lines,
    write_parquet,
)


def test_options_are_those_of_the_stage() -> None:
    """The command repeats them, because its help must not import the stage."""
    assert get_args(Keep) == dedup.KEEP
    assert near.MIN_THRESHOLD == dedup.MIN_THRESHOLD
    assert near.NearDedup().threshold == 0.8


def test_json_has_the_counts_of_the_contract(command: Command, tmp_path: Path) -> None:
    """A folder, a pattern and a file may name the same file: it is read once."""
    write_parquet(tmp_path / "in" / "a.parquet", records())

    answer = command("dedup", "in", "in/*.parquet", "in/a.parquet", "--out", "out", "--json")

    assert answer.code == 0
    figures = json.loads(answer.out)
    assert {name: figures[name] for name in ("read", "kept", "removed", "pairs")} == {
        **{"read": 30, "kept": 20, "removed": 10, "pairs": 10},
    }
    assert pq.read_schema(next((tmp_path / "out").glob("ledger-*"))).names[:3] == ["id", "duplicate_of", "similarity"]
    assert {row["id"] for row in ledger(tmp_path / "out")} == removed_of()
    assert [line.split()[:3] for line in answer.err.splitlines()] == [
        ["read", "30", "in"],
        ["near_dedup", "30", "in"],
        ["write", "20", "in"],
    ]


def test_the_result_names_the_folder(command: Command, tmp_path: Path) -> None:
    """With `--quiet`, only the result and warnings are printed."""
    write_lines(tmp_path / "a.jsonl", [*records(3), "{"])

    answer = command("dedup", "a.jsonl", "--out", "out", "-q")

    assert answer.out == "kept 2 of 4 records, 1 removed as near duplicates, 1 set aside\n  out\n"
    assert answer.err == "warning: 1 record could not be read: the ledger says why (`rule`, `message`)\n"
    assert not list((tmp_path / "out").glob(".*"))


def test_threshold_and_columns_are_options(command: Command, tmp_path: Path) -> None:
    """At a lower threshold, more is similar."""
    rows = [{"name": name, "body": text(1, changed=changed)} for name, changed in (("a", 0), ("b", 12))]
    write_lines(tmp_path / "a.jsonl.gz", rows)
    options = ("--column", "body", "--id-column", "name", "--json")

    counts = [
        json.loads(command("dedup", "a.jsonl.gz", "--out", f"out{number}", "--threshold", number, *options).out)
        for number in (0.8, 0.5)
    ]

    assert [figures["removed"] for figures in counts] == [0, 1]


def test_against_a_folder(command: Command, tmp_path: Path) -> None:
    """The folder is read, not written."""
    write_parquet(tmp_path / "known" / "a.parquet", [{"id": 7, "text": text(1)}])
    write_parquet(tmp_path / "new.parquet", [{"id": 1, "text": text(1, changed=1)}, {"id": 2, "text": text(2)}])

    answer = command("dedup", "new.parquet", "--against", "known", "--out", "out", "--keep", "longest")

    assert answer.code == 0
    assert [(row["id"], row["duplicate_of"]) for row in ledger(tmp_path / "out")] == [(1, 7)]
    assert [row["id"] for row in kept(tmp_path / "out")] == [2]
    assert len(content(tmp_path / "known")) == 1


def test_an_earlier_output_is_a_reference(command: Command, tmp_path: Path) -> None:
    """Its ledger is not read. Records of the reference that cannot be read are in no ledger, so they are a warning."""
    write_lines(tmp_path / "one.jsonl", records(6))
    write_lines(tmp_path / "two.jsonl", [*records(3), "{"])
    write_parquet(tmp_path / "three.parquet", records(9))

    assert command("dedup", "one.jsonl", "--out", "first").code == 0
    again = command("dedup", "three.parquet", "--against", "first", "--out", "second", "--json")
    broken = command("dedup", "one.jsonl", "--against", "two.jsonl", "--out", "third", "-q")

    assert json.loads(again.out)["kept"] == 2
    assert broken.err.startswith("warning: 1 record of `--against` could not be read, the first one: two.jsonl, byte ")
    assert broken.out.startswith("kept 2 of 6 records")


def test_a_reference_may_have_the_other_format(command: Command, tmp_path: Path) -> None:
    """The output of this command is Parquet, whatever it was made from. Ids that differ in type become texts."""
    write_lines(tmp_path / "new.jsonl", records(6))
    write_parquet(tmp_path / "new.parquet", [{"id": 1, "text": text(1)}, {"id": 2, "text": text(2)}])
    write_parquet(tmp_path / "known.parquet", [{"id": 7, "text": records(6)[0]["text"]}])
    write_lines(tmp_path / "known.jsonl", [{"id": 8, "text": text(1)}, {"id": "eight", "text": text(2)}])

    both = ("--against", "known.parquet", "--against", "known.jsonl")
    assert command("dedup", "new.jsonl", *both, "--out", "of_lines").code == 0
    assert command("dedup", "new.parquet", "--against", "known.jsonl", "--out", "of_parquet").code == 0

    assert [(row["id"], row["duplicate_of"]) for row in ledger(tmp_path / "of_parquet")] == [("1", "8"), ("2", "eight")]
    assert {row["id"]: row["duplicate_of"] for row in ledger(tmp_path / "of_lines")}["r0000"] == "7"


def test_numbers_of_both_formats_stay_numbers(command: Command, tmp_path: Path) -> None:
    """The widest type holds them all."""
    narrow = pa.schema([("id", pa.int32()), ("text", pa.string())])
    write_parquet(tmp_path / "new.parquet", [{"id": 1, "text": text(1)}], narrow)
    write_lines(tmp_path / "known.jsonl", [{"id": 2**40, "text": text(1)}])

    assert command("dedup", "new.parquet", "--against", "known.jsonl", "--out", "out").code == 0

    assert [(row["id"], row["duplicate_of"]) for row in ledger(tmp_path / "out")] == [(1, 2**40)]


def test_a_published_version_is_a_reference(command: Command, tmp_path: Path) -> None:
    """Of its files, those with documents are read, which the manifest lists."""
    folder = tmp_path / "versions" / "d" / "1"
    write_parquet(folder / "train-00000-of-00001.parquet", records(3)[:1])
    write_parquet(folder / "ledger-00000-of-00001.parquet", [{"id": "x", "rule": "y"}])
    (folder / "croissant.json").write_text("{}")
    (folder / "manifest.json").write_text('{"dataset": "d", "files": [{"path": "train-00000-of-00001.parquet"}]}')
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"id": "z", "text": "a manifest of something else"}')
    write_lines(tmp_path / "new.jsonl", records(3))

    answer = command("dedup", "new.jsonl", "--against", "versions", "--against", "other", "--out", "out", "--json")

    figures = json.loads(answer.out)
    assert (figures["reference"], figures["kept"]) == (2, 1)


def test_what_was_read_in_another_way_is_a_warning(command: Command, tmp_path: Path) -> None:
    """A record without text, a time that is none, and values that no column can hold change no exit code."""
    rows = [
        {"id": "a", "text": 5, "fetched_at": "2024-01-01"},
        {"id": "b", "text": "b", "fetched_at": "soon"},
        '{"id": "c", "text": "c", "n": [{"x": 1e999}]}',
        '{"id": "d", "text": "d", "s": "\\ud800"}',
        '{"id": "e", "text": "e", "s": "\\ud83d\\ude00", "fetched_at": null}',
    ]
    write_lines(tmp_path / "in.jsonl", rows)
    columns = {"id": ["a", "b", "c"], "text": [None, "b", "c"], "fetched_at": ["2024-01-01", "soon", None]}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")

    lines = command("dedup", "in.jsonl", "--out", "of_lines", "--json", "-q")
    parquet = command("dedup", "in.parquet", "--out", "of_parquet", "--json", "-q")

    names = ("kept", "without_text", "without_time", "changed")
    assert [json.loads(lines.out)[name] for name in names] == [5, 1, 1, 2]
    assert [json.loads(parquet.out)[name] for name in names] == [3, 1, 1, 0]
    assert lines.err.splitlines() == [
        "warning: 1 record without text in `text`: kept, and a duplicate of none",
        "warning: 1 record whose `fetched_at` is not a time: ordered like those without one",
        "warning: 2 records with values that no column can hold: half a surrogate pair became U+FFFD, a number beyond "
        "1.8e308 infinite",
    ]


def test_a_store_is_not_written(command: Command, tmp_path: Path) -> None:
    """The option is one of all commands, so it is answered."""
    write_lines(tmp_path / "in.jsonl", records(3))

    answer = command("dedup", "in.jsonl", "--out", "out", "--store", "s3://bucket", "-q")

    assert answer.err == "warning: `--store` has no effect: `dedup` reads and writes files of this machine\n"
    assert answer.code == 0


def test_a_folder_of_links_is_read_like_its_targets(command: Command, tmp_path: Path) -> None:
    """Caches of downloads are such folders; the targets there have no suffix. A file with two paths is read once."""
    write_lines(tmp_path / "blobs" / "1f", records(6))
    write_lines(tmp_path / "blobs" / "2e", records(9)[6:])
    (tmp_path / "in" / "more").mkdir(parents=True)
    for name, target in (("a.jsonl", "../blobs/1f"), ("b.jsonl", "a.jsonl"), ("more/c.jsonl", "../../blobs/2e")):
        (tmp_path / "in" / name).symlink_to(target)
    (tmp_path / "in" / "loop").symlink_to(".")
    write_lines(tmp_path / "same" / "a.jsonl", records(6))
    write_lines(tmp_path / "same" / "more" / "c.jsonl", records(9)[6:])

    linked = command("dedup", "in", "--out", "one", "--json")
    same = command("dedup", "same", "--out", "two", "--json")

    assert json.loads(linked.out) == {**json.loads(same.out), "out": "one"}
    assert json.loads(linked.out)["read"] == 9
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_memory_and_workers_change_no_byte(command: Command, tmp_path: Path) -> None:
    """A bound on memory needs a process that is watched."""
    write_parquet(tmp_path / "a.parquet", records())

    for number, options in enumerate(([], ["--workers", "2"], ["--memory", "500MB", "--workers", "1"])):
        assert command("dedup", "a.parquet", "--out", f"out{number}", *options).code == 0

    assert content(tmp_path / "out0") == content(tmp_path / "out1") == content(tmp_path / "out2")


def _write_files(folder: Path) -> None:
    row = {"id": "a", "text": text(1), "n": 1, "at": b"x", "share": 0.5}
    write_parquet(folder / "a.parquet", [row])
    write_parquet(folder / "texts.parquet", [{"id": "b", "txt": text(1)}])
    write_parquet(folder / "typed.parquet", [{**row, "id": "c", "n": "one"}])
    write_parquet(folder / "whole.parquet", [{"id": 3, "text": text(1)}])
    write_parquet(folder / "named.parquet", [{"text": text(1)}])
    ids = pa.schema([("id", pa.uint64()), ("text", pa.string())])
    write_parquet(folder / "large.parquet", [{"id": 3, "text": text(1)}], ids)
    write_lines(folder / "a.jsonl", [row | {"at": None}])
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("text")
    (folder / "broken.parquet").write_bytes(b"PAR1 broken")
    (folder / "other.parquet").write_bytes(b"text")
    (folder / "notes.txt").write_text("text")
    (folder / "links").mkdir()
    (folder / "links" / "b.parquet").symlink_to("gone.parquet")
    (folder / "full").mkdir()
    (folder / "full" / "file").touch()
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 2, names=["text", "text"]), folder / "twice.parquet")


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        ("--out o", 2, "Missing argument 'PATH...'", "`corpusmill dedup --help`"),
        ("a.parquet", 2, "Missing option '--out'", "`corpusmill dedup --help`"),
        ("gone.parquet --out o", 2, "`PATH`: no file matches gone.parquet", ""),
        ("links --out o", 2, "links/b.parquet: `PATH`: broken link: its target gone.parquet", "restore its target"),
        ("a.parquet --against gone --out o", 2, "`--against`: no file matches gone", ""),
        ("texts.parquet --out o", 2, "has no column `text`; it has `id`, `txt`", "did you mean `--column txt`?"),
        ("a.parquet --column n --out o", 2, "the column `n` has the type int64, not text", "`--column NAME`"),
        ("a.parquet --id-column idd --out o", 2, "has no column `idd`", "did you mean `--id-column id`?"),
        ("a.parquet --id-column at --out o", 2, "the type binary, which cannot be an id", "`--id-column NAME`"),
        ("a.parquet named.parquet --out o", 2, "named.parquet: has no column `id`", "`--id-column NAME`"),
        ("a.jsonl --column body --out o", 2, "has no column `body`; it has `id`, `text`, `n`", "`--column"),
        ("a.parquet a.jsonl --out o", 2, "the files are of two formats", "`DIR/*.parquet`"),
        ("large.parquet --against a.jsonl --out o", 2, "the column `id` has the type uint64", "as int64 or as texts"),
        ("a.parquet --id-column share --out o", 2, "the type double, which cannot be an id", "`--id-column NAME`"),
        ("a.parquet typed.parquet --out o", 2, "the column `n` has the type string, but int64 in", "one type"),
        ("a.parquet --against whole.parquet --out o", 2, "the column `id` has the type int64, but string", "one type"),
        ("twice.parquet --out o", 2, "two columns have the name `text`", "a name of its own"),
        ("notes.txt --out o", 2, "notes.txt: neither Parquet nor JSON Lines", ".jsonl"),
        ("broken.parquet --out o", 1, "broken.parquet: not a readable Parquet file", "write it again"),
        ("other.parquet --out o", 1, "other.parquet: not a readable Parquet file", "write it again"),
        ("a.parquet --out s3://bucket/o", 2, "`--out`: s3:// is not a folder of this machine", "local folder"),
        ("a.parquet --out a.parquet", 2, "`--out`: a.parquet is a file", "folder"),
        ("a.parquet --out notes.txt/o", 2, "notes.txt/o cannot be made: Not a directory", "may write"),
        ("texts --out o", 2, "it has .txt", "name a folder that has one"),
        ("a.parquet --out full", 2, "`--out`: full is not empty; it has file", "name another folder"),
        ("a.parquet --out notes.txt", 2, "`--out`: notes.txt is a file", "folder"),
        ("a.parquet --out .", 2, "`PATH`: all files are in .", "`--out DIR`"),
        ("a.parquet --out o --threshold 0.1", 2, "`--threshold`: expected a number from 0.3 to 1", "`--threshold 0.8`"),
        ("a.parquet --out o --threshold nan", 2, "`--threshold`: expected a number from 0.3 to 1", "`--threshold 0.8`"),
        ("a.parquet --out o --keep first", 2, "`--keep`: `first` is not allowed", "oldest, newest, longest"),
        ("a.parquet --out o --memory 1kB", 2, "--memory of 1,000 bytes is below the minimum", "--memory 400MB"),
    ],
)
def test_wrong_use_is_answered_before_any_work(
    command: Command, tmp_path: Path, arguments: str, code: int, message: str, hint: str
) -> None:
    """Nothing is created, and the hint says what to write instead."""
    _write_files(tmp_path)

    answer = command("dedup", *arguments.split())

    shown, _, advice = answer.err.partition("\n\nhint: ")
    assert message in shown
    assert hint in advice
    assert answer.code == code
    assert not (tmp_path / "o").exists()


def _write_chains(folder: Path) -> Path:
    """Write families of three: the second is a duplicate of the first, and the third one of the second alone.

    The third one is compared with the first only after the second is removed, so that there are two rounds.
    """
    rows = []
    for family in range(200):
        first = [f"f{family}w{number}" for number in range(60)]
        second = [*(f"x{family}y{number}" for number in range(6)), *first[6:]]
        texts = (first, second, [*second[:-1], "last"])
        rows += [
            {"id": f"{family:03}{name}", "text": " ".join(words)} for name, words in zip("abc", texts, strict=True)
        ]
    return write_lines(folder / "chains.jsonl", rows)


def _start(folder: Path, *arguments: Any) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "corpusmill", "dedup", *map(str, arguments)]
    return subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_repeated_ids_have_an_exit_code(tmp_path: Path) -> None:
    """The first ones are named, in the real command."""
    write_lines(tmp_path / "a.jsonl", [{"id": "a", "text": text(number)} for number in range(2)])

    process = _start(tmp_path, "a.jsonl", "--out", "out", "--json")
    out, err = process.communicate(timeout=60)

    assert process.returncode == 3
    error = json.loads(out)["error"]
    assert error["message"].startswith("1 id occurs more than once in `id`: a; a is in /")
    assert "`--id-column NAME`" in error["hint"]
    assert "Traceback" not in err


def test_a_number_and_its_text_are_one_id(command: Command, tmp_path: Path) -> None:
    """The output has one column of ids, in which they would be equal."""
    write_lines(tmp_path / "in.jsonl", [{"id": 1, "text": text(1)}, {"id": "1", "text": text(2)}])

    answer = command("dedup", "in.jsonl", "--out", "out")

    assert answer.code == 3
    assert "1 id occurs more than once in `id`: 1" in answer.err


def test_several_references_count(command: Command, tmp_path: Path) -> None:
    """Naming a second one must not drop the first one."""
    write_lines(tmp_path / "in.jsonl", [{"id": name, "text": text(number)} for number, name in enumerate("abc")])
    for number in range(2):
        write_lines(tmp_path / f"known{number}.jsonl", [{"id": f"k{number}", "text": text(number)}])

    answer = command(
        "dedup", "in.jsonl", "--against", "known0.jsonl", "--against", "known1.jsonl", "--out", "out", "--json"
    )

    figures = json.loads(answer.out)
    assert (figures["reference"], figures["kept"], figures["removed"]) == (2, 1, 2)


def test_columns_of_views_are_written_as_plain_ones(command: Command, tmp_path: Path) -> None:
    """Arrow cannot filter views, not even within lists."""
    views = pa.list_(pa.string_view())
    table = pa.table(
        {
            "id": pa.array(["a", "b"], pa.string_view()),
            "text": pa.array([text(1), text(1)], pa.string_view()),
            "bytes": pa.array([b"x", b"y"], pa.binary_view()),
            "tags": pa.array([["one"], None], views),
            "pair": pa.array([{"left": "l"}, None], pa.struct([("left", pa.string_view())])),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")

    answer = command("dedup", "in.parquet", "--out", "out")

    assert answer.code == 0
    assert kept(tmp_path / "out") == [
        {"id": "a", "text": text(1), "bytes": b"x", "tags": ["one"], "pair": {"left": "l"}}
    ]


@pytest.mark.parametrize("moment", [".dedup/job.json", ".dedup/steps/*", ".dedup/tasks/*/*.kept.parquet*"])
def test_a_killed_run_is_finished_by_the_same_command(tmp_path: Path, moment: str) -> None:
    """It never looks finished before, and the bytes are those of a run that was not killed."""
    write_lines(tmp_path / "a.jsonl", records(6000))
    run([tmp_path / "a.jsonl"], tmp_path / "whole")

    process = _start(tmp_path, "a.jsonl", "--out", "out")
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(moment)) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "out" / ".dedup").exists()
    again = _start(tmp_path, "a.jsonl", "--out", "out")
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert content(tmp_path / "out") == content(tmp_path / "whole")


class _Computed(Silent):
    """Collects the names of the steps that have tasks to compute."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        if missing:
            self.names.append(step.name)


def test_a_run_that_is_killed_between_rounds_reuses_the_first_one(tmp_path: Path) -> None:
    """Rounds have addresses of their own, so the same command goes on inside the repetition."""
    file = _write_chains(tmp_path)
    whole, rest = _Computed(), _Computed()
    deduplicate(job([file]), tmp_path / "whole", LocalEngine(0), observer=whole)
    first_round = whole.names.index("near_dedup.rounds.decided@1") + 1
    assert "near_dedup.rounds.decided@2" in whole.names

    process = _start(tmp_path, file, "--out", "out")
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out").glob(".dedup/steps/*/*.json"))) < first_round and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    figures = deduplicate(job([file]), tmp_path / "out", LocalEngine(0), observer=rest)

    assert process.returncode == -signal.SIGKILL
    assert rest.names == whole.names[-len(rest.names) :]
    assert 0 < len(rest.names) <= len(whole.names) - first_round
    assert figures["kept"] == 400
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_disk_that_is_full_is_an_answer(tmp_path: Path) -> None:
    """The limit on the size of files stands for it: the output looks unfinished, and the same command goes on."""
    write_lines(tmp_path / "a.jsonl", records(6000))
    command = [sys.executable, "-m", "corpusmill", "dedup", "a.jsonl", "--out", "out", "--json"]

    limited = ["bash", "-c", 'ulimit -f 100; trap "" XFSZ; exec "$@"', "-", *command]
    full = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert full.returncode == 5
    error = json.loads(full.stdout)["error"]
    assert "hint" in error
    assert "Traceback" not in full.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".dedup"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert json.loads(again.stdout)["kept"] == 4000
