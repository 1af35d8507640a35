#include "sets.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define FOR_EACH_MACHINE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_MACHINE
#endif

static const uint64_t MULTIPLIER = UINT64_C(0x94D049BB133111EB); /* odd, and 3 modulo 4: see shingles.py */
static const uint64_t PADDING = UINT64_C(0xD6E8FEB86659FD93);
enum { MAX_NGRAM = 64, BLOCK = 2048, FEW = 24, MAX_BUCKET_BITS = 16 };

/* ---- shingles ------------------------------------------------------------------------------------------------------- */

int make_shingles(Scratch *scratch, size_t ngram) {
    if (!scratch->count || ngram > MAX_NGRAM) return 1;
    if (scratch->count < ngram) {
        if (!need_values(scratch, ngram)) return 0;
        while (scratch->count < ngram) scratch->values[scratch->count++] = PADDING;
    }
    uint64_t weights[MAX_NGRAM], *values = scratch->values;
    weights[0] = 1;
    for (size_t i = 1; i < ngram; i++) weights[i] = weights[i - 1] * MULTIPLIER;
    size_t count = scratch->count - ngram + 1;
    for (size_t at = 0; at < count; at++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < ngram; i++) sum += values[at + i] * weights[i];
        values[at] = splitmix64(sum);
    }
    scratch->count = count;
    return 1;
}

/* ---- sets ----------------------------------------------------------------------------------------------------------- */

static int by_value(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void sort_few(uint64_t *values, size_t count) {
    if (count > FEW) {
        qsort(values, count, sizeof *values, by_value);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        size_t at = i;
        for (; at && values[at - 1] > value; at--) values[at] = values[at - 1];
        values[at] = value;
    }
}

/* Shingles are spread evenly: their first bits place them, and few remain to be sorted in each place. */
int make_set(Scratch *scratch) {
    size_t count = scratch->count;
    if (!need_spare(scratch, count)) return 0;
    int bits = 1;
    while (bits < MAX_BUCKET_BITS && (size_t)2 << bits < count) bits++;
    uint32_t *ends = calloc((size_t)1 << bits, sizeof *ends);
    if (ends == NULL) return 0;
    uint64_t *values = scratch->values, *sorted = scratch->spare;
    int shift = 64 - bits;
    size_t places = (size_t)1 << bits;
    for (size_t i = 0; i < count; i++) ends[values[i] >> shift]++;
    for (size_t place = 0, sum = 0; place < places; place++) {
        size_t here = ends[place];
        ends[place] = (uint32_t)sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) sorted[ends[values[i] >> shift]++] = values[i];
    for (size_t place = 0, start = 0; place < places; start = ends[place++]) sort_few(sorted + start, ends[place] - start);
    free(ends);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || values[kept - 1] != sorted[i]) values[kept++] = sorted[i];
    scratch->count = kept;
    return 1;
}

size_t shared_values(const uint64_t *one, size_t count_one, const uint64_t *other, size_t count_other) {
    size_t i = 0, j = 0, shared = 0;
    while (i < count_one && j < count_other) {
        uint64_t a = one[i], b = other[j];
        shared += a == b;
        i += a <= b;
        j += b <= a;
    }
    return shared;
}

/* ---- bitmaps -------------------------------------------------------------------------------------------------------- */

size_t bitmap_words(size_t count) {
    size_t bits = MIN_BITS;
    while (bits < MAX_BITS && bits < 2 * count) bits *= 2;
    return bits / 64;
}

void fill_bitmap(const uint64_t *set, size_t count, uint64_t *bitmap, size_t words) {
    memset(bitmap, 0, words * sizeof *bitmap);
    uint64_t mask = 64 * words - 1;
    for (size_t i = 0; i < count; i++) bitmap[(set[i] & mask) / 64] ^= UINT64_C(1) << (set[i] & 63);
}

FOR_EACH_MACHINE
static size_t differing(const uint64_t *one, const uint64_t *other, size_t words) {
    size_t bits = 0;
    for (size_t i = 0; i < words; i++) bits += (size_t)__builtin_popcountll(one[i] ^ other[i]);
    return bits;
}

static size_t differing_folded(const uint64_t *small, size_t words, const uint64_t *large, size_t more) {
    size_t bits = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t folded = small[i];
        for (size_t at = i; at < more; at += words) folded ^= large[at];
        bits += (size_t)__builtin_popcountll(folded);
    }
    return bits;
}

size_t differing_bits(const uint64_t *one, size_t words_one, const uint64_t *other, size_t words_other) {
    if (words_one == words_other) return differing(one, other, words_one);
    if (words_one < words_other) return differing_folded(one, words_one, other, words_other);
    return differing_folded(other, words_other, one, words_one);
}

/* ---- signatures ----------------------------------------------------------------------------------------------------- */

/* The finalizer of MurmurHash3 (Appleby 2011, public domain), which datasketch applies first. */
static inline uint32_t finalized(uint32_t hash) {
    hash ^= hash >> 16;
    hash *= 0x85EBCA6Bu;
    hash ^= hash >> 13;
    hash *= 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

FOR_EACH_MACHINE
void take_minima(const uint64_t *shingles, size_t count, const uint32_t *a, const uint32_t *b, size_t permutations,
                 uint32_t *minima) {
    uint32_t mixed[BLOCK];
    for (size_t p = 0; p < permutations; p++) minima[p] = UINT32_MAX;
    for (size_t start = 0; start < count; start += BLOCK) {
        size_t here = count - start < BLOCK ? count - start : BLOCK;
        for (size_t i = 0; i < here; i++) mixed[i] = finalized((uint32_t)shingles[start + i]);
        for (size_t p = 0; p < permutations; p++) {
            uint32_t least = minima[p], factor = a[p], addend = b[p];
            for (size_t i = 0; i < here; i++) {
                uint32_t value = mixed[i] * factor + addend;
                least = value < least ? value : least;
            }
            minima[p] = least;
        }
    }
}

void hash_bands(const uint32_t *minima, size_t bands, size_t rows, int64_t *keys) {
    for (size_t band = 0; band < bands; band++) {
        uint64_t key = band + 1;
        for (size_t row = 0; row < rows; row++) key = splitmix64(key ^ minima[band * rows + row]);
        keys[band] = (int64_t)key;
    }
}
