/* Chooses the blocks to keep from the chance of each block. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* A table or list is kept as a whole: each of its blocks gets the mean of their chances, weighted by words.
 *
 * With separate decisions, a fourth of the kept tables would lose some cells. */
int join_chances(const Page *page, uint16_t *chances) {
    typedef struct { int64_t mass, words; } Sum;
    Sum *sums = calloc((size_t)page->elements.count + 1, sizeof *sums);
    if (sums == NULL) return 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < page->blocks.count; i++) {
            const Block *b = &page->blocks.at[i];
            if (b->group < 0 || (b->kind != CELL && b->kind != ITEM && b->kind != PRE)) continue;  /* code in an item is of its list */
            Sum *sum = &sums[b->group];
            int64_t words = b->words + 1;               /* a dash in a cell counts as a word */
            if (pass == 0) sum->mass += words * chances[i], sum->words += words;
            else chances[i] = (uint16_t)((sum->mass + sum->words / 2) / sum->words);
        }
    free(sums);
    return 1;
}

enum { MIN_SHOWN_WORDS = 150 };   /* minimum for a page that a script shows as a whole */

/* If most of the likely main text is hidden, and it is long, a script shows it. Nothing counts as hidden then. */
void show_hidden_pages(Page *page, const uint16_t *chances) {
    int64_t mass[2] = {0, 0};
    for (int32_t i = 0; i < page->blocks.count; i++) {
        const Block *b = &page->blocks.at[i];
        mass[is_unseen(b)] += (int64_t)chances[i] * b->words;
    }
    if (mass[1] <= mass[0] || mass[1] < (int64_t)MIN_SHOWN_WORDS * 65535) return;
    for (int32_t i = 0; i < page->blocks.count; i++)
        page->blocks.at[i].flags &= ~(uint32_t)(NOT_RENDERED | NOT_VISIBLE);
}

typedef struct { uint16_t chance; int32_t index; } Ranked;

static int by_chance(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->chance != y->chance) return x->chance < y->chance ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* Marks the set of blocks with the largest expected F-score: for each number of best blocks, the expected words in
common
 * with the main text, relative to the words of both. *beta* weighs recall (van Rijsbergen, 1979). */
static int choose(const uint16_t *chances, const int32_t *weights, int32_t count, double beta, uint8_t *kept) {
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
    while (most > 0 && most < count && ranked[most].chance == ranked[most - 1].chance) most++;  /* no words: no gain */
    for (int32_t k = 0; k < most; k++) kept[ranked[k].index] = 1;
    free(ranked);
    return 1;
}

/* Marks the blocks of the page to keep: the best set without invisible blocks. These are removed last, so that they do
not
 * affect the rest, unless nothing else remains. */
int choose_blocks(const Page *page, uint16_t *chances, double beta, uint8_t *kept) {
    int32_t count = page->blocks.count, *weights = malloc(((size_t)count + 1) * sizeof *weights);
    int ok = weights != NULL, any = 0;
    for (int32_t i = 0; ok && i < count; i++) weights[i] = page->blocks.at[i].words;
    for (int pass = 0; ok && pass < 2 && !any; pass++) {
        ok = choose(chances, weights, count, beta, kept);
        for (int32_t i = 0; ok && i < count; i++) {
            if (!is_unseen(&page->blocks.at[i])) any |= kept[i];
            else kept[i] = 0, weights[i] = 0, chances[i] = 0;
        }
    }
    free(weights);
    return ok;
}
