/* The kind of each block, and its position in a list or table, computed after the whole page is parsed. */
#include "read.h"

enum { MAX_DATA_CELL_CHARS = 600 };

/* A table whose cells contain tables, headings or long texts is used for layout, so its cells are not data cells. */
static void find_layout_tables(Page *page) {
    for (int32_t i = page->elements.count - 1; i > 0; i--) {      /* descendants come first */
        Element *e = &page->elements.at[i];
        if (e->tag == T_table) e->is_layout = e->holds_structure;
        if (e->holds_structure || e->tag == T_table || is_one_of((Tag)e->tag, HEADINGS))
            page->elements.at[e->parent].holds_structure = 1;
    }
    for (int32_t i = 0; i < page->elements.count; i++) {
        Element *e = &page->elements.at[i];
        if (e->tag != T_td && e->tag != T_th) continue;
        int64_t chars = 0;
        for (int32_t b = e->block_begin; b < e->block_end && chars <= MAX_DATA_CELL_CHARS; b++) chars += page->blocks.at[b].chars;
        if (chars <= MAX_DATA_CELL_CHARS && e->block_end - e->block_begin < 12) continue;
        for (int32_t up = e->parent, steps = 0; up >= 0 && steps < 6; up = page->elements.at[up].parent, steps++)
            if (page->elements.at[up].tag == T_table) {
                page->elements.at[up].is_layout = 1;
                break;
            }
    }
}

static void set_kind(Page *page, Block *b) {
    int list_depth = 0, decided = 0, in_item = 0;
    b->kind = PARAGRAPH;
    b->group = b->row = b->column = -1;
    for (int32_t at = b->element; at >= 0; at = page->elements.at[at].parent) {
        const Element *e = &page->elements.at[at];
        Tag tag = (Tag)e->tag;
        if (tag == T_ul || tag == T_ol) list_depth++;
        if (decided) {
            in_item |= tag == T_li && b->kind != CELL;       /* code, a quote or a heading within an item: part of its list */
            if (((b->kind == ITEM || in_item) && b->group < 0 && (tag == T_ul || tag == T_ol || tag == T_menu || tag == T_dir)))
                b->group = at;
            if (b->kind == CELL && b->group < 0 && tag == T_table) {
                b->group = at;
                if (e->is_layout) {
                    b->kind = PARAGRAPH;
                    b->group = b->row = b->column = -1;
                    decided = 0;
                }
            }
            continue;
        }
        decided = 1;
        if (is_one_of(tag, HEADINGS)) b->kind = HEADING, b->level = (uint8_t)(tag - T_h1 + 1);
        else if (tag == T_pre || tag == T_listing || tag == T_xmp || tag == T_plaintext) b->kind = PRE;
        else if (tag == T_figcaption || tag == T_caption || tag == T_legend) b->kind = CAPTION;
        else if (tag == T_blockquote) b->kind = QUOTE;
        else if (tag == T_li) b->kind = ITEM, b->row = at;
        else if (tag == T_td || tag == T_th) b->kind = CELL, b->row = e->row, b->column = e->column;
        else decided = 0;
    }
    if (b->kind == ITEM) b->level = (uint8_t)(list_depth > 200 ? 200 : list_depth);
}

void set_kinds(Page *page) {
    find_layout_tables(page);
    for (int32_t i = 0; i < page->blocks.count; i++) {
        set_kind(page, &page->blocks.at[i]);
        page->blocks.at[i].flags = page->elements.at[page->blocks.at[i].element].flags;
    }
}
