/* Sums over contiguous ranges of blocks, so that measuring blocks and their containers is linear in the page.
 *
 * Uses only additions, multiplications and divisions of IEEE doubles, so results are identical on every machine.
 */
#include "measure.h"

#include <stdlib.h>
#include <string.h>

enum { PROSE_CHARS = 80 };    /* minimum length of running text; shorter blocks are labels, titles, links */
#define MOST_OF_PROSE 0.7

static int add_sums(Measure *m) {
    const Page *page = m->page;
    m->before = calloc((size_t)m->blocks + 1, sizeof *m->before);
    m->size = calloc((size_t)m->blocks + 1, sizeof *m->size);
    m->is_prose = calloc((size_t)m->blocks + 1, sizeof *m->is_prose);
    if (!m->before || !m->size || !m->is_prose) return 0;
    m->first_prose = m->last_prose = -1;
    for (int32_t i = 0; i < m->blocks; i++) {
        const Block *b = &page->blocks.at[i];
        m->size[i] = b->chars + b->cjk + b->cjk / 2;     /* a Chinese character says as much as 2.5 Latin ones */
        m->is_prose[i] = m->size[i] >= PROSE_CHARS && 3 * b->link_chars < b->chars && b->kind != HEADING;
        if (m->is_prose[i] && m->first_prose < 0) m->first_prose = i;
        if (m->is_prose[i]) m->last_prose = i;
        m->before[i + 1] = m->before[i];
        m->before[i + 1].size += m->size[i];
        m->before[i + 1].links += ratio((double)b->link_chars, b->chars) * m->size[i];
        m->before[i + 1].commas += b->commas;
        m->before[i + 1].prose += m->is_prose[i] ? m->size[i] : 0;
    }
    return 1;
}

static int climb(Measure *m) {
    const Page *page = m->page;
    size_t count = (size_t)m->elements;
    m->up = calloc(count, sizeof *m->up);
    m->min_depth = calloc(count, sizeof *m->min_depth);
    m->bad = calloc(count, sizeof *m->bad);
    m->children = calloc(count, sizeof *m->children);
    m->levels = malloc(count * sizeof *m->levels);
    m->score = calloc(count, sizeof *m->score);
    if (!m->up || !m->min_depth || !m->bad || !m->children || !m->levels || !m->score) return 0;
    for (int32_t i = 0; i < m->elements; i++) {
        const Element *e = &page->elements.at[i];
        int32_t parent = e->parent;
        if (parent < 0) {
            m->up[i] = -1;
            continue;
        }
        m->up[i] = blocks_in(page, parent) > blocks_in(page, i) ? parent : m->up[parent];
        m->min_depth[i] = e->min_score < page->elements.at[parent].min_score ? e->depth : m->min_depth[parent];
        m->bad[i] = m->bad[parent] + (e->own_score < -100);
    }
    for (int32_t i = 0; i < m->blocks; i++) {
        int32_t parent = page->elements.at[page->blocks.at[i].element].parent;
        if (parent >= 0) m->children[parent]++;
    }
    return 1;
}

/* ---- Readability: paragraphs add points to their containers (Arc90, 2009) ------------------------------- */

static double tag_points(int tag) {
    switch (tag) {
    case T_div: case T_article: case T_main: case T_section: return 5;
    case T_pre: case T_td: case T_blockquote: return 3;
    case T_address: case T_ol: case T_ul: case T_dl: case T_dd: case T_dt: case T_li: case T_form: case T_fieldset: return -3;
    case T_h1: case T_h2: case T_h3: case T_h4: case T_h5: case T_h6: case T_th: return -5;
    default: return 0;
    }
}

static int holds_one_block(int tag) {
    return tag == T_p || tag == T_pre || tag == T_li || tag == T_td || tag == T_dd || tag == T_dt || tag == T_blockquote;
}

static void find_top(Measure *m) {
    const Page *page = m->page;
    for (int32_t i = 0; i < m->blocks; i++) {
        const Block *b = &page->blocks.at[i];
        if (m->size[i] < 25 || b->kind == HEADING) continue;
        int long_part = m->size[i] / 100;
        double points = (1 + b->commas + (long_part > 3 ? 3 : long_part)) * (1 - ratio(b->link_chars, b->chars));
        int32_t at = b->element;
        if (holds_one_block(page->elements.at[at].tag)) at = page->elements.at[at].parent;
        for (int level = 0; level < 5 && at >= 0; level++, at = page->elements.at[at].parent) {
            if (m->score[at] == 0) {
                double names = page->elements.at[at].own_score / 10.0;
                m->score[at] = tag_points(page->elements.at[at].tag) + (names > 25 ? 25 : names < -25 ? -25 : names);
            }
            m->score[at] += points / (level == 0 ? 1 : level == 1 ? 2 : level * 3);
        }
    }
    m->top = 0;
    for (int32_t i = 1; i < m->elements; i++) {
        if (m->score[i] == 0) continue;
        Sums in = within(m, i);
        m->score[i] *= 1 - ratio((double)in.links, (double)in.size);
        if (m->score[i] > m->score[m->top]) m->top = i;
    }
    for (int32_t up = page->elements.at[m->top].parent; up > 0; up = page->elements.at[up].parent) {
        int tag = page->elements.at[up].tag;
        if (tag == T_body || tag == T_html) break;
        if (m->score[up] > m->score[m->top] || blocks_in(page, up) == blocks_in(page, m->top)) m->top = up;
    }
}

