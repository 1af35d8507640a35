/* Properties of a whole page, computed before the columns: sums over ranges of blocks, groups, positions. */
#ifndef CORPUSMILL_MEASURE_H
#define CORPUSMILL_MEASURE_H

#include "features.h"

#define NOWHERE (-1.0)

typedef struct { int64_t size, links, commas, prose, blocks; } Sums;
typedef struct { uint32_t key; int32_t count; int64_t size, links, prose; double mass; } Group;

typedef struct {
    const Page *page;
    int32_t blocks, elements;
    Sums *before;                 /* sums over the blocks before the n-th */
    int32_t *size, *is_prose;     /* per block */
    int32_t *up;                  /* per element: the next container that holds more blocks */
    int32_t *min_depth, *bad;     /* per element: depth of the worst name around it, and number of bad names */
    int32_t *children;            /* per element: blocks directly in its children */
    int32_t *levels;              /* per element: buffer of `distance_columns` */
    double *score;                /* per element: its Readability score */
    int32_t *group;               /* per block: index of its group */
    Group *groups;
    uint32_t mask;
    int32_t *repeats;
    int32_t top, longest, prose_box, h1, first_prose, last_prose;
} Measure;

/* `done` must free what `prepare` has allocated, even if `prepare` returns 0 (out of memory). */
int prepare(Measure *m, const Page *page);
void done(Measure *m);

void distance(const Page *page, int32_t a, int32_t b, int *from_a, int *from_b);
void distance_columns(const Measure *m, int32_t to, float *up, float *down);

/* Writes the cells of block *i* in `columns`, each *n* blocks long, and all distances to one element. */
#define SET(name, value) (columns[(size_t)F_##name * n + i] = (float)(value))
#define DISTANCES(name, to) distance_columns(m, to, columns + (size_t)F_##name##_up * n, columns + (size_t)F_##name##_down * n)

static inline double ratio(double a, double b) { return b > 0 ? a / b : 0; }

static inline Sums within(const Measure *m, int32_t element) {
    const Element *e = &m->page->elements.at[element];
    const Sums *a = &m->before[e->block_begin], *b = &m->before[e->block_end];
    return (Sums){b->size - a->size, b->links - a->links, b->commas - a->commas, b->prose - a->prose,
                  e->block_end - e->block_begin};
}

static inline int32_t blocks_in(const Page *page, int32_t element) {
    return page->elements.at[element].block_end - page->elements.at[element].block_begin;
}

static inline int32_t first_box(const Measure *m, int32_t block) {
    int32_t element = m->page->blocks.at[block].element;
    return blocks_in(m->page, element) > 1 ? element : m->up[element];
}
#endif
