"""Everything once, on real input and without the network: crawl, load, clean, publish, report, train, generate.

Run by `make demo`. The second time every step is found done, and the summary says so.
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
    """Run *command* with its progress in sight, give the JSON document that it prints."""
    print(f"\n── {title}", file=sys.stderr, flush=True)
    start = time.monotonic()
    environment = os.environ | {"CORPUSMILL_SITE_PACKAGES": sysconfig.get_paths()["purelib"]}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise SystemExit(done.returncode)
    print(f"   {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return json.loads(done.stdout)


def corpusmill(title: str, *arguments: str, around: tuple[str, ...] = ()) -> Any:
    """Run a command of corpusmill in the demo's workspace, give what it says as JSON."""
    return call(title, *around, *CORPUSMILL, *arguments, "--workspace", str(WORKSPACE), "--json")


def main() -> None:
    """Run the demo and print where everything lies."""
    start = time.monotonic()
    run = corpusmill("crawl, load and run the recipe", "run", str(RECIPE), around=SITE)
    trained = corpusmill("train a tokenizer and a small model (about a minute)", "train", str(TRAINING))
    evaluated = corpusmill("compare it with a trigram model", "evaluate", trained["path"], "--baseline", "trigram")
    generated = corpusmill("let it write", "generate", trained["path"], "--prompt", PROMPT)
    print(summary(run, trained, evaluated, generated, seconds=time.monotonic() - start))


def summary(run: Any, trained: Any, evaluated: Any, generated: Any, *, seconds: float) -> str:
    """Give what was made, where it lies, and what to try next."""
    counts, steps = run["counts"], run["steps"]
    reused = sum(step["cached"] for step in steps)
    version = Path(run["path"])
    prefix = "corpusmill" if in_path() else str(Path(sys.executable).parent / "corpusmill")
    return f"""
{reused} of {len(steps)} steps of the corpus were reused{", and the model" if trained["status"] == "unchanged" else ""}.
{counts["read"]} records read, {counts["published"]} published, {counts["ledger"]} in the ledger with their reasons.

  version   {version} ({run["dataset"]}@{run["version"]})
  report    {version / "report.html"}
  model     {trained["path"]}: {evaluated["bits_per_byte"]:.2f} bits a byte{baseline(evaluated)}

It wrote:

  {sample(generated["text"])}

Done in {seconds:.0f} s. Next, look around:

  export CORPUSMILL_WORKSPACE={WORKSPACE}
  {prefix} inspect handbook --sample 3
  {prefix} inspect handbook --ledger --sample 3   # what was left out; explain takes the ids
  {prefix} explain http://127.0.0.1:{PORT}/private/drafts.html
  {prefix} versions
  {prefix} init --from YOUR-FILES   # a recipe for your own files
"""


def sample(text: str) -> str:
    """Give the first lines of what the model wrote; a minute of training makes words, not sense."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[:SAMPLE_LINES])


def baseline(evaluated: Any) -> str:
    """Give the trigram model's figure, when it was asked for."""
    found = evaluated.get("baseline")
    return f" (trigram model: {found['bits_per_byte']:.2f})" if found else ""


def in_path() -> bool:
    """Tell whether the command is found without its folder."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return str(Path(sys.executable).parent) in folders


if __name__ == "__main__":
    main()
