#include "words.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WORD_STEP = 8, STEP = 64, USUAL_BYTES = 1 << 20 };

static int grow(void **at, size_t *room, size_t count, size_t each) {
    if (count <= *room) return 1;
    size_t wanted = count + count / 2;
    void *more = realloc(*at, wanted * each);
    if (more == NULL) return 0;
    *at = more;
    *room = wanted;
    return 1;
}

int need_values(Scratch *scratch, size_t count) {
    return grow((void **)&scratch->values, &scratch->value_room, count, sizeof *scratch->values);
}

int need_spare(Scratch *scratch, size_t count) {
    return grow((void **)&scratch->spare, &scratch->spare_room, count, sizeof *scratch->spare);
}

void release(Scratch *scratch) {
    free(scratch->text);
    free(scratch->values);
    free(scratch->spare);
    memset(scratch, 0, sizeof *scratch);
}

void shrink(Scratch *scratch) {
    if (scratch->text_room > USUAL_BYTES || scratch->value_room > USUAL_BYTES) release(scratch);
}

/* ---- characters ----------------------------------------------------------------------------------------------------- */

static int is_ascii(const uint8_t *text, size_t bytes) {
    uint8_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= text[i];
    return any < 0x80;
}

static uint64_t eight_bytes(const uint8_t *at) {
    uint64_t piece;
    memcpy(&piece, at, sizeof piece);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    piece = __builtin_bswap64(piece);
#endif
    return piece;
}

/* Decode the character at *text*, of which *left* bytes remain. Broken input gives some code point, and at least one
 * byte is consumed. */
static uint32_t decode(const uint8_t *text, size_t left, size_t *length) {
    uint8_t first = text[0];
    size_t wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (wanted > left) wanted = 1;
    *length = wanted;
    if (wanted == 1) return first;
    uint32_t point = first & (0x7Fu >> wanted);
    for (size_t i = 1; i < wanted; i++) point = point << 6 | (text[i] & 0x3Fu);
    return point;
}

static size_t encode(uint32_t point, uint8_t *to) {
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (uint8_t)(0xC0 | point >> 6);
        to[1] = (uint8_t)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (uint8_t)(0xE0 | point >> 12);
        to[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (point & 0x3F));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | point >> 18);
    to[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
    to[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    to[3] = (uint8_t)(0x80 | (point & 0x3F));
    return 4;
}

static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

/* Return how many of the next bytes are ASCII, in steps of 8. */
static size_t ascii_run(const uint8_t *text, size_t bytes) {
    size_t i = 0;
    while (i + WORD_STEP <= bytes && !(eight_bytes(text + i) & HIGH_BITS)) i += WORD_STEP;
    return i;
}

int is_special(const uint8_t *text, size_t bytes, const Characters *characters) {
    size_t length;
    for (size_t i = 0; i < bytes; i += length) {
        length = 1;
        if (text[i] < 0x80) {
            size_t run = ascii_run(text + i, bytes - i);
            if (run) length = run;
            continue;
        }
        uint32_t point = decode(text + i, bytes - i, &length);
        if (point < characters->count && characters->lower[point] == SPECIAL) return 1;
    }
    return 0;
}

static size_t lower_ascii(const uint8_t *text, size_t bytes, uint8_t *to) {
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(text[i] | ((uint8_t)(text[i] - 'A') < 26) << 5);
    return bytes;
}

static size_t lower(const uint8_t *text, size_t bytes, const Characters *characters, uint8_t *to) {
    size_t out = 0, length;
    for (size_t i = 0; i < bytes; i += length) {
        if (text[i] < 0x80) {
            size_t run = ascii_run(text + i, bytes - i);
            length = run ? run : 1;
            out += lower_ascii(text + i, length, to + out);
            continue;
        }
        uint32_t point = decode(text + i, bytes - i, &length);
        uint32_t lowered = point < characters->count ? (uint32_t)characters->lower[point] : point;
        if (lowered == point) {
            memcpy(to + out, text + i, length);
            out += length;
        } else {
            out += encode(lowered, to + out);
        }
    }
    return out;
}

/* ---- words ---------------------------------------------------------------------------------------------------------- */

/* Hash a word, which at least 7 more bytes follow. */
static uint64_t hash_word(const uint8_t *word, size_t bytes) {
    uint64_t hash = bytes;
    for (; bytes > WORD_STEP; bytes -= WORD_STEP, word += WORD_STEP) hash = splitmix64(hash ^ eight_bytes(word));
    uint64_t mask = bytes == WORD_STEP ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
    return splitmix64(hash ^ (eight_bytes(word) & mask));
}

static int add_word(Scratch *scratch, const uint8_t *word, size_t bytes) {
    if (scratch->count == scratch->value_room && !need_values(scratch, scratch->count + 1)) return 0;
    scratch->values[scratch->count++] = hash_word(word, bytes);
    return 1;
}

/* Return for each of 64 bytes of lower-case ASCII whether `\w` matches it. */
static uint64_t word_bits(const uint8_t *text) {
    uint64_t bits = 0;
#ifdef __SSE2__
    const __m128i a = _mm_set1_epi8('a'), zero = _mm_set1_epi8('0'), line = _mm_set1_epi8('_');
    for (int i = 0; i < 64; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i));
        __m128i letters = _mm_sub_epi8(bytes, a), digits = _mm_sub_epi8(bytes, zero);
        __m128i is_word = _mm_cmpeq_epi8(_mm_min_epu8(letters, _mm_set1_epi8(25)), letters);
        is_word = _mm_or_si128(is_word, _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits));
        is_word = _mm_or_si128(is_word, _mm_cmpeq_epi8(bytes, line));
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(is_word) << i;
    }
