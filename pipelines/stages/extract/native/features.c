/* The columns of the model: sums over contiguous ranges of blocks, so that every one is linear in the page.
 *
 * Only additions, multiplications and divisions of IEEE doubles: the same bits on every machine.
 */
#include "features.h"

#include <stdlib.h>
#include <string.h>

#define X(name, group) #name,
const char *const feature_names[FEATURE_COUNT] = {FEATURES(X) SECOND_FEATURES(X)};
#undef X
#define X(name, group) #group,
const char *const feature_groups[FEATURE_COUNT] = {FEATURES(X) SECOND_FEATURES(X)};
#undef X

enum { PROSE_CHARS = 80 };    /* the least of running text; shorter blocks are labels, titles, links */
#define MOST_OF_PROSE 0.7
#define MOST_OF_MASS 0.8
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

static double ratio(double a, double b) { return b > 0 ? a / b : 0; }

static Sums within(const Measure *m, int32_t element) {
    const Element *e = &m->page->elements.at[element];
    const Sums *a = &m->before[e->block_begin], *b = &m->before[e->block_end];
    return (Sums){b->size - a->size, b->links - a->links, b->commas - a->commas, b->prose - a->prose,
                  e->block_end - e->block_begin};
}

static int32_t blocks_in(const Page *page, int32_t element) {
    return page->elements.at[element].block_end - page->elements.at[element].block_begin;
}

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

/* ---- Readability's idea: paragraphs give points to what is around them (Arc90, 2009) ------------------------------- */

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

/* Texts can be made to have hashes that collide; the tables are half empty, so that others never get this far. */
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

