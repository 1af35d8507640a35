/* Shingles of a text: in order, as a sorted set, and as a bitmap. */
#ifndef CORPUSMILL_DEDUP_SETS_H
#define CORPUSMILL_DEDUP_SETS_H

#include "words.h"

enum { MIN_BITS = 64, MAX_BITS = 1 << 16 };

/* Replace the words in `values` by their shingles of *ngram* words. Return 0 if memory runs out. */
int make_shingles(Scratch *scratch, size_t ngram);

/* Sort `values` and drop repeated ones. Return 0 if memory runs out. */
int make_set(Scratch *scratch);

/* Return how many 64-bit words the bitmap of a set of *count* shingles has. */
size_t bitmap_words(size_t count);

/* Fill a bitmap of *words* words with the parities of the shingles, by their low bits. */
void fill_bitmap(const uint64_t *set, size_t count, uint64_t *bitmap, size_t words);

/* Return in how many bits two bitmaps differ, after folding the larger one to the size of the smaller one. */
size_t differing_bits(const uint64_t *one, size_t words_one, const uint64_t *other, size_t words_other);

/* Return how many values two sorted sets share. */
size_t shared_values(const uint64_t *one, size_t count_one, const uint64_t *other, size_t count_other);

/* Take the least value of each permutation ``a h + b mod 2^32`` over the shingles. */
void take_minima(const uint64_t *shingles, size_t count, const uint32_t *a, const uint32_t *b, size_t permutations,
                 uint32_t *minima);

/* Hash the bands of a signature. */
void hash_bands(const uint32_t *minima, size_t bands, size_t rows, int64_t *keys);

#endif
