"""Scripts that do not separate words. In these scripts a letter with its marks counts as a word.

They are Han, Hiragana, Katakana, Bopomofo and Yi, between whose letters a line may break (UAX #14, class ID and related
classes; UAX #29, section 4), and the scripts of class SA, "complex context": Thai, Lao, Khmer, Burmese and related
ones. Digits are in none of these classes and stay together. Tibetan and Korean separate syllables or words and are not
included.

A shingle has as many letters in these scripts as it has words elsewhere (`ngram`, 5). On the Declaration of Human
Rights (`udhr2` of NLTK), 5 letters work as well as 5 English words. The highest similarity of any two of its articles
is 0.12 (Chinese), 0.24 (Japanese), 0.25 (Thai), 0.18 (Lao), 0.30 (Khmer), 0.26 (Burmese) and 0.29 (English). With one
letter or word in a hundred changed, a text has a similarity of 0.89 to 0.91 to itself in each. With 2 letters the
ranges are 0.22 to 0.46 and 0.94 to 0.96; with 10, 0.03 to 0.18 and 0.82 to 0.83, which is too close to the usual
threshold of 0.8.
"""

from __future__ import annotations

from typing import Final

UNSPACED: Final = (
    *((0x0E01, 0x0E3A), (0x0E40, 0x0E4E)),  # Thai
    *((0x0E81, 0x0ECF), (0x0EDC, 0x0EDF)),  # Lao
    *((0x1000, 0x103F), (0x1050, 0x108F), (0x109A, 0x109F)),  # Myanmar
    *((0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD)),  # Khmer
    *((0x1950, 0x1974), (0x1980, 0x19C9)),  # Tai Le, New Tai Lue
    *((0x1A20, 0x1A7C), (0x1A7F, 0x1A7F), (0x1AA7, 0x1AA7)),  # Tai Tham
    *((0x3005, 0x3007), (0x3021, 0x302D), (0x3031, 0x3035), (0x3038, 0x303B)),  # Han, Kana: repetition, numerals, tones
    *((0x3041, 0x309F), (0x30A1, 0x30FF), (0x31F0, 0x31FF)),  # Hiragana, Katakana
    *((0x3105, 0x312F), (0x31A0, 0x31BF)),  # Bopomofo
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF)),  # Han
    (0xA000, 0xA48C),  # Yi
    *((0xA9E0, 0xA9EF), (0xA9FA, 0xA9FE), (0xAA60, 0xAA7F)),  # Myanmar
    *((0xAA80, 0xAAC2), (0xAADB, 0xAADD)),  # Tai Viet
    *((0xF900, 0xFAFF), (0xFF66, 0xFF9F)),  # Han, Katakana of half width
    *((0x11700, 0x1172B), (0x11740, 0x11746)),  # Ahom
    (0x1AFF0, 0x1B167),  # Kana
    *((0x20000, 0x2FA1F), (0x30000, 0x3347F)),  # Han
)
"""First and last code points, from Scripts.txt and LineBreak.txt of Unicode 16 (UAX #24, UAX #14)."""
