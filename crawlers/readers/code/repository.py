"""The files of a Git repository at a revision, read with plumbing commands of `git` that run nothing of the repository.

Only `rev-parse`, `cat-file` and `ls-tree` see the repository. They run no hooks, filters or helpers, which its
configuration could name, and no network protocol is allowed, so that a partial clone fetches nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from corpusmill.schemas.errors import SourceError

BUNDLE_MAGIC: Final = b"# v"
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": os.devnull,
    "LC_ALL": "C",
    "XDG_CONFIG_HOME": os.devnull,
}
_SETTINGS: Final = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never")
_COMMITTER: Final = re.compile(rb"^committer .*?(-?\d{1,15}) [+-]\d{4}$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-|BAD)\t(.*)", re.DOTALL)
_SCP: Final = re.compile(r"(?:[^@/:]+@)?([\w.-]+):(?!//)(.+)")
_HEAD_BYTES: Final = 256
_HINT: Final = "name a work tree, a bare repository, or a file that `git bundle` wrote"


@dataclass(frozen=True)
class Commit:
    """A commit: its hash, that of its tree, and when it was made."""

    id: str
    tree: str
    date: datetime | None


@dataclass(frozen=True)
class Entry:
    """A file, link or submodule of a tree; `size` in bytes is 0 if it is unknown."""

    path: str
    mode: str
    blob: str
    size: int


@dataclass(frozen=True)
class Repository:
    """A repository whose database lies in `git_dir`; errors name `place`."""

    git_dir: Path
    place: str

    def commit(self, revision: str) -> Commit:
        """Return the commit that *revision* names: a branch, a tag, a hash or ``HEAD``.

        Raises:
            SourceError: The repository has no such commit, or cannot be read.
        """
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        id = found.stdout.decode().split("\n")[-2] if found.stdout.endswith(b"\n") else ""
        if found.stderr.strip() and not id:  # a missing revision prints nothing
            raise self._damaged(_reason(found.stderr))
        if found.returncode or not id:
            problem = f"the repository has no revision `{revision}`"
            hint = "name a branch, a tag or a commit; `git for-each-ref` lists them"
            raise SourceError(problem, file=self.place, field="revision", value=revision, hint=hint)
        content = self._checked("cat-file", "commit", id)
        head = content.partition(b"\n\n")[0]
        tree = re.match(rb"tree ([0-9a-f]{40,64})\n", head)
        if tree is None:
            raise self._damaged(f"the commit {id} has no tree")
        return Commit(id, tree[1].decode(), _date(head))

    def entries(self, commit: Commit) -> list[Entry]:
        """Return all entries below the tree of *commit*, sorted by the bytes of their paths.

        Raises:
            SourceError: A tree is missing or damaged.
        """
        listing = self._checked("ls-tree", "-r", "-z", "-l", "--full-tree", commit.tree)
        return [self._entry(line) for line in listing.split(b"\0") if line]

    def _entry(self, line: bytes) -> Entry:
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise self._damaged(f"no entry of a tree: {line[:200]!r}")
        mode, _, blob, size, path = match.groups()
        known_size = int(size) if size.isdigit() else 0
        return Entry(path.decode(errors="backslashreplace"), mode.decode(), blob.decode(), known_size)

    @contextlib.contextmanager
    def blobs(self) -> Iterator[Blobs]:
        """Return a reader of blobs."""
        blobs = Blobs(self)
        try:
            yield blobs
        finally:
            blobs.close()

    def origin(self) -> str:
        """Return the address of the remote `origin` without credentials; empty if there is none, or it is local."""
        config = self.git_dir / "config"
        if not config.is_file() and (common := self.git_dir / "commondir").is_file():  # a linked work tree
            config = self.git_dir / common.read_text().strip() / "config"
        if not config.is_file():
            return ""
        arguments = ("config", "--no-includes", "--file", str(config), "--get", "remote.origin.url")
        return without_credentials(run_git(*arguments).stdout.decode(errors="replace").strip())

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of *arguments*."""
        return ["git", "--no-pager", f"--git-dir={self.git_dir}", *_SETTINGS, *arguments]

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run_git(f"--git-dir={self.git_dir}", *_SETTINGS, *arguments)

    def _checked(self, *arguments: str) -> bytes:
        result = self._run(*arguments)
        if result.returncode:
            raise self._damaged(_reason(result.stderr))
        return result.stdout

    def _damaged(self, reason: str) -> SourceError:
        hint = "`git fsck` lists what is missing; clone the repository again, without `--filter`"
        return SourceError(f"the repository cannot be read: {reason}", file=self.place, hint=hint)


