"""Measure how many undeclared texts in legacy encodings are decoded exactly, compared with other tools.

    python benchmarks/decoding.py [--pieces 10] [--peers FOLDER]

The Universal Declaration of Human Rights in 20 languages (`data/samples/nltk/udhr2.zip` in the folder that
`CORPUSMILL_SHARED` names) is cut into pieces of 40, 200 and 2,000 characters. Each piece is encoded in each of 25
encodings that has all its letters (East Asian encodings: only their own languages). Pieces that are ASCII are left out.
The pieces have no declaration and no byte order mark, and corpusmill's statistics were not made from these texts.

FOLDER contains the other tools: `pip install --target FOLDER charset-normalizer chardet faust-cchardet`. The encoding
that a tool names is read in the way that is better for the tool: as Python's codec of that name, or as the WHATWG
standard defines the name.

*exact* is the share of pieces that are decoded exactly as a page. *refused* and *wrong* are the shares of pieces that
the loader of text files sets aside as unclear (`error.encoding`) or decodes wrongly. *ms* is the mean CPU time of a
piece.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError

LENGTHS: Final = (40, 200, 2_000)
LANGUAGES: Final = (
    "eng deu fra spa por_PT swe pol ces tur vie lit rus ell_monotonic heb arb tha jpn kor cmn_hans cmn_hant"
).split()
ENCODINGS: Final = (
    "utf-8 utf-16-le cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859-2 iso8859-5 "
    "iso8859-7 iso8859-15 koi8-r mac-roman cp866 cp932 euc_jp iso2022_jp gb18030 big5 cp949"
).split()
EAST_ASIAN: Final = {
    **dict.fromkeys(("cp932", "euc_jp", "iso2022_jp"), ("jpn",)),
    "gb18030": ("cmn_hans", "cmn_hant"),
    "big5": ("cmn_hant",),
    "cp949": ("kor",),
}
TONES: Final = "\u0300\u0301\u0303\u0309\u0323"


class Piece(NamedTuple):
    """Encoded bytes and their text."""

    encoding: str
    language: str
    length: int
    data: bytes
    text: str


def shared() -> Path:
    """Return the shared folder, which has the samples."""
    return Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[2] / "shared"))


def pieces(archive: Path, *, number: int) -> Iterator[Piece]:
    """Yield *number* pieces of each length of each language in each encoding that has all their letters."""
    with zipfile.ZipFile(archive) as texts:
        for language in LANGUAGES:
            whole = " ".join(texts.read(f"udhr2/{language}.txt").decode("utf-8-sig").split())
            for length in LENGTHS:
                step = max(1, (len(whole) - length) // number)
                for start in range(0, max(1, len(whole) - length), step):
                    yield from _encoded(whole[start : start + length], language, length)


def _encoded(text: str, language: str, length: int) -> Iterator[Piece]:
    for encoding in ENCODINGS:
        if language not in EAST_ASIAN.get(encoding, (language,)):
            continue
        try:
            data = (_with_tones(text) if (encoding, language) == ("cp1258", "vie") else text).encode(encoding)
        except UnicodeEncodeError:
            continue
        if not data.isascii() or encoding in ("iso2022_jp", "utf-16-le"):
            yield Piece(encoding, language, length, data, data.decode(encoding))


def _with_tones(text: str) -> str:
    """Return *text* with combining tones for letters that windows-1258 does not have with their tone."""
    return "".join(_with_tone(character) for character in text)


def _with_tone(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    tone = "".join(part for part in parts if part in TONES)
    try:
        character.encode("cp1258")
    except UnicodeEncodeError:
        return unicodedata.normalize("NFC", "".join(part for part in parts if part not in TONES)) + tone
    return character


def peers() -> dict[str, Callable[[bytes], str | None]]:
    """Return the installed tools by name: each is a function that names the encoding of bytes."""
    detectors: dict[str, Callable[[bytes], str | None]] = {}
    try:
        import charset_normalizer

        def normalizer(data: bytes) -> str | None:
            best = charset_normalizer.from_bytes(data).best()
            return best.encoding if best else None

        detectors[f"charset-normalizer {charset_normalizer.__version__}"] = normalizer
    except ImportError:
        pass
    try:
        import chardet

        detectors[f"chardet {chardet.__version__}"] = lambda data: chardet.detect(data)["encoding"]
    except ImportError:
        pass
    try:
        import cchardet

        detectors[f"faust-cchardet {cchardet.__version__}"] = lambda data: cchardet.detect(data)["encoding"]
    except ImportError:
        pass
    return detectors


def is_exact(piece: Piece, name: str | None) -> bool:
    """Return whether the encoding *name* decodes the bytes of *piece* to its text."""
    for codec in (name, codec_of(name or "")):
        try:
            if codec and piece.data.decode(codec) == piece.text:
                return True
        except (UnicodeDecodeError, LookupError):
            continue
    return False


def _page_is_exact(piece: Piece) -> bool:
    return decode(piece.data) == piece.text


def measure(encoded: list[Piece], judge: Callable[[Piece], bool]) -> dict[int, tuple[float, float]]:
    """Return, for each length, the share of pieces that *judge* accepts and the mean CPU time in ms."""
    judge(encoded[0])  # load data before the clock starts
    results = {}
    for length in LENGTHS:
        selected = [piece for piece in encoded if piece.length == length]
        start = time.process_time()
        exact = sum(judge(piece) for piece in selected)
        results[length] = (exact / len(selected), (time.process_time() - start) / len(selected) * 1e3)
    return results


def file_shares(encoded: list[Piece]) -> dict[int, tuple[float, float]]:
    """Return, for each length, the shares of pieces that the loader of text files refuses and decodes wrongly."""
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for piece in encoded:
        counts[piece.length][0] += 1
        try:
            counts[piece.length][2] += decode_text(piece.data) != piece.text
        except DataError:
            counts[piece.length][1] += 1
    return {length: (refused / total, wrong / total) for length, (total, refused, wrong) in counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pieces", type=int, default=10, help="pieces of each length, language and encoding (default: 10)"
    )
    parser.add_argument("--peers", type=Path, help="folder in which the other tools are installed")
    parser.add_argument("--by", choices=("encoding", "language"), help="also print the shares by encoding or language")
    options = parser.parse_args()
    if options.peers:
        sys.path.insert(0, str(options.peers))
    archive = shared() / "data/samples/nltk/udhr2.zip"
    if not archive.exists():
        print(f"no texts in {archive}: set CORPUSMILL_SHARED", file=sys.stderr)
        return
    encoded = list(pieces(archive, number=options.pieces))
    pairs = len({(piece.encoding, piece.language) for piece in encoded})
    print(f"{platform.platform()}, Python {platform.python_version()}")
    print(f"{len(encoded):,} pieces, {pairs} pairs of encoding and language")
    judges: dict[str, Callable[[Piece], bool]] = {"corpusmill": _page_is_exact}
    for tool, name in peers().items():
        judges[tool] = lambda piece, name=name: is_exact(piece, name(piece.data))  # type: ignore[misc]
    print(f"{'exact':28}" + "".join(f"{length:>8,}" for length in LENGTHS) + f"{'ms':>10}{'':8}{'':8}")
    for tool, judge in judges.items():
        results = measure(encoded, judge)
        shares = "".join(f"{share:8.1%}" for share, _ in results.values())
        print(f"{tool:28}{shares}" + "".join(f"{ms:8.2f}" for _, ms in results.values()), flush=True)
    for number, name in enumerate(("refused as a file", "wrong as a file")):
        print(f"{name:28}" + "".join(f"{shares[number]:8.1%}" for shares in file_shares(encoded).values()))
    if options.by:
        _print_by(encoded, options.by)


def _print_by(encoded: list[Piece], by: str) -> None:
    exact: dict[str, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for piece in encoded:
        exact[getattr(piece, by)][piece.length].append(_page_is_exact(piece))
    for name, lengths in exact.items():
        cells = (
            f"{sum(outcomes) / len(outcomes):8.1%}" if (outcomes := lengths[length]) else f"{'':8}"
            for length in LENGTHS
        )
        print(f"{name:28}" + "".join(cells))


if __name__ == "__main__":
    main()
