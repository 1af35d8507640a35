/* The features of a block. Each name is one column; `FEATURES` defines their order in the model. */
#ifndef CORPUSMILL_FEATURES_H
#define CORPUSMILL_FEATURES_H

#include "page.h"

#define LEVELS 5   /* measured containers of a block; each contains more blocks than the one inside it */

#define OF_LEVEL(X, n) \
    X(box##n##_chars, container) X(box##n##_blocks, container) X(box##n##_links, container) \
    X(box##n##_mean_chars, container) X(box##n##_commas, container) X(box##n##_share, container) \
    X(box##n##_prose_share, container) X(box##n##_prose_density, container) X(box##n##_name, names) \
    X(box##n##_rank, container)

#define FEATURES(X) \
    /* the text of the block */ \
    X(chars, text) X(words, text) X(link_density, text) X(commas, text) X(stops, text) X(last, text) X(first, text) \
    X(digit_share, text) X(upper_share, text) X(word_chars, text) X(symbol_share, text) X(lines, text) X(links, text) \
    X(repeats, text) X(stop_density, text) X(comma_density, text) X(cjk_share, text) X(is_title, text) \
    X(word_mean, words) X(word_min, words) X(word_max, words) X(word_known, words) \
    /* its position in the tree */ \
    X(kind, path) X(level, path) X(depth, path) X(parent_tag, path) X(grand_tag, path) X(list_depth, path) \
    X(in_main, path) X(in_article, path) X(in_nav, path) X(in_header, path) X(in_footer, path) X(in_aside, path) \
    X(in_form, path) X(in_noscript, path) X(in_hidden, path) X(in_comments, path) X(in_table, path) X(in_figure, path) \
    X(in_body_prop, path) X(in_details, path) X(in_bad_role, path) X(p_of_parent, path) \
    X(name_own, names) X(name_min, names) X(name_max, names) X(name_sum, names) X(name_min_level, names) \
    X(name_bad_levels, names) \
    /* the containers around it */ \
    OF_LEVEL(X, 1) OF_LEVEL(X, 2) OF_LEVEL(X, 3) OF_LEVEL(X, 4) OF_LEVEL(X, 5) \
    /* the best container, as Readability scores it, and the longest block's */ \
    X(top_up, candidate) X(top_down, candidate) X(top_score, candidate) X(top_share, candidate) X(in_top, candidate) \
    X(longest_up, candidate) X(longest_down, candidate) X(longest_same, candidate) X(prose_box_up, candidate) \
    X(prose_box_down, candidate) X(own_candidate, candidate) \
    /* position */ \
    X(index, position) X(chars_before, position) X(prose_before, position) X(index_from_end, position) \
    X(since_prose, position) X(until_prose, position) X(since_h1, position) X(since_heading, position) \
    X(heading_level, position) X(before_first_prose, position) X(after_last_prose, position) \
    /* neighbors */ \
    X(prev_chars, neighbours) X(prev_links, neighbours) X(prev_up, neighbours) X(prev_kind, neighbours) \
    X(prev_word, neighbours) X(prev_last, neighbours) \
    X(next_chars, neighbours) X(next_links, neighbours) X(next_up, neighbours) X(next_kind, neighbours) \
    X(next_word, neighbours) X(around_chars, neighbours) X(around_links, neighbours) \
    /* similar blocks: equal tags and names up to three levels */ \
    X(alike_count, alike) X(alike_chars, alike) X(alike_links, alike) X(alike_prose, alike) X(alike_share, alike) \
    /* the page */ \
    X(page_chars, page) X(page_blocks, page) X(page_links, page) X(page_prose, page) X(page_longest, page) \
    X(page_articles, page) X(page_h1, page) X(page_about, page) X(page_og, page) X(page_p_chars, page) \
    X(page_list_share, page) X(page_top_share, page) X(page_tables, page) X(page_cjk, page) \
    /* comment sections: not main text after an article, but main text in a forum */ \
    X(comment_share, comments) X(comment_prose_outside, comments) X(comment_prose_before, comments) \
    X(since_comment, comments) X(heading_word, words)

/* Features from the first scores, used by the second stage only. */
#define OF_MASS(X, n) X(mass##n##_share, scores) X(mass##n##_mean, scores)
#define SECOND_FEATURES(X) \
    X(score, scores) X(score_prev1, scores) X(score_prev2, scores) X(score_prev3, scores) \
    X(score_next1, scores) X(score_next2, scores) X(score_next3, scores) \
    X(score_before, scores) X(score_after, scores) X(score_alike, alike_scores) X(score_max_near, scores) \
    OF_MASS(X, 1) OF_MASS(X, 2) OF_MASS(X, 3) OF_MASS(X, 4) OF_MASS(X, 5) \
    X(mass_page, scores) X(mass_before, scores) X(mass_after, scores) X(mass_box_up, scores) X(mass_box_down, scores) \
    X(mass_box_share, scores) X(mass_top, scores) X(score_rank, scores) X(score_heading, scores) X(score_kind, scores)

enum {
#define X(name, group) F_##name,
    FEATURES(X) FIRST_COUNT, BEFORE_SECOND = FIRST_COUNT - 1, SECOND_FEATURES(X) FEATURE_COUNT
#undef X
};

/* Columns of one container; those of the next container follow. */
enum { BOX_COLUMNS = F_box2_chars - F_box1_chars, MASS_COLUMNS = F_mass2_share - F_mass1_share };
_Static_assert(F_box1_chars + LEVELS * BOX_COLUMNS == F_top_up, "FEATURES has OF_LEVEL for each of the LEVELS");
_Static_assert(F_mass1_share + LEVELS * MASS_COLUMNS == F_mass_page, "SECOND_FEATURES has OF_MASS for each of the LEVELS");
extern const char *const feature_names[FEATURE_COUNT];
extern const char *const feature_groups[FEATURE_COUNT];

/* Columns of *count* floats: `columns + feature * count`. Both return 0 if memory runs out. */
int measure(const Page *page, float *columns);
int measure_scores(const Page *page, const int32_t *scores, const uint16_t *chances, float *columns);
#endif
