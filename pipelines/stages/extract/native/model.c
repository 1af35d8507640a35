/* Oblivious trees: all nodes of a level use the same comparison, so a tree is a table of 2 ** depth numbers.
 *
 * Trees are evaluated one after another; each level is one comparison over a whole column.
 * Scores are sums of integers, so they do not depend on the machine, the compiler or the order of evaluation.
 */
#include "model.h"

#include <string.h>

enum { CHUNK = 512 };     /* blocks evaluated together, so that their columns stay in the cache */

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
