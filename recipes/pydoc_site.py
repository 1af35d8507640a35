"""Generate a real web site on any machine: the documentation of the Python interpreter that runs this script.

``python recipes/pydoc_site.py DIR --serve PORT -- COMMAND…`` generates the site in DIR, serves it on 127.0.0.1 while
COMMAND runs, and exits with the exit code of COMMAND.
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
"""The port is part of the ids of the pages, so the demo always uses the same port."""

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
"""Fixed, because pydoc prints the environment, and prints sets in an order that depends on the hash seed."""


def make_site(directory: Path) -> int:
    """Generate the site in *directory*, unless the same Python has already generated it there by the same rules.

    The same Python always generates the same bytes.

    Returns:
        The number of documented modules.

    Raises:
        WorkError: pydoc failed.
    """
    stamp = directory / _STAMP
    generator = _generator()
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8")) != generator:
        unready = directory.with_name(directory.name + ".part")
        shutil.rmtree(unready, ignore_errors=True)
        unready.mkdir(parents=True)
        _write_pages(unready)
        (unready / _STAMP).write_text(json.dumps(generator), encoding="utf-8")
        shutil.rmtree(directory, ignore_errors=True)
        unready.replace(directory)
    return sum(1 for page in directory.glob("*.html") if page.name != "index.html")


def _generator() -> dict[str, str]:
    """Return what determines the bytes of the site: the interpreter, and a hash of the rules."""
    rules = hashlib.sha256(_PAGES.read_bytes() + json.dumps(_ENVIRONMENT).encode()).hexdigest()
    return {"python": sys.version, "executable": sys.executable, "rules": rules}


def _write_pages(directory: Path) -> None:
    command = [sys.executable, "-s", "-S", "-P", "-c", _PAGES.read_text(encoding="utf-8")]
    completed = subprocess.run(command, cwd=directory, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise WorkError(f"pydoc failed: {(completed.stderr.strip().splitlines() or ['no message'])[-1]}")


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; with Nagle's algorithm, the second one waits 40 ms for an acknowledgment.
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@contextmanager
def serve(directory: Path, port: int = 0) -> Iterator[str]:
    """Serve *directory* on 127.0.0.1 and yield the URL of its index. Port 0 selects any free port.

    Raises:
        UnfinishedError: Another process listens on the port.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(directory)))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        hint = f"end the process that listens there (`ss -ltnp | grep {port}` shows it), then run the same command"
        raise UnfinishedError(f"port {port} of 127.0.0.1 is in use", hint=hint) from error
    # An open connection must not keep the interpreter from exiting.
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
    """Generate the site; with ``--serve``, serve it while a command runs. Return the exit code."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python recipes/pydoc_site.py", description=__doc__)
    parser.add_argument("directory", type=Path, help="folder of the site")
    parser.add_argument("--serve", type=int, metavar="PORT", help="port on 127.0.0.1")
    options = parser.parse_args(arguments[:end])
    command = arguments[end + 1 :]
    if (options.serve is None) != (not command):
        parser.error("--serve PORT and -- COMMAND must be used together")
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