static void find_places(Measure *m) {
    const Page *page = m->page;
    double all = (double)m->before[m->blocks].prose;
    m->longest = -1;
    m->h1 = -1;
    for (int32_t i = 0; i < m->blocks; i++) {
        const Block *b = &page->blocks.at[i];
        if (m->is_prose[i] && (m->longest < 0 || m->size[i] > m->size[m->longest])) m->longest = i;
        if (m->h1 < 0 && b->kind == HEADING && b->level == 1) m->h1 = i;
    }
    m->prose_box = 0;
    for (int32_t i = 0; i < m->elements; i++) {
        if (page->elements.at[i].depth < page->elements.at[m->prose_box].depth) continue;
        if ((double)within(m, i).prose >= MOST_OF_PROSE * all) m->prose_box = i;
    }
}

/* ---- groups --------------------------------------------------------------------------------------------------------- */

static uint32_t mixed(uint32_t hash, uint32_t value) { return (hash ^ value) * 16777619u ^ (hash >> 15); }

/* Reached only with texts built to have colliding hashes, because the tables are at least half empty. */
enum { MAX_PROBES = 256 };

static int find_groups(Measure *m) {
    const Page *page = m->page;
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)m->blocks) slots *= 2;
    m->mask = slots - 1;
    m->groups = calloc(slots, sizeof *m->groups);
    m->group = calloc((size_t)m->blocks + 1, sizeof *m->group);
    m->repeats = calloc((size_t)m->blocks + 1, sizeof *m->repeats);
    uint32_t *keys = calloc(slots, sizeof *keys);
    int32_t *counts = calloc(slots, sizeof *counts), *places = calloc((size_t)m->blocks + 1, sizeof *places);
    int ok = m->groups && m->group && m->repeats && keys && counts && places;
    for (int32_t i = 0; ok && i < m->blocks; i++) {
        const Block *b = &page->blocks.at[i];
        uint32_t key = b->kind + 1u;
        int32_t at = b->element;
        for (int level = 0; level < 3 && at >= 0; level++, at = page->elements.at[at].parent)
            key = mixed(key, page->elements.at[at].signature);
        key |= 1;
        uint32_t slot = key & m->mask;
        for (int step = 0; step < MAX_PROBES && m->groups[slot].key && m->groups[slot].key != key; step++)
            slot = (slot + 1) & m->mask;
        Group *g = &m->groups[slot];
        g->key = key;
        g->count++;
        g->size += m->size[i];
        g->links += m->before[i + 1].links - m->before[i].links;
        g->prose += m->is_prose[i] ? m->size[i] : 0;
        m->group[i] = (int32_t)slot;
        slot = (b->hash | 1) & m->mask;
        for (int step = 0; step < MAX_PROBES && keys[slot] && keys[slot] != (b->hash | 1); step++) slot = (slot + 1) & m->mask;
        keys[slot] = b->hash | 1;
        counts[slot]++;
        places[i] = (int32_t)slot;
    }
    for (int32_t i = 0; ok && i < m->blocks; i++) m->repeats[i] = counts[places[i]];
    free(keys);
    free(counts);
    free(places);
    return ok;
}

/* ---- distances in the tree --------------------------------------------------------------------------------------------- */

/* Levels from *a* up, and from *b* up, to their innermost common ancestor. */
void distance(const Page *page, int32_t a, int32_t b, int *from_a, int *from_b) {
    *from_a = *from_b = 0;
    while (a != b) {
        if (page->elements.at[a].depth >= page->elements.at[b].depth) {
            a = page->elements.at[a].parent;
            ++*from_a;
        } else {
            b = page->elements.at[b].parent;
            ++*from_b;
        }
    }
}

/* Fills the columns of the distances from each block to the element *to*: one step for an element, not for each level. */
void distance_columns(const Measure *m, int32_t to, float *up, float *down) {
    const Element *elements = m->page->elements.at;
    for (int32_t i = 0; i < m->elements; i++) m->levels[i] = -1;
    for (int32_t at = to; at >= 0; at = elements[at].parent) m->levels[at] = 0;      /* around it */
    for (int32_t i = 0; i < m->elements; i++)
        if (m->levels[i] < 0) m->levels[i] = m->levels[elements[i].parent] + 1;
    for (int32_t i = 0; i < m->blocks; i++) {
        int32_t at = m->page->blocks.at[i].element;
        up[i] = (float)m->levels[at];
        down[i] = (float)(elements[to].depth - (elements[at].depth - m->levels[at]));
    }
}

void done(Measure *m) {
    free(m->before);
    free(m->size);
    free(m->is_prose);
    free(m->up);
    free(m->min_depth);
    free(m->bad);
    free(m->children);
    free(m->levels);
    free(m->score);
    free(m->group);
    free(m->groups);
    free(m->repeats);
}

int prepare(Measure *m, const Page *page) {
    memset(m, 0, sizeof *m);
    m->page = page;
    m->blocks = page->blocks.count;
    m->elements = page->elements.count;
    if (!add_sums(m) || !climb(m) || !find_groups(m)) return 0;
    find_top(m);
    find_places(m);
    return 1;
}
