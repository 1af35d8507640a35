"""Mutate pages at random and check the invariants of the reader.

    python -m benchmarks.extraction.fuzz --minutes 30                  runs mutated pages with the installed reader
    python -m benchmarks.extraction.fuzz --minutes 30 --sanitize       the same, with checks of every memory access
    python -m benchmarks.extraction.fuzz --check build/fuzz/3f2a.html  repeats one input; exits with 1 if it has a fault

Each input is a function of `--seed` and its number. `invariants.py` has the invariants, `mutations.py` the mutations. A
finding is minimized and written to `--findings`: the bytes, and a text file with the fault. `--sanitize` compiles the
reader with AddressSanitizer and UndefinedBehaviorSanitizer (GCC) into a temporary folder. Inputs run in a second
process, so a crash is a finding too.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
_READER: Final = "corpusmill.pipelines.stages.extract._reader"
_HANG_SECONDS: Final = 120
_SLOW_OF_SANITIZERS: Final = 12.0
_MAX_SIMILAR: Final = 3
"""Findings with similar messages that are kept."""
_STEPS: Final = 400
_STEPS_OF_CRASHES: Final = 120
"""Attempts to minimize a finding. For a crash, each attempt starts a process."""
_TREES: Final = 40
_BUILT_IN: Final = (
    b"<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>Harbour reopens</title>"
    b'<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "2024-05-01"}</script></head>'
    b"<body><nav><ul><li><a href=/>Home</a><li>News</ul></nav><article class=post id=p1><h1>Harbour reopens</h1>"
    b"<p class=byline>By <a rel=author href=/ann>Ann</a>, <time>May 1</time></p><p>The harbour reopened on <b>Tuesday"
    b"</b>, after a storm that closed it for nine days.<br>Pilots had surveyed the channel twice.</p><blockquote>One, "
    b"two.</blockquote><table><caption>Ships</caption><tr><th>Name<th>Day<tr><td>Ada<td>1</table><ol start=3><li>one"
    b"<li>two<ul><li>deep</ul></ol><pre>  x = 1\n\ty</pre><img src=a.png alt='a ship'></article><div id=comments><div "
    b"class=comment><p>Good news&hellip; &amp; more.</div></div><footer>&copy; 2024</footer></body></html>",
    "<html><body><h1>港は再開した</h1><p>港は九日間閉鎖された嵐の後、火曜日に再開した。</p><p>Порт открылся во "
    "вторник.</p><select><option>1<option>2</select><noscript><p>é&nbsp;ü</noscript>".encode(),
)


# ---- pages and readers -----------------------------------------------------------------------------------------------


def pages_of(path: Path | None) -> list[bytes]:
    """Return two small built-in pages, and the pages of a Parquet file with a column `html` if it exists."""
    if path is None or not path.exists():
        return list(_BUILT_IN)
    import pyarrow.parquet as pq

    return [*_BUILT_IN, *pq.read_table(path, columns=["html"])["html"].to_pylist()]


def random_model(seed: int) -> Any:
    """Return a model of random trees, which keeps some blocks of any page and uses every feature."""
    import numpy as np

    from corpusmill.pipelines.stages.extract import _reader

    rng = np.random.default_rng(seed)

    def stage(columns: int) -> tuple[int, int, bytes, bytes, bytes]:
        features = rng.integers(0, columns, 6 * _TREES).astype("<i4")
        borders = (10.0 ** rng.uniform(-2, 4, 6 * _TREES)).astype("<f4")
        leaves = rng.integers(-3_000, 3_000, 64 * _TREES).astype("<i4")
        return 6, 0, features.tobytes(), borders.tobytes(), leaves.tobytes()

    words = {
        key for key, _ in [*_reader.name_words("comment author post nav body date"), *_reader.text_words("no word six")]
    }
    lexicon = b"".join(key.to_bytes(4, "little") + b"\x64\xff" for key in sorted(words))
    chances = np.linspace(0, 65_535, 4_096).astype("<u2").tobytes()
    stages = (stage(_reader.FIRST_COUNT), stage(len(_reader.FEATURES)))
    return _reader.Model(names=lexicon, words=lexicon, stages=stages, chances=chances)


def load_reader(path: Path) -> None:
    """Use the module at *path* as the reader in this process."""
    spec = importlib.util.spec_from_file_location(_READER, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_READER] = module
    spec.loader.exec_module(module)


def sanitized_reader(folder: Path) -> tuple[Path, dict[str, str]]:
    """Compile the reader with sanitizers into *folder*. Return its path and the environment that it needs."""
    native = _ROOT / "pipelines/stages/extract/native"
    built = folder / "_reader.abi3.so"
    flags = (
        "-O1 -g -fPIC -shared -std=c11 -ffp-contract=off -fno-omit-frame-pointer -fsanitize=address,undefined".split()
    )
    include = f"-I{sysconfig.get_path('include')}"
    sources = sorted(map(str, native.glob("*.c")))
    subprocess.run(["gcc", *flags, "-fno-sanitize-recover=all", include, *sources, "-o", str(built)], check=True)
    name = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    options = (
        "exitcode=99:detect_leaks=0:allocator_may_return_null=1:hard_rss_limit_mb=6000:detect_stack_use_after_return=1"
    )
    return built, {
        "LD_PRELOAD": name,
        "ASAN_OPTIONS": options,
        "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


def use_random_model_if_needed(model: Any) -> None:
    """Use *model* for pages if the shipped model was trained for another version of the reader."""
    from corpusmill.pipelines.stages.extract import page
    from corpusmill.pipelines.stages.extract.model_file import shipped
    from corpusmill.schemas.errors import DamagedFileError

    try:
        shipped()
    except DamagedFileError as error:
        print(f"using a random model: {error}", file=sys.stderr)
        setattr(page, "shipped", lambda: model)  # noqa: B010 - the type checker takes it for a constant


# ---- findings --------------------------------------------------------------------------------------------------------


def smaller(data: bytes, is_finding: Callable[[bytes], bool], steps: int) -> bytes:
    """Delete stretches of *data*, halves first, while it remains a finding, in at most *steps* attempts."""
    size = max(1, len(data) // 2)
    while steps > 0:
        start, before = 0, len(data)
        while start < len(data) and steps > 0:
            shorter = data[:start] + data[start + size :]
            steps -= 1
            if is_finding(shorter):
                data = shorter
            else:
                start += size
        if size == 1 and len(data) == before:
            break
        size = max(1, size // 2)
    return data


def message_pattern(message: str) -> str:
    """Return *message* without numbers and quoted text, which differ between inputs."""
    return re.sub(r"0x[0-9a-f]+|\d+|'.*?'", "#", message)[:80]


class Findings:
    """A folder of inputs that have faults, and their messages."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seen = folder, dict[str, int]()

    def is_new(self, message: str) -> bool:
        """Count *message* and return whether few similar messages came before."""
        key = message_pattern(message)
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key] <= _MAX_SIMILAR

    def write(self, data: bytes, messages: Sequence[str]) -> Path:
        """Write an input and a text file with its faults. Return the path of the input."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:12]}.html"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text("\n".join(messages) + "\n", encoding="utf-8")
        return path


# ---- the worker process ----------------------------------------------------------------------------------------------


def work(args: argparse.Namespace) -> None:
    """Run inputs from number `args.start` on until `args.until`. The file *current* contains the input being run."""
    from benchmarks.extraction.invariants import faults
    from benchmarks.extraction.mutations import mutated

    pages, model, findings = pages_of(args.pages), random_model(args.seed), Findings(args.findings)
    use_random_model_if_needed(model)
    current, number, bytes_read = Path(args.state, "current"), args.start, 0
    while time.time() < args.until:
        data = mutated(random.Random(f"{args.seed} {number}"), pages)
        current.write_bytes(data)
        faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
        messages = faults(data, model, slow=args.slow)
        faulthandler.cancel_dump_traceback_later()
        number, bytes_read = number + 1, bytes_read + len(data)
        Path(args.state, "progress").write_text(json.dumps([number, bytes_read]), encoding="utf-8")
        if messages and findings.is_new(messages[0]):
            small = smaller(data, partial(_has_fault, message_pattern(messages[0]), model, args.slow), _STEPS)
            print(findings.write(small, messages), messages[0], flush=True)


def _has_fault(pattern: str, model: Any, slow: float, data: bytes) -> bool:
    from benchmarks.extraction.invariants import faults

    return pattern in map(message_pattern, faults(data, model, slow=slow))


def check(args: argparse.Namespace) -> int:
    """Run one file; return 1 if it has a fault, else 0."""
    from benchmarks.extraction.invariants import faults

    model = random_model(args.seed)
    use_random_model_if_needed(model)
    faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
    messages = faults(args.check.read_bytes(), model, slow=args.slow)
    print("\n".join(messages) or "no fault")
    return 1 if messages else 0


# ---- the supervising process -----------------------------------------------------------------------------------------


def command(args: argparse.Namespace, *more: str) -> list[str]:
    reader = ["--reader", str(args.reader)] if args.reader else []
    pages = ["--pages", str(args.pages)] if args.pages else []
    fixed = ["--seed", str(args.seed), "--slow", str(args.slow), "--findings", str(args.findings), *reader, *pages]
    return [sys.executable, "-m", "benchmarks.extraction.fuzz", *fixed, *more]


def watch(args: argparse.Namespace, environment: dict[str, str]) -> int:
    """Start workers until the time is over, a new one after each crash. Return the number of findings."""
    until, start, total, crashes = time.time() + 60 * args.minutes, 0, 0, 0
    findings = Findings(args.findings)
    with tempfile.TemporaryDirectory() as state:
        while time.time() < until:
            more = ["--state", state, "--start", str(start), "--until", str(until)]
            ended = subprocess.run(command(args, *more), env=environment, cwd=_ROOT, stderr=subprocess.PIPE, text=True)
            if not Path(state, "progress").exists():
                raise SystemExit(f"the worker did not start:\n{ended.stderr}")
            start, size = json.loads(Path(state, "progress").read_text(encoding="utf-8"))
            total += size
            if ended.returncode:
                crashes += 1
                start += 1
                _keep_crash(args, environment, Path(state, "current").read_bytes(), ended.stderr, findings)
    kept = len(list(args.findings.glob("*.html"))) if args.findings.exists() else 0
    print(
        f"{start} inputs, {total / 1e6:.0f} MB, {args.minutes:g} minutes: {crashes} crashes, {kept} findings kept",
        flush=True,
    )
    return kept


def _keep_crash(
    args: argparse.Namespace, environment: dict[str, str], data: bytes, message: str, findings: Findings
) -> None:
    summary = next(
        (line for line in message.splitlines() if "ERROR" in line or "runtime error" in line), message[-200:]
    )
    print(f"crash: {summary}", flush=True)
    if not findings.is_new(summary):
        return

    def crashes(tried: bytes) -> bool:
        with tempfile.NamedTemporaryFile(suffix=".html") as file:
            file.write(tried)
            file.flush()
            ran = subprocess.run(command(args, "--check", file.name), env=environment, cwd=_ROOT, capture_output=True)
            return ran.returncode not in (0, 1)

    small = smaller(data, crashes, _STEPS_OF_CRASHES) if crashes(data) else data
    print(findings.write(small, [message]), flush=True)


def _default_pages() -> Path:
    shared = os.environ.get("CORPUSMILL_SHARED")
    return (Path(shared) if shared else _ROOT.parent / "shared") / "data/extraction/public.parquet"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pages", type=Path, default=_default_pages(), help="Parquet file with a column `html`")
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--check", type=Path, metavar="FILE", help="run this input only")
    for hidden in ("--reader", "--state"):
        parser.add_argument(hidden, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--slow", type=float, default=1.0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    args = _arguments()
    args.findings = args.findings.absolute()
    if args.reader and not args.sanitize:
        load_reader(args.reader)
    if args.state:
        work(args)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if args.sanitize:
            args.reader, more = sanitized_reader(Path(folder))
            args.slow, args.sanitize = _SLOW_OF_SANITIZERS, False
            environment |= more
            if args.check:
                return subprocess.run(command(args, "--check", str(args.check)), env=environment, cwd=_ROOT).returncode
        return check(args) if args.check else min(1, watch(args, environment))


if __name__ == "__main__":
    raise SystemExit(main())
