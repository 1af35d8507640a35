/* The columns of the first stage of the model, measured without the chances of blocks. */
#include "measure.h"

#include <string.h>

#define X(name, group) #name,
const char *const feature_names[FEATURE_COUNT] = {FEATURES(X) SECOND_FEATURES(X)};
#undef X
#define X(name, group) #group,
const char *const feature_groups[FEATURE_COUNT] = {FEATURES(X) SECOND_FEATURES(X)};
#undef X

enum { MAX_TITLE_BYTES = 500 };   /* bytes of a title to compare */

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
            float *cell = columns + ((size_t)F_box1_chars + (size_t)level * BOX_COLUMNS) * n + i;
            if (box < 0) {
                for (int k = 0; k < BOX_COLUMNS; k++) cell[(size_t)k * n] = (float)NOWHERE;
                continue;
            }
#define BOX(name, value) (cell[(size_t)(F_box1_##name - F_box1_chars) * n] = (float)(value))
            Sums in = within(m, box);
            const Element *e = &m->page->elements.at[box];
            BOX(chars, in.size);
            BOX(blocks, in.blocks);
            BOX(links, ratio((double)in.links, (double)in.size));
            BOX(mean_chars, ratio((double)in.size, (double)in.blocks));
            BOX(commas, ratio(100.0 * (double)in.commas, (double)in.size));
            BOX(share, ratio((double)in.size, (double)all->size));
            BOX(prose_share, ratio((double)in.prose, (double)all->prose));
            BOX(prose_density, ratio((double)in.prose, (double)in.size));
            BOX(name, e->own_score);
            BOX(rank, ratio((double)((int32_t)i - e->block_begin), (double)in.blocks));
#undef BOX
            box = m->up[box];
        }
    }
}

static void candidate_columns(const Measure *m, float *columns) {
    const Page *page = m->page;
    size_t n = (size_t)m->blocks;
    int32_t longest_box = m->longest >= 0 ? first_box(m, m->longest) : -1;
    double top_share = ratio((double)within(m, m->top).prose, (double)m->before[n].prose);
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
