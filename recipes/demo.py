"""Run the whole product on real input without network access: crawl, load, clean, publish, report, train, generate.

`make demo` runs this script. A second run reuses every step, and the summary says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
DEMO: Final = Path("demo")
WORKSPACE: Final = DEMO / "corpus"
RECIPE: Final = Path("recipes/handbook.yaml")
TRAINING: Final = Path("recipes/train-handbook.yaml")
PORT: Final = 8731
PROMPT: Final = "The function returns"
SAMPLE_LINES: Final = 8
CORPUSMILL: Final = (sys.executable, "-m", "corpusmill")
SITE: Final = (sys.executable, str(ROOT / "recipes" / "pydoc_site.py"), str(DEMO / "site"), "--serve", str(PORT), "--")


def call(title: str, *command: str) -> Any:
    """Run *command*, show its progress, and return the JSON document that it prints."""
    print(f"\n── {title}", file=sys.stderr, flush=True)
    start = time.monotonic()
    environment = os.environ | {"CORPUSMILL_SITE_PACKAGES": sysconfig.get_paths()["purelib"]}
    completed = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if completed.returncode:
        sys.stderr.write(completed.stdout)
        raise SystemExit(completed.returncode)
    print(f"   {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return json.loads(completed.stdout)


def corpusmill(title: str, *arguments: str, wrapper: tuple[str, ...] = ()) -> Any:
    """Run a corpusmill command in the workspace of the demo, inside *wrapper*, and return its JSON output."""
    return call(title, *wrapper, *CORPUSMILL, *arguments, "--workspace", str(WORKSPACE), "--json")


def main() -> None:
    """Run the demo and print the paths of the results."""
    start = time.monotonic()
    run = corpusmill("crawl, load and run the recipe", "run", str(RECIPE), wrapper=SITE)
    trained = corpusmill("train a tokenizer and a small model (about a minute)", "train", str(TRAINING))
    evaluated = corpusmill("compare it with a trigram model", "evaluate", trained["path"], "--baseline", "trigram")
    generated = corpusmill("generate text", "generate", trained["path"], "--prompt", PROMPT)
    print(summary(run, trained, evaluated, generated, seconds=time.monotonic() - start))


def summary(run: Any, trained: Any, evaluated: Any, generated: Any, *, seconds: float) -> str:
    """Return the results of the demo, their paths, and commands to try next."""
    counts, steps = run["counts"], run["steps"]
    reused = sum(step["cached"] for step in steps)
    version = Path(run["path"])
    prefix = "corpusmill" if is_in_path() else str(Path(sys.executable).parent / "corpusmill")
    return f"""
{reused} of {len(steps)} steps of the corpus were reused{", and the model" if trained["status"] == "unchanged" else ""}.
{counts["read"]} records read, {counts["published"]} published, {counts["ledger"]} in the ledger, each with a reason.

  version   {version} ({run["dataset"]}@{run["version"]})
  report    {version / "report.html"}
  model     {trained["path"]}
            {evaluated["bits_per_byte"]:.2f} bits per byte on the whole validation split{baseline(evaluated)}

Generated text:

  {sample(generated["text"])}

Finished in {seconds:.0f} s. Commands to try next:

  export CORPUSMILL_WORKSPACE={WORKSPACE}
  {prefix} inspect handbook --sample 3
  {prefix} inspect handbook --ledger --sample 3   # rejected records; pass their ids to explain
  {prefix} explain http://127.0.0.1:{PORT}/private/drafts.html
  {prefix} versions
  {prefix} init my-corpus --from YOUR-FILES   # a recipe for your own files, in a new folder
"""


def sample(text: str) -> str:
    """Return the first lines of *text*. After a minute of training, a model generates words, not sense."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[:SAMPLE_LINES])


def baseline(evaluated: Any) -> str:
    """Return the bits per byte of the trigram model, or nothing if it was not evaluated."""
    trigram = evaluated.get("baseline")
    return f" (trigram model: {trigram['bits_per_byte']:.2f})" if trigram else ""


def is_in_path() -> bool:
    """Return whether the shell finds the command without its folder."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return str(Path(sys.executable).parent) in folders


if __name__ == "__main__":
    main()
