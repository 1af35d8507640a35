"""Measure the time to read books in EPUB, DOCX and ODT, and the memory.

    python benchmarks/loaders/books.py [FILE...] [--repeat N]

FILE is a book or document; by default the samples in the folder that `CORPUSMILL_SHARED` names, and a generated ODT of
4,000 paragraphs. *ms* is the CPU time of a file, the best of N (default 5).
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.docx import Docx
from corpusmill.crawlers.loaders.epub import Epub
from corpusmill.crawlers.loaders.odt import Odt

LOADERS: Final[dict[str, type[Loader]]] = {".epub": Epub, ".docx": Docx, ".odt": Odt}
PARAGRAPHS: Final = 4_000


def generated_odt() -> bytes:
    """Return an ODT with a heading, links and a note in each tenth paragraph."""
    space = "urn:oasis:names:tc:opendocument:xmlns:"
    names = f'xmlns:office="{space}office:1.0" xmlns:text="{space}text:1.0"'
    note = "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>See.</text:p></text:note-body>"
    body = "".join(
        (f"<text:h>Part {number // 10}</text:h>" if number % 10 == 0 else "")
        + f"<text:p>The <text:span>lamp {number}</text:span> was lit at dusk and went out at dawn, night after night."
        + (f"{note}</text:note>" if number % 10 == 0 else "")
        + "</text:p>"
        for number in range(PARAGRAPHS)
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        content = f"<office:document-content {names}><office:body><office:text>{body}</office:text></office:body>"
        archive.writestr("content.xml", f"{content}</office:document-content>")
    return data.getvalue()


def measure(path: Path, repeat: int) -> None:
    """Print the figures of the file at *path*."""
    loader = LOADERS[path.suffix.lower()]()
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        (batch,) = loader.read(str(path), name=path.name)
        seconds.append(time.process_time() - start)
    row = batch.to_pylist()[0]
    result = f"{len(row['text']):,} characters" if row["text"] else f"{row['rule']}: {row['message']}"
    print(f"{path.name}: {min(seconds) * 1000:.1f} ms, {path.stat().st_size:,} bytes, {result}")


def main() -> None:
    """Measure each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    samples = Path(os.environ.get("CORPUSMILL_SHARED", "../shared")) / "data" / "samples"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "generated.odt"
        made.write_bytes(generated_odt())
        found = [*samples.glob("epub/*.epub"), *samples.glob("docx/*.docx"), made]
        for path in arguments.files or sorted(found):
            measure(path, arguments.repeat)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
