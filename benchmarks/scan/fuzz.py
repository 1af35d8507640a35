"""Mutate pages at random and compare the crawler's scan in C with the reference in Python.

    python -m benchmarks.scan.fuzz --minutes 10              compares the installed extension
    python -m benchmarks.scan.fuzz --minutes 10 --sanitize   the same, with checks of every memory access
    python -m benchmarks.scan.fuzz --check build/scan/input  repeats one input

Each input is a function of `--seed` and its number. The last one stays in `--folder`; after a difference or a crash,
that is the one to repeat. `--sanitize` compiles the extension with AddressSanitizer and UndefinedBehaviorSanitizer of
GCC into a temporary folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.extraction.fuzz import pages_of
from benchmarks.extraction.mutations import mutated
from tests.crawlers import reference_scan

_ROOT: Final = Path(__file__).parents[2]
_HANG_SECONDS: Final = 60
_AGENT: Final = "corpusmill"
_FLAGS: Final = "-O1 -g -fPIC -shared -std=c11 -fno-omit-frame-pointer -fsanitize=address,undefined".split()


def differences(scan: Any, data: bytes, rng: random.Random) -> list[str]:
    """Return the functions of the extension *scan* that differ from the reference for the page *data*."""
    text = data.decode("utf-8", "replace")
    most = rng.choice([0, 10, 1_000, 200_000])
    page = scan.scan(text, _AGENT, most)
    words, own = page[4].lower(), text[:60].lower()
    sketch = scan.sketch(words, own, 4_096)
    halves = [scan.sketch(words[: len(words) * part // 4], "", 4_096) for part in range(5)]
    compared = rng.choice([1, 16, 128])
    results = {
        "scan": page == reference_scan.scan(text, _AGENT, most),
        "declarations": scan.declarations(text) == reference_scan.declarations(text),
        "sketch": sketch == reference_scan.sketch(words, own, 4_096),
        "same": scan.same(sketch, halves, compared, 0.9) == reference_scan.same(sketch, halves, compared, 0.9),
    }
    return [name for name, is_equal in results.items() if not is_equal]


def run(args: argparse.Namespace, scan: Any) -> int:
    """Compare inputs until the time is over, or one differs."""
    pages, until, number, size = pages_of(args.pages), time.time() + 60 * args.minutes, args.start, 0
    args.folder.mkdir(parents=True, exist_ok=True)
    while time.time() < until:
        rng = random.Random(f"{args.seed} {number}")
        data = mutated(rng, pages)
        (args.folder / "input").write_bytes(data)
        faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
        if names := differences(scan, data, rng):
            print(f"input {number} differs: {', '.join(names)}", flush=True)
            return 1
        faulthandler.cancel_dump_traceback_later()
        number, size = number + 1, size + len(data)
    print(f"{number - args.start:,} inputs, {size / 1e6:,.0f} MB, no difference", flush=True)
    return 0


def module_at(path: Path) -> Any:
    """Import the extension at *path*."""
    spec = importlib.util.spec_from_file_location("_scan", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_sanitizers(folder: Path) -> int:
    """Compile the extension into *folder* and run this program with it."""
    built = folder / "_scan.abi3.so"
    sources = sorted(map(str, (_ROOT / "crawlers/native").glob("*.c")))
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run(["gcc", *_FLAGS, "-fno-sanitize-recover=all", include, *sources, "-o", str(built)], check=True)
    library = subprocess.check_output(["gcc", "-print-file-name=libasan.so"], text=True).strip()
    environment = os.environ | {
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }
    arguments = [one for one in sys.argv[1:] if one != "--sanitize"]
    command = [sys.executable, "-m", "benchmarks.scan.fuzz", *arguments, "--module", str(built)]
    return subprocess.run(command, env=environment, cwd=_ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("CORPUSMILL_SHARED", _ROOT.parent / "shared"))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--pages", type=Path, default=shared / "data/extraction/public.parquet")
    parser.add_argument("--folder", type=Path, default=_ROOT / "build/scan")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare this input only")
    parser.add_argument("--module", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.sanitize:
        with tempfile.TemporaryDirectory() as folder:
            return with_sanitizers(Path(folder))
    from corpusmill.crawlers import _scan

    scan = module_at(args.module) if args.module else _scan
    if args.check:
        names = differences(scan, args.check.read_bytes(), random.Random(args.seed))
        print(", ".join(names) or "no difference")
        return min(1, len(names))
    return run(args, scan)


if __name__ == "__main__":
    raise SystemExit(main())
