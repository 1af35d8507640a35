"""A second implementation of the signals: one document, plain Python, easy to compare with the definitions."""

from __future__ import annotations

from collections import Counter

from corpusmill.pipelines.stages.quality.signals import BULLETS, PUNCTUATION, STOP_WORDS

Gram = tuple[str, ...]


def reference(text: str) -> dict[str, float]:
    """Return every signal of *text*."""
    words = text.split()
    lines = [tuple(line.split()) for line in text.split("\n")]
    chars = sum(map(len, words))
    return {
        **_of_words(words, chars),
        **_of_lines([line for line in lines if line]),
        **_of_segments("line", [line for line in lines if line], chars),
        **_of_segments("paragraph", _paragraphs(lines), chars),
        **{f"gopher.top_{n}_gram": _share(_top(words, n), chars) for n in (2, 3, 4)},
        **{f"gopher.duplicate_{n}_grams": _share(_duplicates(words, n), chars) for n in range(5, 11)},
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _of_words(words: list[str], chars: int) -> dict[str, float]:
    hashes = sum(word.count("#") for word in words)
    ellipses = sum(word.count("...") + word.count("…") for word in words)
    bare = {word.strip(PUNCTUATION) for word in words}
    return {
        "gopher.word_count": len(words),
        "gopher.mean_word_length": _share(chars, len(words)),
        "gopher.symbol_ratio": _share(max(hashes, ellipses), len(words)),
        "gopher.alphabetic_words": _share(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "gopher.stop_words": len({word.lower() for word in bare if word.isascii()} & set(STOP_WORDS)),
    }


def _of_lines(lines: list[Gram]) -> dict[str, float]:
    return {
        "gopher.bullet_lines": _share(sum(line[0][0] in BULLETS for line in lines), len(lines)),
        "gopher.ellipsis_lines": _share(sum(line[-1].endswith(("...", "…")) for line in lines), len(lines)),
    }


def _paragraphs(lines: list[Gram]) -> list[Gram]:
    found: list[Gram] = [()]
    for line in lines:
        if line:
            found[-1] += line
        elif found[-1]:
            found.append(())
    return [paragraph for paragraph in found if paragraph]


def _of_segments(name: str, segments: list[Gram], chars: int) -> dict[str, float]:
    copies = [segment for place, segment in enumerate(segments) if segment in segments[:place]]
    return {
        f"gopher.duplicate_{name}s": _share(len(copies), len(segments)),
        f"gopher.duplicate_{name}_characters": _share(sum(len("".join(copy)) for copy in copies), chars),
    }


def _grams(words: list[str], n: int) -> list[Gram]:
    return [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]


def _covered(words: list[str], n: int, wanted: set[Gram]) -> int:
    hit = {place + step for place, gram in enumerate(_grams(words, n)) if gram in wanted for step in range(n)}
    return sum(len(words[place]) for place in hit)


def _top(words: list[str], n: int) -> int:
    counts = Counter(_grams(words, n))
    most = max(counts.values(), default=0)
    if most < 2:
        return 0
    return max(_covered(words, n, {gram}) for gram, count in counts.items() if count == most)


def _duplicates(words: list[str], n: int) -> int:
    counts = Counter(_grams(words, n))
    return _covered(words, n, {gram for gram, count in counts.items() if count > 1})
