/* What is known of a whole page before the columns are written: sums over ranges of blocks, groups, places. */
#ifndef CORPUSMILL_MEASURE_H
#define CORPUSMILL_MEASURE_H

#include "features.h"

#define NOWHERE (-1.0)

typedef struct { int64_t size, links, commas, prose, blocks; } Sums;
typedef struct { uint32_t key; int32_t count; int64_t size, links, prose; double mass; } Group;

typedef struct {
    const Page *page;
    int32_t blocks, elements;
    Sums *before;                 /* of all blocks before the n-th */
    int32_t *size, *is_prose;     /* of a block */
    int32_t *up;                  /* of an element: the next around it that holds more blocks */
    int32_t *min_depth, *bad;     /* of an element: where the worst name around it is, and how many bad ones are */
    int32_t *children;            /* of an element: blocks that stand directly in its children */
    int32_t *levels;              /* of an element: room for `distance_columns` */
    double *score;                /* of an element, as Readability scores it */
    int32_t *group;               /* of a block: where its group is */
    Group *groups;
    uint32_t mask;
    int32_t *repeats;
    int32_t top, longest, prose_box, h1, first_prose, last_prose;
} Measure;

/* What `prepare` fills has to be freed by `done`, also where it gives 0: no memory. */
int prepare(Measure *m, const Page *page);
void done(Measure *m);

void distance(const Page *page, int32_t a, int32_t b, int *from_a, int *from_b);
void distance_columns(const Measure *m, int32_t to, float *up, float *down);

/* Of `columns`, each *n* blocks long, the cell of block *i*; and the distances from all blocks to one element. */
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