#else
    for (int i = 0; i < 64; i++) {
        uint8_t byte = text[i];
        uint64_t is_word = (uint8_t)(byte - 'a') < 26 || (uint8_t)(byte - '0') < 10 || byte == '_';
        bits |= is_word << i;
    }
#endif
    return bits;
}

/* Return for each of 64 bytes whether it is not ASCII. */
static uint64_t high_bits(const uint8_t *text) {
    uint64_t bits = 0;
#ifdef __SSE2__
    for (int i = 0; i < 64; i += 16)
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(text + i))) << i;
#else
    for (int i = 0; i < 64; i++) bits |= (uint64_t)(text[i] >> 7) << i;
#endif
    return bits;
}

/* Add the bytes of the characters that begin at one of the bits of *high* and belong to words to *bits*; those after 64
 * bytes to *next*. Return 0 if one is of a script without spaces. */
static int add_characters(const uint8_t *text, uint64_t high, const Characters *characters, uint64_t *bits, uint64_t *next) {
    for (; high; high &= high - 1) {
        int at = __builtin_ctzll(high);
        if (text[at] < 0xC0) continue;
        size_t length;
        uint32_t point = decode(text + at, STEP, &length);
        uint8_t class = point < characters->count ? characters->classes[point] : 0;
        if (class & (UNSPACED_LETTER | UNSPACED_MARK)) return 0;
        if (!class) continue;
        uint64_t bytes = (UINT64_C(1) << length) - 1;
        *bits |= bytes << at;
        if (at + (int)length > STEP) *next |= bytes >> (STEP - at);
    }
    return 1;
}

enum { NO_MEMORY = 0, IS_CUT = 1, HAS_UNSPACED = 2 };

/* Cut a text of scripts with spaces. The edges of words are found 64 bytes at a time, because a branch per byte would
 * often be mispredicted. */
static int cut_spaced(Scratch *scratch, size_t bytes, const Characters *characters) {
    const uint8_t *text = scratch->text, *start = NULL;
    uint64_t before = 0, next = 0;
    for (size_t at = 0; at < bytes + 1; at += STEP) { /* one more byte: it ends the last word */
        if (!need_values(scratch, scratch->count + STEP / 2 + 1)) return NO_MEMORY;
        uint64_t bits = word_bits(text + at) | next, high = high_bits(text + at);
        next = 0;
        if (high && !add_characters(text + at, high, characters, &bits, &next)) return HAS_UNSPACED;
        uint64_t edges = bits ^ (bits << 1 | before);
        before = bits >> 63;
        for (; edges; edges &= edges - 1) {
            const uint8_t *edge = text + at + __builtin_ctzll(edges);
            if (start != NULL) scratch->values[scratch->count++] = hash_word(start, (size_t)(edge - start));
            start = start == NULL ? edge : NULL;
        }
    }
    return IS_CUT;
}

/* Cut any text. A word ends before a letter of a script without spaces, and where such letters and others meet. */
static int cut_any(Scratch *scratch, size_t bytes, const Characters *characters) {
    const uint8_t *text = scratch->text;
    size_t start = 0, length;
    uint8_t before = 0;
    const uint8_t unspaced = UNSPACED_LETTER | UNSPACED_MARK;
    for (size_t i = 0; i < bytes; i += length) {
        uint32_t point = decode(text + i, bytes - i, &length);
        uint8_t class = point < characters->count ? characters->classes[point] : 0;
        int ends = !class || class & UNSPACED_LETTER || !(class & unspaced) != !(before & unspaced);
        if (before && ends && !add_word(scratch, text + start, i - start)) return 0;
        if (class && (!before || ends)) start = i;
        before = class;
    }
    return !before || add_word(scratch, text + start, bytes - start);
}

int hash_words(Scratch *scratch, const uint8_t *text, size_t bytes, const Characters *characters) {
    scratch->count = 0;
    int ascii = is_ascii(text, bytes);
    size_t room = (ascii ? bytes : 2 * bytes) + 2 * STEP; /* two bytes may become three: U+023A */
    if (!grow((void **)&scratch->text, &scratch->text_room, room, 1)) return 0;
    size_t lowered = ascii ? lower_ascii(text, bytes, scratch->text) : lower(text, bytes, characters, scratch->text);
    memset(scratch->text + lowered, 0, 2 * STEP);
    int status = cut_spaced(scratch, lowered, characters);
    if (status != HAS_UNSPACED) return status == IS_CUT;
    scratch->count = 0;
    return cut_any(scratch, lowered, characters);
}
