#include "sketch.h"

#include "word_characters.h"

#include <stdlib.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------------ */

static uint32_t crc_table[256]; /* CRC-32 as in zlib (ISO 3309) */

static void fill_crc_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
        crc_table[byte] = crc;
    }
}

static uint32_t crc32_of(const char *at, const char *end) {
    uint32_t crc = UINT32_MAX;
    for (; at < end; at++) crc = crc >> 8 ^ crc_table[(crc ^ (uint8_t)*at) & 0xFF];
    return ~crc;
}

static int is_lower_or_digit(char byte) { return (uint8_t)(byte - 'a') < 26 || is_digit(byte); }

/* Return the range of *point*, or the one after it. *hint* is a range that is tried first. */
static const Range *range_of(uint32_t point, const Range *hint) {
    if (point >= hint->first && point <= hint->last) return hint;
    size_t low = 0, high = WORD_RANGES - 1; /* the last one is beyond all characters */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (word_ranges[middle].last < point) low = middle + 1;
        else high = middle;
    }
    return &word_ranges[low];
}

/* Return the place after the letter at *at*, or *at* if there is none. Unless it is a digit, clear *are_digits*. */
static const char *after_letter(const char *at, const Range **range, int *are_digits) {
    const char *next;
    if ((uint8_t)*at < 0x80) {
        if (!is_letter(*at)) return at;
        *are_digits = 0;
        return at + 1;
    }
    uint32_t point = point_at(at, &next);
    *range = range_of(point, *range);
    if (point < (*range)->first) return at;
    *are_digits &= (*range)->are_digits;
    return next;
}

static const char *after_ascii_word(const char *at, const char *end, int *are_digits) {
    for (; at < end && is_lower_or_digit(*at); at++) *are_digits &= is_digit(*at);
    return at;
}

static const char *after_letters(const char *at, const char *end, const Range **range, int *are_digits) {
    while (at < end) {
        const char *next = after_letter(at, range, are_digits);
        if (next == at) break;
        at = next;
    }
    return at;
}

/* Write the CRC of each word that is not a number to *words*, which has room for one for each byte. A word is a run of
 * ASCII letters and digits, or one of letters of any script; the former comes first. */
static size_t hash_words(Slice text, uint32_t *words) {
    const Range *range = word_ranges;
    uint32_t *to = words;
    for (const char *at = text.start, *end = text.end; at < end;) {
        const char *start = at;
        int are_digits = 1;
        if (is_lower_or_digit(*at)) at = after_ascii_word(at, end, &are_digits);
        else at = after_letters(at, end, &range, &are_digits);
        if (at == start) point_at(start, &at);
        else if (!are_digits) *to++ = crc32_of(start, at);
    }
    return (size_t)(to - words);
}

/* ---- sorting ---------------------------------------------------------------------------------------------------- */

enum { FEW = 32 };

static void insertion_sort(uint32_t *values, size_t count) {
    for (size_t at = 1; at < count; at++) {
        uint32_t value = values[at];
        size_t to = at;
        for (; to > 0 && values[to - 1] > value; to--) values[to] = values[to - 1];
        values[to] = value;
    }
}

/* Sort by bytes, which takes linear time for any input. *spare* has room for as many values. */
static void sort(uint32_t *values, uint32_t *spare, size_t count) {
    if (count <= FEW) {
        insertion_sort(values, count);
        return;
    }
    for (int shift = 0; shift < 32; shift += 8) {
        size_t starts[257] = {0};
        for (size_t at = 0; at < count; at++) starts[(values[at] >> shift & 0xFF) + 1]++;
        for (int byte = 0; byte < 256; byte++) starts[byte + 1] += starts[byte];
        for (size_t at = 0; at < count; at++) spare[starts[values[at] >> shift & 0xFF]++] = values[at];
        uint32_t *swapped = values;
        values = spare;
        spare = swapped;
    }
}

/* ---- sketches --------------------------------------------------------------------------------------------------- */

static uint64_t splitmix64(uint64_t value) {
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* Replace each of the sorted *words* by a hash of it and of how many equal ones precede it; delete those of *own*. */
static size_t make_features(uint32_t *words, size_t count, const uint32_t *own, size_t own_count) {
    size_t to = 0, passed = 0;
    uint64_t times = 0;
    for (size_t at = 0; at < count; at++) {
        uint32_t word = words[at];
        while (passed < own_count && own[passed] < word) passed++;
        if (passed < own_count && own[passed] == word) continue;
        words[to++] = (uint32_t)splitmix64(times << 32 | word);
        times = at + 1 < count && words[at + 1] == word ? times + 1 : 0;
    }
    return to;
}

static size_t without_repetitions(uint32_t *values, size_t count) {
    size_t to = count > 0;
    for (size_t at = 1; at < count; at++)
        if (values[at] != values[at - 1]) values[to++] = values[at];
    return to;
}

ptrdiff_t sketch_of(Slice text, Slice own, size_t max_words, uint32_t **sketch) {
    size_t bytes = (size_t)(text.end - text.start), own_bytes = (size_t)(own.end - own.start);
    size_t most = bytes > own_bytes ? bytes : own_bytes;
    uint32_t *words = malloc((bytes + 1) * sizeof *words), *spare = malloc((most + 1) * sizeof *spare);
    uint32_t *of_own = malloc((own_bytes + 1) * sizeof *of_own);
    ptrdiff_t result = -1;
    if (words && spare && of_own) {
        size_t own_count = hash_words(own, of_own), count = hash_words(text, words);
        sort(of_own, spare, own_count);
        sort(words, spare, count);
        count = make_features(words, count, of_own, own_count);
        sort(words, spare, count);
        count = without_repetitions(words, count);
        result = (ptrdiff_t)(count < max_words ? count : max_words);
        *sketch = words;
        words = NULL;
    }
    free(words);
    free(spare);
    free(of_own);
    return result;
}

static uint32_t value_at(Slice sketch, size_t at) {
    uint32_t value;
    memcpy(&value, sketch.start + at * sizeof value, sizeof value);
    return value;
}

static size_t values_of(Slice sketch, size_t compared) {
    size_t count = (size_t)(sketch.end - sketch.start) / sizeof(uint32_t);
    return count < compared ? count : compared;
}

int is_alike(Slice one, Slice other, size_t compared, double share) {
    size_t first = values_of(one, compared), second = values_of(other, compared);
    size_t all = first == compared || second == compared ? compared : SIZE_MAX; /* the smallest values of the union */
    size_t in_union = 0, shared = 0;
    for (size_t a = 0, b = 0; (a < first || b < second) && in_union < all; in_union++) {
        uint32_t left = a < first ? value_at(one, a) : 0, right = b < second ? value_at(other, b) : 0;
        int is_left = a < first && (b == second || left <= right);
        int is_right = b < second && (a == first || right <= left);
        shared += is_left && is_right;
        a += (size_t)is_left;
        b += (size_t)is_right;
    }
    return (double)shared >= share * (double)in_union;
}

void sketch_init(void) { fill_crc_table(); }
