/* Oblivious trees: all nodes of a level ask the same question, so that a tree is a table of 2 ** depth numbers.
 *
 * Every block is taken through one tree after another; the answers of a level are one comparison over a whole column.
 * Scores are sums of integers: they do not depend on the machine, the compiler or the order of anything.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 512 };     /* blocks taken through all trees together: their columns stay in the cache */

static void score_chunk(const Stage *stage, const float *restrict columns, int32_t count, int32_t size, int32_t *restrict scores) {
    int32_t leaf[CHUNK];
    for (int32_t i = 0; i < size; i++) scores[i] = stage->bias;
    for (int32_t tree = 0; tree < stage->trees; tree++) {
        const int32_t *features = stage->features + (size_t)tree * (size_t)stage->depth;
        const float *borders = stage->borders + (size_t)tree * (size_t)stage->depth;
        int32_t level = 0;
        memset(leaf, 0, (size_t)size * sizeof *leaf);
        for (; level + 3 <= stage->depth; level += 3) {       /* three at once: fewer passes over the leaves */
            const float *restrict a = columns + (size_t)features[level] * (size_t)count;
            const float *restrict b = columns + (size_t)features[level + 1] * (size_t)count;
            const float *restrict c = columns + (size_t)features[level + 2] * (size_t)count;
            float x = borders[level], y = borders[level + 1], z = borders[level + 2];
            for (int32_t i = 0; i < size; i++)
                leaf[i] |= ((a[i] > x) + 2 * (b[i] > y) + 4 * (c[i] > z)) << level;
        }
        for (; level < stage->depth; level++) {
            const float *restrict column = columns + (size_t)features[level] * (size_t)count;
            float border = borders[level];
            for (int32_t i = 0; i < size; i++) leaf[i] |= (column[i] > border) << level;
        }
        const int32_t *restrict leaves = stage->leaves + ((size_t)tree << stage->depth);
        for (int32_t i = 0; i < size; i++) scores[i] += leaves[leaf[i]];
    }
}

void score_blocks(const Stage *stage, const float *columns, int32_t count, int32_t *scores) {
    for (int32_t from = 0; from < count; from += CHUNK)
        score_chunk(stage, columns + from, count, count - from < CHUNK ? count - from : CHUNK, scores + from);
}

void chances_of(const uint16_t *table, const int32_t *scores, int32_t count, uint16_t *chances) {
    for (int32_t i = 0; i < count; i++) {
        int64_t place = ((int64_t)scores[i] + SCORE_BOUND) * CHANCES / (2 * SCORE_BOUND);
        chances[i] = table[place < 0 ? 0 : place >= CHANCES ? CHANCES - 1 : place];
    }
}

typedef struct { uint16_t chance; int32_t index; } Ranked;

static int by_chance(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->chance != y->chance) return x->chance < y->chance ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* Marks the set of blocks with the largest expected F-score: for each number of best blocks, the words they are expected
 * to share with the main text against the words of both. *beta* weighs recall (van Rijsbergen, 1979). */
int choose(const uint16_t *chances, const int32_t *weights, int32_t count, double beta, uint8_t *kept) {
    memset(kept, 0, (size_t)count);
    Ranked *ranked = malloc(((size_t)count + 1) * sizeof *ranked);
    if (ranked == NULL) return 0;
    double expected = 0;
    for (int32_t i = 0; i < count; i++) {
        ranked[i] = (Ranked){chances[i], i};
        expected += (double)chances[i] * weights[i];
    }
    qsort(ranked, (size_t)count, sizeof *ranked, by_chance);
    double best = 0, shared = 0, taken = 0, square = beta * beta;
    int32_t most = 0;
    for (int32_t k = 0; k < count; k++) {
        shared += (double)ranked[k].chance * weights[ranked[k].index];
        taken += 65535.0 * weights[ranked[k].index];
        double value = (1 + square) * shared / (square * expected + taken);
        if (value > best) {
            best = value;
            most = k + 1;
        }
    }
    for (int32_t k = 0; k < most; k++) kept[ranked[k].index] = 1;
    free(ranked);
    return 1;
}
