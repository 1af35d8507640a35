"""The site of the measurements: a folder of HTML pages behind nginx, whose log is the truth about requests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

PAGES: Final = Path("/usr/share/doc/postgresql-doc-15/html")
"""HTML documentation of PostgreSQL in Debian 12 (package `postgresql-doc-15`): 1,167 pages that link to each other."""
START: Final = "/index.html"
HOST: Final = "127.0.0.7"
_NGINX: Final = Path("/usr/sbin/nginx")
_PROBE: Final = "/stylesheet.css"
_READY_S: Final = 10.0
_POLL_S: Final = 0.02
_CONFIGURATION: Final = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    types {{ text/html html; text/css css; image/svg+xml svg; text/plain txt; }}
    log_format requests "$uri\\t$status\\t$bytes_sent\\t$http_if_none_match$http_if_modified_since";
    access_log {folder}/access.log requests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {address}; root {folder}/html; }}
}}
"""


class Request(NamedTuple):
    """A line of the log. A conditional request has `If-None-Match` or `If-Modified-Since`."""

    path: str
    status: int
    sent_bytes: int
    is_conditional: bool


class Nginx:
    """A running server of a copy of `PAGES`, which may be changed."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self.html = folder / "html"
        self.url = f"http://{HOST}:{port}{START}"
        self._log = folder / "access.log"

    @property
    def pages(self) -> set[str]:
        """The paths of the pages."""
        return {f"/{file.name}" for file in self.html.glob("*.html")}

    def requests(self, *, after: int = 0) -> list[Request]:
        """Return the requests in the order of their ends, without the first *after*."""
        lines = self._log.read_text().splitlines()[after:] if self._log.exists() else []
        return [_request(line) for line in lines]

    def page_requests(self, *, after: int = 0) -> list[Request]:
        """Return the requests for pages, existing or not: without robots.txt and the like."""
        return [one for one in self.requests(after=after) if one.path.endswith(".html")]


def _request(line: str) -> Request:
    path, status, sent, conditions = line.split("\t")
    return Request(path, int(status), int(sent), conditions.strip("-") != "")


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    """Serve a copy of `PAGES` in *folder* on 127.0.0.7 for the duration of the block.

    Raises:
        SystemExit: The packages are missing, or nginx does not start.
    """
    if not _NGINX.exists() or not PAGES.is_dir():
        sys.exit("error: nginx or the pages are missing\n\nhint: apt-get install nginx postgresql-doc-15")
    user = "" if os.geteuid() else "user root;"  # otherwise, it reads files as a user that may not read *folder*
    shutil.copytree(PAGES, folder / "html")
    port = _free_port()
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, address=f"{HOST}:{port}", user=user))
    process = subprocess.Popen([str(_NGINX), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        site = Nginx(folder, port=port)
        _wait(process, site.url, folder)
        yield site
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            urlopen(url.replace(START, _PROBE)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = folder / "error.log"
                sys.exit(f"error: nginx does not start\n{log.read_text() if log.exists() else ''}")
            time.sleep(_POLL_S)
        else:
            return
