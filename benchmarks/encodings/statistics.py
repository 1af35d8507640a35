"""Generate `schemas/decoding/letters.model`, the letter statistics for decoding bytes without a declared encoding.

    pip install --no-deps --target FOLDER Django wagtail djangorestframework Sphinx
    python -m benchmarks.encodings.statistics FOLDER [--out schemas/decoding/letters.model]

The script reads the translations (`.mo`) of these projects, all under BSD licenses, and the word lists of `simplemma`
(MIT), which is installed for the tests. The file holds costs of letters and pairs of letters, but no text. The same
versions of these distributions give the same file; the first line of the file names the versions.
"""

from __future__ import annotations

import argparse
import gettext
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

from corpusmill.schemas.decoding import letters
from corpusmill.schemas.decoding.symbols import LETTER, class_of

PACKAGES: Final = {
    "Django": "django",
    "wagtail": "wagtail",
    "djangorestframework": "rest_framework",
    "Sphinx": "sphinx",
}
CATALOGS: Final = {
    "en": "en en_GB en_AU",
    "ar": "ar ar_DZ",
    "es": "es es_AR es_CO es_MX es_VE",
    "he": "he he_IL",
    "id": "id ms id_ID",
    "is": "is is_IS",
    "nb": "nb nn",
    "pt": "pt pt_BR pt_PT",
    "sh": "hr hr_HR bs sr_Latn",
    "sk": "sk sk_SK",
    "ko": "ko ko_KR",
    "zh_hans": "zh_Hans zh_CN",
    "zh_hant": "zh_Hant zh_TW zh_HK",
}
"""The locales of each language that has other locales than its own code."""
WORDS: Final = {"sh": "hbs", "sr": "hbs"}
SCRIPTS: Final = {
    "latin": "en de fr es pt it nl sv da nb fi is ca gl eu ga cy af id sq et lv lt pl cs sk hu ro sh sl tr az vi eo "
    "br lb sw".split(),
    "cyrillic": "ru uk be bg mk sr".split(),
    "greek": ["el"],
    "hebrew": ["he"],
    "arabic": "ar fa".split(),
    "thai": ["th"],
}
IDEOGRAPHS: Final = "ja ko zh_hans zh_hant".split()
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)\w|%[sdir]|\{[^}]*\}|<[^>]*>|&\w+;|https?:\S+|:\w+:`[^`]*`")
_MAX_WORDS: Final = 60_000
_WORDS_SHARE: Final = 0.25
"""Total weight of a word list relative to running text."""
_ANY_LANGUAGE: Final = 0.03
"""Share of a pair's probability that comes from the other languages, because of names and loanwords."""
_ANY_LETTER: Final = 0.001
_ASSUMED_PAIRS: Final = 20.0
"""Pairs that are assumed for each letter in addition to those that were counted."""
_RARE_IDEOGRAPH: Final = {"gb2312": "zh_hans", "big5": "zh_hant", "euc_jp": "ja", "euc_kr": "ko"}


def texts(folder: Path, language: str) -> Iterator[str]:
    """Yield the translated messages of *language* without placeholders."""
    for locale in CATALOGS.get(language, language).split():
        for package in PACKAGES.values():
            for path in sorted((folder / package).rglob(f"{locale}/LC_MESSAGES/*.mo")):
                with path.open("rb") as file:
                    messages = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
                for name, message in sorted(messages.items(), key=lambda item: repr(item[0])):
                    if name:
                        yield _PLACEHOLDER.sub(" ", message)


def words(language: str) -> Iterator[str]:
    """Yield the words of the word list of *language*; nothing if there is none."""
    try:
        dictionary = DefaultDictionaryFactory().get_dictionary(WORDS.get(language, language))
    except Exception:  # noqa: BLE001  # each version has its own error for an unknown language
        return
    listed = sorted(word.decode() if isinstance(word, bytes) else word for word in dictionary)
    yield from listed[:: -(-len(listed) // _MAX_WORDS)]


def encodable(text: str, language: str) -> str:
    """Return *text* with the letters by which legacy encodings represent it."""
    match language:
        case "vi":
            return "".join(map(_vietnamese, unicodedata.normalize("NFC", text)))
        case "ro":
            return text.translate(str.maketrans("șțȘȚ", "şţŞŢ"))
        case "fa":
            return text.translate(str.maketrans("ی", "ي"))
        case _:
            return unicodedata.normalize("NFC", text)


def _vietnamese(character: str) -> str:
    """Return *character* as windows-1258 encodes it: with a combining tone if the code page lacks the letter."""
    try:
        character.encode("cp1258")
    except UnicodeEncodeError:
        parts = unicodedata.normalize("NFD", character)
        tone = next((part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323"), "")
        return unicodedata.normalize("NFC", parts.replace(tone, "")) + tone if tone else character
    return character


def alphabets() -> dict[str, str]:
    """Return the lower-case letters of each script that a legacy encoding has."""
    by_script: dict[str, set[str]] = {script: set() for script in SCRIPTS}
    for codec in letters.SINGLE_BYTE:
        for character in bytes(range(256)).decode(codec, "ignore"):
            if class_of(character) == LETTER and (script := letters.script_of(character)):
                by_script[script].add(letters.lower(character))
    return {script: "".join(sorted(characters)) for script, characters in by_script.items()}


def pair_counts(lines: Iterable[str], index: dict[str, int], size: int) -> npt.NDArray[np.float64]:
    """Count the pairs of letters in *lines*; index 0 stands for characters that are not letters."""
    counts = np.zeros((size, size))
    for line in lines:
        numbers = [0, *(index.get(letters.lower(character), 0) for character in line), 0]
        np.add.at(counts, (numbers[:-1], numbers[1:]), 1)
    counts[0, 0] = 0
    return counts


def pair_costs(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return the costs of pairs for all languages of a script, shape (languages, letters, letters)."""
    any_language = sum(one / one.sum() for one in counts)
    any_probability = _probabilities(any_language * 100_000 / len(counts))
    probabilities = [
        (1 - _ANY_LANGUAGE - _ANY_LETTER) * _probabilities(one)
        + _ANY_LANGUAGE * any_probability
        + _ANY_LETTER / one.shape[0]
        for one in counts
    ]
    return np.minimum(np.rint(-np.log(np.stack(probabilities)) * letters.UNITS), 255).astype(np.uint8)


def _probabilities(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability of each letter after each letter, smoothed by the overall frequency of the letter."""
    frequency = (counts.sum(axis=0) + 1e-9) / (counts.sum() + 1e-9 * counts.shape[0])
    smoothed: npt.NDArray[np.float64] = counts + _ASSUMED_PAIRS * frequency
    return smoothed / smoothed.sum(axis=1, keepdims=True)


def script_counts(folder: Path, script: str, alphabet: str) -> npt.NDArray[np.float64]:
    """Count the pairs of letters of each language of *script*."""
    index = {character: number for number, character in enumerate(alphabet, 1)}
    counts = []
    for language in SCRIPTS[script]:
        running = pair_counts((encodable(text, language) for text in texts(folder, language)), index, len(index) + 1)
        listed = pair_counts((encodable(word, language) for word in words(language)), index, len(index) + 1)
        scale = _WORDS_SHARE * max(running.sum(), 20_000) / max(listed.sum(), 1)
        counts.append(running + scale * listed)
        print(f"{language}: {int(running.sum()):,} pairs in texts, {int(listed.sum()):,} in words", flush=True)
    return np.stack(counts)


def ideograph_costs(folder: Path, language: str) -> dict[str, int]:
    """Return the cost of each character of *language* that occurs in the texts or in its oldest character set."""
    counts = Counter(character for text in texts(folder, language) for character in text if ord(character) > 0x2E7F)
    total, once = sum(counts.values()), sum(1 for count in counts.values() if count == 1)
    codec = next(codec for codec, name in _RARE_IDEOGRAPH.items() if name == language)
    common = [character for character in _level_one(codec) if character not in counts]
    rest = 2 * once / total
    probabilities = {character: (1 - rest) * count / total for character, count in counts.items()}
    probabilities |= {character: 0.9 * rest / len(common) for character in common}
    print(f"{language}: {total:,} characters, {len(counts):,} different, {len(common):,} more of {codec}", flush=True)
    return {
        character: min(255, round(-math.log(probability) * letters.UNITS))
        for character, probability in sorted(probabilities.items())
        if class_of(character) != LETTER
    }


def _level_one(codec: str) -> Iterator[str]:
    """Yield the first level of a character set: the characters that its authors considered frequent."""
    rows = {"gb2312": (0xB0, 0xD8), "big5": (0xA4, 0xC7), "euc_jp": (0xB0, 0xD0), "euc_kr": (0xB0, 0xC9)}[codec]
    trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)] if codec == "big5" else range(0xA1, 0xFF)
    for lead in range(*rows):
        for trail in trails:
            character = bytes((lead, trail)).decode(codec, "ignore")
            if len(character) == 1:
                yield character


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder in which Django and the other projects are installed")
    parser.add_argument("--out", type=Path, default=Path("schemas/decoding") / letters.FILE)
    options = parser.parse_args()
    installed = {one.metadata["Name"].lower(): one.version for one in distributions(path=[str(options.folder)])}
    about = {name: installed[name.lower()] for name in PACKAGES} | {"simplemma": version("simplemma")}
    by_script = alphabets()
    pairs = {
        script: pair_costs(script_counts(options.folder, script, alphabet)) for script, alphabet in by_script.items()
    }
    ideographs = {language: ideograph_costs(options.folder, language) for language in IDEOGRAPHS}
    data = letters.packed(letters.Letters(SCRIPTS, by_script, pairs, ideographs), about=about)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
