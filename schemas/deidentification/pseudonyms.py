"""Pseudonyms and date shifts under a secret key (HMAC-SHA-256, RFC 2104).

The key is in an environment variable that the recipe names. A recipe holds eight hexadecimal digits that depend on the
key, so that results under another key are never mixed with those of this one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from corpusmill.schemas.problems import HintedValueError

KEY_VARIABLE: Final = "CORPUSMILL_PSEUDONYM_KEY"
MIN_KEY_CHARACTERS: Final = 16
"""A shorter key could be found by trial."""
_MAX_SHIFT_DAYS: Final = 365


def pseudonym_key(variable: str) -> bytes:
    """Return the key in the environment variable *variable*.

    Raises:
        HintedValueError: There is none, or it is too short.
    """
    value = os.environ.get(variable, "")
    if len(value) < MIN_KEY_CHARACTERS:
        problem = "is not set" if not value else f"has {len(value)} characters, fewer than {MIN_KEY_CHARACTERS}"
        hint = f"set it, for example with `export {variable}=$(openssl rand -hex 32)`, and keep it secret"
        raise HintedValueError(f"the environment variable `{variable}` {problem}", hint=hint, at=("key",))
    return value.encode()


def key_id(key: bytes) -> str:
    """Return eight hexadecimal digits that tell keys apart.

    >>> key_id(b"0123456789abcdef") == key_id(b"0123456789abcdeg")
    False
    """
    return _digest(key, "key", "")[:8]


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """Return the pseudonym of the identifier *value*: the same for the same *kind* and value, whatever the separators.

    >>> key = b"0123456789abcdef"
    >>> pseudonym(key, "mrn", "12-345 6") == pseudonym(key, "mrn", "123456"), len(pseudonym(key, "mrn", "123456"))
    (True, 12)
    """
    return _digest(key, kind, "".join(filter(str.isalnum, value)).casefold())[:12]


def shift_days(key: bytes, patient: str) -> int:
    """Return by how many days the dates of *patient* move: -365 to -1.

    >>> shift_days(b"0123456789abcdef", "7") == shift_days(b"0123456789abcdef", "7")
    True
    """
    return -1 - int(_digest(key, "shift", patient)[:12], 16) % _MAX_SHIFT_DAYS


def _digest(key: bytes, purpose: str, value: str) -> str:
    return hmac.new(key, f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()
