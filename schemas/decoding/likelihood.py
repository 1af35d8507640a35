"""Detection of legacy encodings: the one in which the bytes are the most likely text of some language.

For each encoding and each language of its script, the probability of a text is the product of the probabilities of its
pairs of letters (`letters`) and of other characters (`symbols`). Pairs of bytes are counted once, so each candidate
costs a few lookups, whatever the length of the sample. Costs are whole numbers, so all machines get the same result.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import AnyStr, Final, Generic, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusmill.schemas.decoding import symbols
from corpusmill.schemas.decoding.letters import UNITS, UNKNOWN, lower, script_of, shipped

_Array = npt.NDArray[np.int64]


class Guess(NamedTuple):
    """An encoding (Python's name), the language in which its text is most likely, and the cost in nats."""

    codec: str
    language: str
    cost: float


class _Use(NamedTuple):
    """Prior costs of an encoding in nats: its base cost, its home languages, and the extra cost of other languages."""

    cost: float
    home: frozenset[str]
    elsewhere: float = 4.0


def _use(cost: float, home: str = "", elsewhere: float = 4.0) -> _Use:
    return _Use(cost, frozenset(home.split()), elsewhere)


_WEST: Final = "en de fr es pt it nl sv da nb fi is ca gl eu ga cy af id sq br lb sw et"
_EAST: Final = "pl cs sk hu ro sh sl sq"
SINGLE_BYTE: Final[Mapping[str, _Use]] = {
    "cp1252": _use(0.0, _WEST, 2.0),
    "cp1250": _use(2.0, _EAST),
    "cp1251": _use(0.0, "ru uk be bg mk sr"),
    "cp1253": _use(0.0, "el"),
    "cp1254": _use(2.0, "tr az"),
    "cp1255": _use(0.0, "he"),
    "cp1256": _use(0.0, "ar fa"),
    "cp1257": _use(2.0, "et lv lt"),
    "cp1258": _use(2.0, "vi", 9.0),
    "cp874": _use(0.0, "th"),
    "iso8859-2": _use(2.5, _EAST),
    "iso8859-3": _use(3.0, "eo", 6.0),
    "iso8859-4": _use(4.0, "et lv lt", 6.0),
    "iso8859-5": _use(3.0, "ru uk be bg mk sr"),
    "iso8859-6": _use(1.0, "ar fa"),
    "iso8859-7": _use(0.5, "el"),
    "iso8859-8": _use(1.0, "he"),
    "iso8859-10": _use(5.0, "is", 6.0),
    "iso8859-13": _use(4.0, "et lv lt"),
    "iso8859-14": _use(4.0, "ga cy br", 6.0),
    "iso8859-15": _use(2.0, _WEST, 4.0),
    "iso8859-16": _use(4.0, "ro", 6.0),
    "koi8-r": _use(1.0, "ru bg"),
    "koi8-u": _use(1.5, "uk be", 2.0),
    "mac-roman": _use(4.0, _WEST, 4.0),
    "mac-cyrillic": _use(4.0, "ru uk be bg mk sr"),
    "cp866": _use(2.5, "ru be"),
    "cp850": _use(6.0, _WEST),
    "cp437": _use(7.0, _WEST),
    "cp852": _use(7.0, _EAST),
}
MULTI_BYTE: Final[Mapping[str, Mapping[str, float]]] = {
    "cp932": {"ja": 0.0},
    "euc_jp": {"ja": 0.5},
    "iso2022_jp": {"ja": 0.5},
    "cp949": {"ko": 0.0},
    "gb18030": {"zh_hans": 0.0, "zh_hant": 5.0},
    "big5hkscs": {"zh_hant": 0.0},
}
"""Prior cost in nats of each language, by encoding."""
_DECLARED: Final = 5.0
"""Bonus in nats for the language that the page declares."""
_ACROSS_SCRIPTS: Final = 14 * UNITS
_NO_LETTER_HERE: Final = 10 * UNITS
_LATIN_LETTER: Final = UNITS // 2
_MAX_LATIN: Final = 40 * UNITS
"""Upper bound of the cost of Latin letters in a text of another script: six letters of that script outweigh it, and one
does not."""
_IS_LETTER: Final = np.array([chr(code).isascii() and chr(code).isalpha() for code in range(256)])
_MAX_DAMAGE: Final = 0.02
_NO_OWN_LETTER: Final = 12 * UNITS
"""Cost of a text without any letter of the encoding's script, if that script is not Latin."""
_LONE_LETTER: Final = 8 * UNITS
"""Cost of each non-Latin letter at the start of a word beyond the number of those that follow another such letter."""
_FIRST_IDEOGRAPH: Final = 0x2E80
_MAX_OCCURRENCES: Final = 3
_WORD: Final = re.compile(rb"[A-Za-z]*+[\x80-\xff][A-Za-z\x80-\xff]*+")
"""A word with a non-ASCII letter, in any single-byte encoding."""
_DECODED_WORD: Final = re.compile(r"[A-Za-z]*+[^\x00-\x7f][A-Za-z\x80-\U0010ffff]*+")
"""The same in text that is decoded already: a sentence, where words are not separated."""


def guesses(sample: bytes, *, codecs: frozenset[str] | None = None, language: str | None = None) -> list[Guess]:
    """Return the possible encodings of *sample*, the most likely first; empty if it is ASCII.

    Args:
        sample: Text without markup; ten thousand bytes are enough.
        codecs: Python's names of the encodings to try; all by default.
        language: ISO 639-1 code of the declared language.
    """
    pairs = _Pairs(sample)
    candidates = [
        Guess(codec, *best)
        for codec in SINGLE_BYTE
        if (codecs is None or codec in codecs) and (best := _single_byte(pairs, codec, language))
    ]
    candidates += [
        Guess(codec, *best)
        for codec in MULTI_BYTE
        if (codecs is None or codec in codecs) and (best := _multi_byte(sample, codec, language))
    ]
    return sorted(candidates, key=lambda guess: (guess.cost, guess.codec))


class _Pairs:
    """Counts of the pairs of adjacent bytes in a sample, and the total cost of the pairs of ASCII."""

    def __init__(self, sample: bytes) -> None:
        data = np.frombuffer(b" " + _without_repeats(sample) + b" ", np.uint8).astype(np.int64)
        counts = np.bincount(data[:-1] * 256 + data[1:], minlength=65_536)
        codes = np.flatnonzero(counts)
        before, after, counts = codes // 256, codes % 256, counts[codes]
        is_high = (before > 127) | (after > 127)
        self.before, self.after, self.counts = before[is_high], after[is_high], counts[is_high]
        self.ascii = _ascii_costs(before[~is_high], after[~is_high], counts[~is_high])
        self.latin = _latin_cost(int(counts[_IS_LETTER[before] & ~is_high].sum()))


def _without_repeats(sample: bytes) -> bytes:
    """Remove each word from *sample* after its first `_MAX_OCCURRENCES` occurrences.

    A repeated name is not new evidence: thirty times "Pâté" made an English page Latvian.
    """
    return _WORD.sub(_FirstOccurrences[bytes](), sample)


class _FirstOccurrences(Generic[AnyStr]):
    """Keeps the first `_MAX_OCCURRENCES` occurrences of each match."""

    def __init__(self) -> None:
        self._counts: Counter[AnyStr] = Counter()

    def __call__(self, word: re.Match[AnyStr]) -> AnyStr:
        self._counts[word[0]] += 1
        return word[0] if self._counts[word[0]] <= _MAX_OCCURRENCES else word[0][:0]


def _latin_cost(letters: int) -> int:
    """Return the cost of a number of ASCII *letters* in a text of another script."""
    return min(letters * _LATIN_LETTER, _MAX_LATIN)


class _Single:
    """The letters, classes and cases that the 256 bytes of a single-byte encoding stand for."""

    def __init__(self, codec: str) -> None:
        text = bytes(range(256)).decode(codec, "replace")
        self.script = Counter(filter(None, map(_script, text[128:]))).most_common(1)[0][0]
        alphabet = {character: number for number, character in enumerate(shipped().alphabets[self.script], 1)}
        self.classes = np.array([symbols.class_of(character) for character in text])
        self.letters = np.array([alphabet.get(lower(character), 0) for character in text])
        self.letters[self.classes != symbols.LETTER] = 0
        self.case = np.array([symbols.case_of(character) for character in text])
        self.is_foreign = (self.classes == symbols.LETTER) & (self.letters == 0)


def _script(character: str) -> str | None:
    return script_of(character) if symbols.class_of(character) == symbols.LETTER else None


@cache
def _single(codec: str) -> _Single:
    return _Single(codec)


@cache
def _pair_costs(script: str) -> npt.NDArray[np.uint8]:
    costs = shipped().pairs[script].copy()
    costs[:, 0, 0] = 0
    return costs


@cache
def _class_costs() -> _Array:
    costs: _Array = np.rint(np.array(symbols.class_costs()) * UNITS).astype(np.int64)
    return costs


@cache
def _case_costs() -> _Array:
    costs: _Array = np.rint(np.array(symbols.CASE_COSTS) * UNITS).astype(np.int64)
    return costs


def _ascii_costs(before: _Array, after: _Array, counts: _Array) -> _Array:
    """Return the cost of pairs of ASCII characters for each language in Latin script."""
    single = _single("cp1252")
    shared = _shared_cost(single, before, after, counts)
    return _letter_cost("latin", single.letters, before, after, counts) + shared


def _letter_cost(script: str, letters: _Array, before: _Array, after: _Array, counts: _Array) -> _Array:
    """Return the cost of pairs of letters for each language of *script*."""
    costs = _pair_costs(script)[:, letters[before], letters[after]].astype(np.int64)
    total: _Array = costs @ counts
    return total


def _shared_cost(single: _Single, before: _Array, after: _Array, counts: _Array) -> int:
    """Return the cost of pairs that is equal for all languages: classes, case, letters of no language of the script."""
    costs = _class_costs()[single.classes[before], single.classes[after]]
    costs = costs + _case_costs()[single.case[before], single.case[after]]
    is_across = single.is_foreign[before] != single.is_foreign[after]
    is_across &= (single.classes[before] == symbols.LETTER) & (single.classes[after] == symbols.LETTER)
    costs = costs + _ACROSS_SCRIPTS * is_across + _NO_LETTER_HERE * (single.is_foreign[after] & (after > 127))
    return int(costs @ counts)


def _single_byte(pairs: _Pairs, codec: str, language: str | None) -> tuple[str, float] | None:
    """Return the most likely language for *codec*, and its cost in nats; None if the sample is ASCII."""
    if not len(pairs.counts):
        return None
    single, use = _single(codec), SINGLE_BYTE[codec]
    languages = shipped().scripts[single.script]
    costs = _letter_cost(single.script, single.letters, pairs.before, pairs.after, pairs.counts)
    costs = costs + _shared_cost(single, pairs.before, pairs.after, pairs.counts)
    if single.script == "latin":
        costs = costs + pairs.ascii
    else:
        costs = costs + (pairs.ascii + _latin_edges(pairs, single)).min() + pairs.latin + _lone_cost(pairs, single)
    nats = [
        float(cost) / UNITS
        + use.cost
        + (0.0 if name in use.home else use.elsewhere)
        - (_DECLARED if name == language else 0.0)
        for name, cost in zip(languages, costs.tolist(), strict=True)
    ]
    best = min(range(len(nats)), key=nats.__getitem__)
    return languages[best], nats[best]


def _latin_edges(pairs: _Pairs, single: _Single) -> _Array:
    """Return the cost of pairs at the edges of Latin words in a text of another script, such as `’` after a letter."""
    letters = np.where(np.arange(256) < 128, _single("cp1252").letters, 0)
    is_edge = (single.classes[pairs.before] != symbols.LETTER) | (pairs.before < 128)
    is_edge &= (single.classes[pairs.after] != symbols.LETTER) | (pairs.after < 128)
    return _letter_cost("latin", letters, pairs.before[is_edge], pairs.after[is_edge], pairs.counts[is_edge])


def _lone_cost(pairs: _Pairs, single: _Single) -> int:
    """Return the cost of a non-Latin text without letters of its script, or with too many that stand alone."""
    is_letter = single.letters[pairs.after] > 0
    follows = single.letters[pairs.before] > 0
    beginning, inner = (int(pairs.counts[is_letter & mask].sum()) for mask in (~follows, follows))
    return max(0, beginning - inner) * _LONE_LETTER if beginning else _NO_OWN_LETTER


@cache
def _code_classes() -> npt.NDArray[np.uint8]:
    """Return the class of each code point of the Basic Multilingual Plane."""
    classes = np.full(0x10000, symbols.IDEOGRAPH, np.uint8)
    for first, last in ((0, 0x3040), (0xFB00, 0x10000)):
        classes[first:last] = [symbols.class_of(chr(code)) for code in range(first, last)]
    classes[0x30FB:0x30FD] = symbols.IDEOGRAPHIC_MARK
    classes[0xD800:0xF900] = symbols.BAD
    return classes


@cache
def _ideographs(language: str) -> _Array:
    costs = np.full(0x10000, UNKNOWN, np.int64)
    known = {character: cost for character, cost in shipped().ideographs[language].items() if ord(character) < 0x10000}
    costs[[ord(character) for character in known]] = list(known.values())
    costs[:_FIRST_IDEOGRAPH] = 0
    return costs


def _multi_byte(sample: bytes, codec: str, language: str | None) -> tuple[str, float] | None:
    """Return the most likely language for *codec*, and its cost in nats; None if the bytes do not fit."""
    if (codec == "iso2022_jp") != (b"\x1b" in sample):
        return None
    text = sample.decode(codec, "replace")
    damaged = text.count("\ufffd")
    if damaged > 1 + _MAX_DAMAGE * len(text):
        return None
    text = _DECODED_WORD.sub(_FirstOccurrences[str](), text)
    codes = np.frombuffer(f" {text} ".encode("utf-32-le"), np.uint32).astype(np.int64)
    codes = np.minimum(codes, 0xFFFF)
    classes = _code_classes()[codes]
    shared = int(_class_costs()[classes[:-1], classes[1:]].sum())
    shared += 8 * UNITS * int(((classes == symbols.LETTER) & (codes > 127)).sum())
    ascii_codes = np.where(codes < 128, codes, 0)
    counts = np.bincount(ascii_codes[:-1] * 128 + ascii_codes[1:], minlength=16_384)
    pairs = np.flatnonzero(counts)
    before, after, counts = pairs // 128, pairs % 128, counts[pairs]
    single = _single("cp1252")
    shared += _latin_cost(int(counts[_IS_LETTER[before]].sum()))
    shared += int(_letter_cost("latin", single.letters, before, after, counts).min())
    shared += int(_case_costs()[single.case[before], single.case[after]] @ counts)
    best = min(
        (
            (int(_ideographs(name)[codes].sum()) + shared) / UNITS
            + cost
            - (_DECLARED if name[:2] == language else 0.0),
            name,
        )
        for name, cost in MULTI_BYTE[codec].items()
    )
    return best[1], best[0]