/* Levels from *a* up, and from *b* up, to the innermost element around both. */
static void distance(const Page *page, int32_t a, int32_t b, int *from_a, int *from_b) {
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
static void distance_columns(const Measure *m, int32_t to, float *up, float *down) {
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

static int32_t first_box(const Measure *m, int32_t block) {
    int32_t element = m->page->blocks.at[block].element;
    return blocks_in(m->page, element) > 1 ? element : m->up[element];
}

/* ---- columns -------------------------------------------------------------------------------------------------------------- */

#define SET(name, value) (columns[(size_t)F_##name * n + i] = (float)(value))

enum { MAX_TITLE_BYTES = 500 };   /* of a title that are looked at */

static int is_in_title(const Page *page, const Block *b) {
    uint32_t bytes = page->title.count < MAX_TITLE_BYTES ? (uint32_t)page->title.count : MAX_TITLE_BYTES;
    if (b->bytes < 8 || b->bytes > bytes) return 0;
    const char *text = page->text.at + b->text, *at = page->title.at, *end = at + bytes - b->bytes;
    uint64_t begins, here;
    memcpy(&begins, text, sizeof begins);
    for (; at <= end; at++) {
        memcpy(&here, at, sizeof here);
        if (here == begins && memcmp(at, text, b->bytes) == 0) return 1;
    }
    return 0;
}

static void text_columns(const Measure *m, float *columns) {
    size_t n = (size_t)m->blocks;
    for (size_t i = 0; i < n; i++) {
        const Block *b = &m->page->blocks.at[i];
        double chars = b->chars ? b->chars : 1;
        SET(chars, m->size[i]);
        SET(words, b->words);
        SET(link_density, b->link_chars / chars);
        SET(commas, b->commas);
        SET(stops, b->stops);
        SET(last, b->last);
        SET(first, b->first);
        SET(digit_share, b->digits / chars);
        SET(upper_share, ratio(b->uppers, b->letters));
        SET(word_chars, ratio(m->size[i], b->words));
        SET(symbol_share, b->symbols / chars);
        SET(lines, b->lines);
        SET(links, b->links);
        SET(repeats, m->repeats[i]);
        SET(stop_density, ratio(100.0 * b->stops, m->size[i]));
        SET(comma_density, ratio(100.0 * b->commas, m->size[i]));
        SET(cjk_share, b->cjk / chars);
        SET(is_title, is_in_title(m->page, b));
        SET(word_mean, ratio(b->word_sum, b->word_known));
        SET(word_min, b->word_min);
        SET(word_max, b->word_max);
        SET(word_known, b->words > 12 ? -1.0 : ratio(b->word_known, b->words));
    }
}

static void path_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    for (size_t i = 0; i < n; i++) {
        const Block *b = &page->blocks.at[i];
        const Element *e = &page->elements.at[b->element];
        const Element *parent = e->parent >= 0 ? &page->elements.at[e->parent] : e;
        const Element *grand = parent->parent >= 0 ? &page->elements.at[parent->parent] : parent;
        SET(kind, b->kind);
        SET(level, b->level);
        SET(depth, e->depth);
        SET(parent_tag, e->tag);
        SET(grand_tag, parent->tag == T_div ? grand->tag : parent->tag);
        SET(list_depth, b->kind == ITEM ? b->level : 0);
#define FLAG(name, bit) SET(name, (b->flags & (bit)) != 0)
        FLAG(in_main, IN_MAIN); FLAG(in_article, IN_ARTICLE); FLAG(in_nav, IN_NAV); FLAG(in_header, IN_HEADER);
        FLAG(in_footer, IN_FOOTER); FLAG(in_aside, IN_ASIDE); FLAG(in_form, IN_FORM); FLAG(in_noscript, IN_NOSCRIPT);
        FLAG(in_hidden, IN_HIDDEN); FLAG(in_comments, IN_COMMENTS); FLAG(in_table, IN_TABLE); FLAG(in_figure, IN_FIGURE);
        FLAG(in_body_prop, IN_BODY_PROP); FLAG(in_details, IN_DETAILS); FLAG(in_bad_role, IN_BAD_ROLE);
#undef FLAG
        SET(p_of_parent, m->children[e->parent >= 0 ? e->parent : 0]);
        SET(name_own, e->own_score);
        SET(name_min, e->min_score);
        SET(name_max, e->max_score);
        SET(name_sum, e->sum_score);
        SET(name_min_level, e->min_score < 0 ? e->depth - m->min_depth[b->element] : -1);
        SET(name_bad_levels, m->bad[b->element]);
    }
}

static void box_columns(const Measure *m, float *columns) {
    size_t n = (size_t)m->blocks;
    const Sums *all = &m->before[m->blocks];
    for (size_t i = 0; i < n; i++) {
        int32_t box = first_box(m, (int32_t)i);
        for (int level = 0; level < LEVELS; level++) {
            float *cell = columns + ((size_t)F_box1_chars + (size_t)level * (F_box2_chars - F_box1_chars)) * n + i;
            if (box < 0) {
                for (int k = 0; k < F_box2_chars - F_box1_chars; k++) cell[(size_t)k * n] = (float)NOWHERE;
                continue;
            }
            Sums in = within(m, box);
            const Element *e = &m->page->elements.at[box];
            cell[0] = (float)in.size;
            cell[n] = (float)in.blocks;
            cell[2 * n] = (float)ratio((double)in.links, (double)in.size);
            cell[3 * n] = (float)ratio((double)in.size, (double)in.blocks);
            cell[4 * n] = (float)ratio(100.0 * (double)in.commas, (double)in.size);
            cell[5 * n] = (float)ratio((double)in.size, (double)all->size);
            cell[6 * n] = (float)ratio((double)in.prose, (double)all->prose);
            cell[7 * n] = (float)ratio((double)in.prose, (double)in.size);
            cell[8 * n] = (float)e->own_score;
            cell[9 * n] = (float)ratio((double)((int32_t)i - e->block_begin), (double)in.blocks);
            box = m->up[box];
        }
    }
}

static void candidate_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    int32_t longest_box = m->longest >= 0 ? first_box(m, m->longest) : -1;
    double top_share = ratio((double)within(m, m->top).prose, (double)m->before[n].prose);
#define DISTANCES(name, to) distance_columns(m, to, columns + (size_t)F_##name##_up * n, columns + (size_t)F_##name##_down * n)
    DISTANCES(top, m->top);
    DISTANCES(prose_box, m->prose_box);
    if (longest_box >= 0) DISTANCES(longest, longest_box);
    for (size_t i = 0; i < n; i++) {
        int32_t element = page->blocks.at[i].element;
        SET(in_top, columns[(size_t)F_top_down * n + i] == 0);
        SET(top_share, top_share);
        double best = 0, own = 0;
        int steps = 0;
        for (int32_t at = element; at >= 0 && steps < 8; at = page->elements.at[at].parent, steps++) {
            if (m->score[at] > best) best = m->score[at];
            if (steps < 2 && m->score[at] > own) own = m->score[at];
        }
        SET(top_score, ratio(best, m->score[m->top]));
        SET(own_candidate, ratio(own, m->score[m->top]));
        if (longest_box >= 0) {
            SET(longest_same, page->elements.at[element].signature
                                  == page->elements.at[page->blocks.at[m->longest].element].signature);
        } else {
            SET(longest_up, NOWHERE);
            SET(longest_down, NOWHERE);
            SET(longest_same, NOWHERE);
        }
    }
}

