"""Strict decoding of text files: a file that cannot be decoded exactly is refused."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.decoding.binary import is_binary, utf16_by_shape
from corpusmill.schemas.decoding.declarations import byte_order_mark, editors_codec
from corpusmill.schemas.decoding.labels import codec_of, name_of
from corpusmill.schemas.decoding.likelihood import Guess, guesses
from corpusmill.schemas.decoding.pages import is_iso2022_jp
from corpusmill.schemas.decoding.samples import sample
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.errors import DataError

_MIN_MARGIN: Final = 3.0
"""Lead in nats that the most likely text needs over any other text: odds of twenty to one."""
_MAX_COST: Final = 6.0
"""Highest cost of the most likely text, in nats per byte; text costs 2 to 4, random bytes cost 8."""


def decode_text(data: bytes, *, encoding: str | None = None) -> str:
    """Decode a text file.

    The encoding is the first of these that applies: a byte order mark; *encoding*, a label of the WHATWG Encoding
    Standard; bytes that look like UTF-16; a mode line of Emacs or Vim; UTF-8; the most likely legacy encoding, if it is
    clearly more likely than every encoding that gives a different text. A file that is mostly UTF-8 with some invalid
    bytes is refused, because a guess would corrupt the valid part.

    Raises:
        DataError: ``not_text``, ``encoding`` or ``too_large`` (above `MAX_TEXT_BYTES` as UTF-8).

    >>> decode_text("It costs £5.".encode("cp1252"))
    'It costs £5.'
    """
    named = codec_of(encoding) if encoding is not None else None
    if is_binary(data) and not (named or "").startswith("utf-16"):
        raise DataError("the content is binary, not text", kind="not_text")
    text = _decoded(data, named).removeprefix("\ufeff")
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise DataError(f"the text is larger than {MAX_TEXT_BYTES:,} bytes", kind="too_large")
    return text


def codec_of_text(data: bytes, *, encoding: str | None = None) -> str:
    """Return the Python codec of the file that begins with *data*, chosen as in `decode_text`.

    A beginning that is mostly UTF-8 is UTF-8, so that single records with other bytes can be set aside.

    Raises:
        DataError: ``encoding``: it is uncertain.
    """
    if mark := byte_order_mark(data):
        return mark[0]
    if encoding is not None and (named := codec_of(encoding)) is not None:
        return named
    if (b"\0" in data or b"\x0e" in data) and (shape := utf16_by_shape(data)):
        return shape
    if b"\x1b" in data and is_iso2022_jp(data):
        return "iso2022_jp"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "utf-8" if _is_broken_utf8(data) else _likeliest(data)
    return "utf-8"


def _decoded(data: bytes, named: str | None) -> str:
    if mark := byte_order_mark(data):
        return _strictly(data[mark[1] :], mark[0])
    if named is not None:
        return _strictly(data, named)
    if (b"\0" in data or b"\x0e" in data) and (shape := utf16_by_shape(data)):
        return _strictly(data, shape)
    for codec in (editors_codec(data), "iso2022_jp" if b"\x1b" in data and is_iso2022_jp(data) else None, "utf-8"):
        try:
            if codec is not None:
                return data.decode(codec)
        except UnicodeDecodeError as error:
            broken = error
    if shape := utf16_by_shape(data):
        return _strictly(data, shape)
    if _is_broken_utf8(data):
        raise _refused("utf-8", broken)
    return _strictly(data, _likeliest(data))


def _strictly(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise _refused(codec, error) from None


def _refused(codec: str, error: UnicodeDecodeError) -> DataError:
    return DataError(f"not {name_of(codec).upper()}: {error.reason} at byte {error.start:,}", kind="encoding")


def _is_broken_utf8(data: bytes) -> bool:
    """Return whether at least as many non-ASCII bytes are valid UTF-8 as invalid."""
    text = data.decode("utf-8", "ignore")
    valid = len(text) - len(text.encode("ascii", "ignore"))
    valid_bytes = len(text.encode()) - (len(text) - valid)
    invalid_bytes = len(data) - len(text.encode())
    return valid_bytes >= invalid_bytes


def _likeliest(data: bytes) -> str:
    """Return the Python codec of the most likely encoding of *data*.

    Raises:
        DataError: ``encoding``: no candidate is likely, or several are about equally likely. The message names them.
    """
    part = sample(data)
    likely = guesses(part)
    other = next((guess for guess in likely if _text(part, guess) != _text(part, likely[0])), None)
    is_clear = other is None or other.cost - likely[0].cost >= _MIN_MARGIN
    if is_clear and likely[0].cost <= _MAX_COST * len(part):
        return likely[0].codec
    names = [name_of(guess.codec) for guess in ([likely[0], other] if other else likely[:1])]
    message = f"the encoding is uncertain: {' or '.join(names)}; set it in the recipe, as in `encoding: {names[0]}`"
    raise DataError(message, kind="encoding")


def _text(data: bytes, guess: Guess) -> str:
    return data.decode(guess.codec, "replace")
