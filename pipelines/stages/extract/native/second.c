/* The columns of the second stage: the first scores of a block, of its neighbors and of similar blocks. */
#include "measure.h"

#include <stdlib.h>

#define MOST_OF_MASS 0.8

typedef struct {
    const Measure *m;
    const int32_t *scores;
    const uint16_t *chances;      /* of a block, 0 … 65535 */
    int64_t *mass;                /* chance times size of all blocks before the n-th */
    int32_t box;
    int64_t higher[257];          /* size of the blocks with a higher chance, by 256 steps */
    int64_t kind_mass[KINDS], kind_size[KINDS];
} Second;

static double mean_chance(const Second *s, int32_t from, int32_t to) {
    int64_t size = s->m->before[to].size - s->m->before[from].size;
    return ratio((double)(s->mass[to] - s->mass[from]), (double)size * 65535.0);
}

static void mass_columns(const Second *s, float *columns) {
    const Measure *m = s->m;
    size_t n = (size_t)m->blocks;
    double all = (double)s->mass[n];
    DISTANCES(mass_box, s->box);
    for (size_t i = 0; i < n; i++) {
        int32_t box = first_box(m, (int32_t)i);
        for (int level = 0; level < LEVELS; level++) {
            float *cell = columns + ((size_t)F_mass1_share + (size_t)level * MASS_COLUMNS) * n + i;
            if (box < 0) {
                for (int k = 0; k < MASS_COLUMNS; k++) cell[(size_t)k * n] = (float)NOWHERE;
                continue;
            }
#define MASS(name, value) (cell[(size_t)(F_mass1_##name - F_mass1_share) * n] = (float)(value))
            const Element *e = &m->page->elements.at[box];
            MASS(share, ratio((double)(s->mass[e->block_end] - s->mass[e->block_begin]), all));
            MASS(mean, mean_chance(s, e->block_begin, e->block_end));
#undef MASS
            box = m->up[box];
        }
        SET(mass_page, mean_chance(s, 0, (int32_t)n));
        SET(mass_before, ratio((double)s->mass[i], all));
        SET(mass_after, ratio((double)(s->mass[n] - s->mass[i + 1]), all));
        const Element *e = &m->page->elements.at[s->box];
        SET(mass_box_share, mean_chance(s, e->block_begin, e->block_end));
        e = &m->page->elements.at[m->top];
        SET(mass_top, mean_chance(s, e->block_begin, e->block_end));
    }
}

static void score_columns(const Second *s, float *columns) {
    const Measure *m = s->m;
    size_t n = (size_t)m->blocks;
    int32_t last_heading = -1;
    for (size_t i = 0; i < n; i++) {
        int32_t at = (int32_t)i, count = m->blocks;
        SET(score, s->scores[i]);
#define NEAR(name, offset) \
    SET(name, at + (offset) >= 0 && at + (offset) < count ? (double)s->scores[at + (offset)] : -99999.0)
        NEAR(score_prev1, -1); NEAR(score_prev2, -2); NEAR(score_prev3, -3);
        NEAR(score_next1, 1); NEAR(score_next2, 2); NEAR(score_next3, 3);
#undef NEAR
        SET(score_before, mean_chance(s, at > 8 ? at - 8 : 0, at));
        SET(score_after, mean_chance(s, at + 1, at + 9 < count ? at + 9 : count));
        const Group *g = &m->groups[m->group[i]];
        SET(score_alike, ratio(g->mass, (double)g->size * 65535.0));
        int32_t best = 0;
        for (int32_t k = at > 5 ? at - 5 : 0; k < count && k <= at + 5; k++)
            if (k != at && s->chances[k] > best) best = s->chances[k];
        SET(score_max_near, best / 65535.0);
        SET(score_rank, ratio((double)s->higher[s->chances[i] >> 8], (double)m->before[n].size));
        const Block *b = &m->page->blocks.at[i];
        if (b->kind == HEADING) {
            int32_t stop = at + 1;
            while (stop < count && stop < at + 6 && m->page->blocks.at[stop].kind != HEADING) stop++;
            SET(score_heading, mean_chance(s, at + 1 < count ? at + 1 : count, stop));
            last_heading = at;
        } else SET(score_heading, last_heading < 0 ? NOWHERE : s->chances[last_heading] / 65535.0);
        SET(score_kind, ratio((double)s->kind_mass[b->kind], (double)s->kind_size[b->kind] * 65535.0));
    }
}

int measure_scores(const Page *page, const int32_t *scores, const uint16_t *chances, float *columns) {
    Measure m;
    Second s = {&m, scores, chances, NULL, 0, {0}, {0}, {0}};
    int ok = prepare(&m, page);
    s.mass = ok ? calloc((size_t)m.blocks + 1, sizeof *s.mass) : NULL;
    if (s.mass != NULL) {
        for (int32_t i = 0; i < m.blocks; i++) {
            int64_t mass = (int64_t)chances[i] * m.size[i];
            s.mass[i + 1] = s.mass[i] + mass;
            m.groups[m.group[i]].mass += (double)mass;
            s.higher[chances[i] >> 8] += m.size[i];
            s.kind_mass[page->blocks.at[i].kind] += mass;
            s.kind_size[page->blocks.at[i].kind] += m.size[i];
        }
        int64_t above = 0;
        for (int k = 255; k >= 0; k--) {
            int64_t here = s.higher[k];
            s.higher[k] = above;
            above += here;
        }
        for (int32_t i = 0; i < m.elements; i++) {
            const Element *e = &page->elements.at[i];
            if (e->depth < page->elements.at[s.box].depth) continue;
            if ((double)(s.mass[e->block_end] - s.mass[e->block_begin]) >= MOST_OF_MASS * (double)s.mass[m.blocks]) s.box = i;
        }
        mass_columns(&s, columns);
        score_columns(&s, columns);
    }
    ok = s.mass != NULL;
    free(s.mass);
    done(&m);
    return ok;
}