static void position_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    const Sums *all = &m->before[n];
    int32_t last_prose = -1, last_heading = -1;
    for (size_t i = 0; i < n; i++) {
        int32_t at = (int32_t)i;
        SET(index, i);
        SET(index_from_end, n - i);
        SET(chars_before, ratio((double)m->before[i].size, (double)all->size));
        SET(prose_before, ratio((double)m->before[i].prose, (double)all->prose));
        SET(since_prose, last_prose < 0 ? 999 : at - last_prose);
        SET(since_h1, m->h1 < 0 ? 9999 : at - m->h1);
        SET(since_heading, last_heading < 0 ? 999 : at - last_heading);
        SET(heading_level, last_heading < 0 ? 0 : page->blocks.at[last_heading].level);
        SET(before_first_prose, m->first_prose - at);
        SET(after_last_prose, at - m->last_prose);
        if (m->is_prose[i]) last_prose = at;
        if (page->blocks.at[i].kind == HEADING) last_heading = at;
    }
    int32_t next_prose = -1;
    for (size_t k = n; k > 0; k--) {
        size_t i = k - 1;
        SET(until_prose, next_prose < 0 ? 999 : next_prose - (int32_t)i);
        if (m->is_prose[i]) next_prose = (int32_t)i;
    }
}

static void neighbour_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    for (size_t i = 0; i < n; i++) {
        const Block *b = &page->blocks.at[i];
        int up = 99, down;
        if (i > 0) {
            const Block *prev = b - 1;
            distance(page, b->element, prev->element, &up, &down);
            SET(prev_chars, m->size[i - 1]);
            SET(prev_links, ratio(prev->link_chars, prev->chars));
            SET(prev_kind, prev->kind);
            SET(prev_word, ratio(prev->word_sum, prev->word_known));
            SET(prev_last, prev->last);
        } else {
            SET(prev_chars, NOWHERE);
            SET(prev_links, NOWHERE);
            SET(prev_kind, NOWHERE);
            SET(prev_word, 0);
            SET(prev_last, NOWHERE);
        }
        SET(prev_up, up);
        up = 99;
        if (i + 1 < n) {
            const Block *next = b + 1;
            distance(page, b->element, next->element, &up, &down);
            SET(next_chars, m->size[i + 1]);
            SET(next_links, ratio(next->link_chars, next->chars));
            SET(next_kind, next->kind);
            SET(next_word, ratio(next->word_sum, next->word_known));
        } else {
            SET(next_chars, NOWHERE);
            SET(next_links, NOWHERE);
            SET(next_kind, NOWHERE);
            SET(next_word, 0);
        }
        SET(next_up, up);
        size_t from = i > 3 ? i - 3 : 0, to = i + 4 < n ? i + 4 : n;
        double size = (double)(m->before[to].size - m->before[from].size);
        SET(around_chars, size / (double)(to - from));
        SET(around_links, ratio((double)(m->before[to].links - m->before[from].links), size));
    }
}

static void alike_columns(const Measure *m, float *columns) {
    size_t n = (size_t)m->blocks;
    for (size_t i = 0; i < n; i++) {
        const Group *g = &m->groups[m->group[i]];
        SET(alike_count, g->count);
        SET(alike_chars, ratio((double)g->size, g->count));
        SET(alike_links, ratio((double)g->links, (double)g->size));
        SET(alike_prose, ratio((double)g->prose, (double)g->size));
        SET(alike_share, ratio((double)g->size, (double)m->before[n].size));
    }
}

