"""A real web site that is on every machine: the documentation of the Python interpreter that runs this.

``python recipes/pydoc_site.py DIR --serve PORT -- COMMAND…`` makes it, serves it on 127.0.0.1 while
COMMAND runs, and ends with the exit code of COMMAND.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError

DEMO_PORT: Final = 8731
"""The port is part of the pages' ids, so the demo has always the same."""

_STAMP: Final = ".made-by"
_PAGES: Final = Path(__file__).with_name("pydoc_pages.py")
_ENVIRONMENT: Final = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}
"""Fixed, because pydoc prints the environment, and sets in the order of the hash seed."""


def make_site(directory: Path) -> int:
    """Make the site in *directory*, or keep the one that is there when the same Python made it by the same rules.

    Two makings by one Python are equal byte for byte.

    Returns:
        The number of documented modules.

    Raises:
        WorkError: pydoc failed.
    """
    stamp = directory / _STAMP
    wanted = _made_by()
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != wanted:
        unready = directory.with_name(directory.name + ".part")
        shutil.rmtree(unready, ignore_errors=True)
        unready.mkdir(parents=True)
        _write_pages(unready)
        (unready / _STAMP).write_text(json.dumps(wanted), encoding="utf-8")
        shutil.rmtree(directory, ignore_errors=True)
        unready.replace(directory)
    return sum(1 for page in directory.glob("*.html") if page.name != "index.html")


def _made_by() -> dict[str, str]:
    rules = hashlib.sha256(_PAGES.read_bytes() + json.dumps(_ENVIRONMENT).encode()).hexdigest()
    return {"python": sys.version, "executable": sys.executable, "rules": rules}


def _write_pages(directory: Path) -> None:
    command = [sys.executable, "-s", "-S", "-P", "-c", _PAGES.read_text(encoding="utf-8")]
    done = subprocess.run(command, cwd=directory, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkError(f"pydoc failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; without this the second waits 40 ms for the reader's acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serve(directory: Path, port: int = 0) -> Iterator[str]:
    """Serve *directory* on 127.0.0.1 and give the address of its index; port 0 takes any that is free.

    Raises:
        UnfinishedError: The port is taken.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(directory)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        hint = f"end what listens there (`ss -ltnp | grep {port}` shows it), then run the same command"
        raise UnfinishedError(f"port {port} of 127.0.0.1 is taken", hint=hint) from error
    # An open connection must not hold back the end of the interpreter.
    server.daemon_threads = True
    with server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.05), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def main(arguments: Sequence[str]) -> int:
    """Make the site, and with ``--serve`` serve it while a command runs; give the command's exit code."""
    at = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python recipes/pydoc_site.py", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the site is")
    parser.add_argument("--serve", type=int, metavar="PORT", help="port on 127.0.0.1")
    options = parser.parse_args(arguments[:at])
    command = arguments[at + 1 :]
    if (options.serve is None) != (not command):
        parser.error("--serve PORT and -- COMMAND belong together")
    try:
        make_site(options.directory)
        if options.serve is None:
            return 0
        with serve(options.directory, options.serve):
            return subprocess.run(command, check=False).returncode
    except CorpusmillError as error:
        sys.stderr.write(f"error: {error}\n" + (f"\nhint: {error.hint}\n" if error.hint else ""))
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