class Blobs:
    """Reads the content of blobs, one after another, through one process."""

    def __init__(self, repository: Repository) -> None:
        self._command = repository.command("cat-file", "--batch")
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, blob: str, *, max_bytes: int) -> tuple[bytes, int] | None:
        """Return the first *max_bytes* bytes of *blob*, and its size; None if it is missing or damaged."""
        is_fresh = self._process is None
        try:
            return self._read(blob, max_bytes)
        except OSError:  # the process ended, at this blob or the one before
            self.close()
        return None if is_fresh else self.read(blob, max_bytes=max_bytes)

    def _read(self, blob: str, max_bytes: int) -> tuple[bytes, int] | None:
        if self._process is None:
            self._process = start_git(self._command)
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None
        assert sink is not None
        sink.write(f"{blob}\n".encode())
        sink.flush()
        line = source.readline()
        if not line:
            raise BrokenPipeError
        head = line.split()
        if len(head) != 3 or head[1] != b"blob":
            return None
        size = int(head[2])
        data = source.read(min(size, max_bytes))
        left = size - len(data)
        while left > 0 and (piece := source.read(min(left, 1 << 20))):
            left -= len(piece)
        if left or source.read(1) != b"\n":
            raise BrokenPipeError
        return data, size

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if stream is not None:
                        stream.close()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def opened(place: str) -> Iterator[Repository]:
    """Open the work tree, the bare repository or the bundle at *place*.

    Raises:
        SourceError: There is none, or `git` is not installed.
    """
    path = Path(place)
    if shutil.which("git") is None:
        raise SourceError("`git` is not installed", file=place, hint="install it, for example `apt-get install git`")
    if path.is_dir():
        git_dir = path / ".git" if (path / ".git").exists() else path
        if git_dir.is_file():
            git_dir = _linked(git_dir)
        if not is_git_dir(git_dir):
            raise SourceError("not a Git repository", file=place, field="path", value=place, hint=_HINT)
        yield Repository(git_dir, place)
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="corpusmill-git-") as folder:
            yield _unbundled(path, Path(folder))
    else:
        raise SourceError("no such repository", file=place, field="path", value=place, hint=_HINT)


def is_git_dir(path: Path) -> bool:
    """Return whether the folder *path* is the database of a repository or of a linked work tree."""
    has_head = (path / "HEAD").is_file() or (path / "HEAD").is_symlink()
    return has_head and ((path / "objects").is_dir() or (path / "commondir").is_file())


def without_credentials(url: str) -> str:
    """Return the address of a remote without user and password; empty for a place on this machine.

    >>> without_credentials("https://me:secret@git.example:8443/b.git"), without_credentials("git@git.example:a/b.git")
    ('https://git.example:8443/b.git', 'ssh://git.example/a/b.git')
    >>> without_credentials("/home/me/b"), without_credentials("file:///home/me/b")
    ('', '')
    """
    if (match := _SCP.fullmatch(url)) and "://" not in url:
        return f"ssh://{match[1]}/{match[2].lstrip('/')}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https", "ssh", "git"}:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def run_git(*arguments: str, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run `git` without settings of the user or the system, and return what it printed."""
    command = ["git", "--no-pager", *arguments]
    return subprocess.run(command, input=text or b"", capture_output=True, check=False, env=_environment())


def start_git(command: list[str]) -> subprocess.Popen[bytes]:
    """Start *command* as `run_git` does, with pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=_environment())


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT}


def _linked(file: Path) -> Path:
    """Return the folder that the file ``.git`` of a linked work tree or a submodule names."""
    content = file.read_text(errors="replace").strip()
    return file.parent / content.removeprefix("gitdir:").strip()


def _unbundled(file: Path, folder: Path) -> Repository:
    """Unpack the bundle *file* into a bare repository in *folder*."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        if not head.startswith(BUNDLE_MAGIC):
            raise SourceError("not a bundle of Git", file=str(file), field="path", value=str(file), hint=_HINT)
    object_format = "sha256" if b"\n@object-format=sha256\n" in head else "sha1"
    run_git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", str(folder))
    repository = Repository(folder, str(file))
    result = run_git(f"--git-dir={folder}", "bundle", "unbundle", str(file.absolute()))
    if result.returncode:
        hint = "write it again, with all commits: `git bundle create FILE --all`"
        raise SourceError(f"the bundle cannot be read: {_reason(result.stderr)}", file=str(file), hint=hint)
    refs = [line.split(" ", 1) for line in result.stdout.decode(errors="replace").splitlines() if " " in line]
    named = [(id, name) for id, name in refs if name.startswith("refs/")]
    created = "".join(f"create {name} {id}\n" for id, name in named)
    run_git(f"--git-dir={folder}", "update-ref", "--stdin", text=created.encode())
    commit = next((id for id, name in refs if name == "HEAD"), None) or _main_branch(named)
    if commit is not None:
        (folder / "HEAD").write_text(commit + "\n")
    return repository


def _main_branch(refs: list[tuple[str, str]]) -> str | None:
    """Return the commit that stands for the HEAD of a bundle without one: its only branch, or `main` or `master`."""
    branches = {name.removeprefix("refs/heads/"): id for id, name in refs if name.startswith("refs/heads/")}
    if len(branches) == 1:
        return next(iter(branches.values()))
    return branches.get("main") or branches.get("master")


def _date(head: bytes) -> datetime | None:
    match = _COMMITTER.search(head)
    try:
        return None if match is None else datetime.fromtimestamp(int(match[1]), UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _reason(stderr: bytes) -> str:
    return " ".join(stderr.decode(errors="replace").split()).removeprefix("fatal: ")[:300] or "`git` failed"