static void page_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    const Sums *all = &m->before[n];
    int64_t in_p = 0, in_lists = 0, cjk = 0;
    int articles = 0, h1 = 0, tables = 0;
    for (size_t i = 0; i < n; i++) {
        const Block *b = &page->blocks.at[i];
        if (page->elements.at[b->element].tag == T_p) in_p += m->size[i];
        if (b->kind == ITEM || b->kind == CELL) in_lists += m->size[i];
        cjk += b->cjk;
        h1 += b->kind == HEADING && b->level == 1;
    }
    for (int32_t e = 0; e < m->elements; e++) {
        articles += page->elements.at[e].tag == T_article;
        tables += page->elements.at[e].tag == T_table;
    }
    int about = (int)(page->about & 15), og = (int)(page->about >> 4);
    for (size_t i = 0; i < n; i++) {
        SET(page_chars, all->size);
        SET(page_blocks, n);
        SET(page_links, ratio((double)all->links, (double)all->size));
        SET(page_prose, ratio((double)all->prose, (double)all->size));
        SET(page_longest, m->longest < 0 ? 0 : m->size[m->longest]);
        SET(page_articles, articles);
        SET(page_h1, h1);
        SET(page_about, about);
        SET(page_og, og);
        SET(page_p_chars, ratio((double)in_p, (double)all->size));
        SET(page_list_share, ratio((double)in_lists, (double)all->size));
        SET(page_top_share, ratio((double)within(m, m->top).size, (double)all->size));
        SET(page_tables, tables);
        SET(page_cjk, ratio((double)cjk, (double)all->size));
    }
}

static void comment_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    int64_t all = m->before[n].prose, inside = 0, before = 0;
    int32_t first = -1, last_heading = -1;
    for (size_t i = 0; i < n; i++) {
        if (!(page->blocks.at[i].flags & IN_COMMENTS)) continue;
        if (first < 0) first = (int32_t)i, before = m->before[i].prose;
        inside += m->is_prose[i] ? m->size[i] : 0;
    }
    for (size_t i = 0; i < n; i++) {
        SET(comment_share, ratio((double)inside, (double)all));
        SET(comment_prose_outside, all - inside);
        SET(comment_prose_before, first < 0 ? NOWHERE : (double)before);
        SET(since_comment, first < 0 ? -9999.0 : (double)((int32_t)i - first));
        SET(heading_word, last_heading < 0 ? 0 : ratio(page->blocks.at[last_heading].word_sum, page->blocks.at[last_heading].word_known));
        if (page->blocks.at[i].kind == HEADING) last_heading = (int32_t)i;
    }
}

static void done(Measure *m) {
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

static int prepare(Measure *m, const Page *page) {
    memset(m, 0, sizeof *m);
    m->page = page;
    m->blocks = page->blocks.count;
    m->elements = page->elements.count;
    if (!add_sums(m) || !climb(m) || !find_groups(m)) return 0;
    find_top(m);
    find_places(m);
    return 1;
}

int measure(const Page *page, float *columns) {
    Measure m;
    int ok = prepare(&m, page);
    if (ok) {
        text_columns(&m, columns);
        path_columns(&m, columns);
        box_columns(&m, columns);
        candidate_columns(&m, columns);
        position_columns(&m, columns);
        neighbour_columns(&m, columns);
        alike_columns(&m, columns);
        page_columns(&m, columns);
        comment_columns(&m, columns);
    }
    done(&m);
    return ok;
}

/* ---- what the first scores say -------------------------------------------------------------------------------------------- */

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
            float *cell = columns + ((size_t)F_mass1_share + (size_t)level * 2) * n + i;
            if (box < 0) {
                cell[0] = cell[n] = (float)NOWHERE;
                continue;
            }
            const Element *e = &m->page->elements.at[box];
            cell[0] = (float)ratio((double)(s->mass[e->block_end] - s->mass[e->block_begin]), all);
            cell[n] = (float)mean_chance(s, e->block_begin, e->block_end);
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
