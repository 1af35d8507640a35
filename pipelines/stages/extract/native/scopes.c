/* Open elements: which of them a tag closes, explicitly or implicitly, and within which scope. */
#include "read.h"

static void pop(Reader *r) {
    Open *open = &r->stack[--r->depth];
    if (r->is_over) {
        memset(r->over, 0, sizeof r->over);
        r->is_over = 0;
    }
    Page *page = r->page;
    close_quote(r, open);
    r->last[open->tag] = open->same;
    if (tag_flags[open->tag] & BOX) {
        flush(r);
        page->elements.at[open->element].block_end = page->blocks.count;
        r->box = page->elements.at[open->element].parent;
        r->block.element = r->box;
    }
    if (open->record >= 0) page->records.at[open->record].text_end = (uint32_t)page->text.count;
    if (open->span && r->span_depth > 0) {
        end_spans(r, r->span_depth - 1, r->has_text ? (uint32_t)page->text.count - r->block.text : 0);
        r->span_depth--;
    }
    r->skips -= open->skips;
    r->pre -= open->is_pre;
    r->in_link = open->link_before;
}

void pop_to(Reader *r, int depth) {
    while (r->depth > depth) pop(r);
}

static const uint8_t NONE[] = {0};
static const uint8_t OF_TABLE[] = {T_table, 0};
static const uint8_t OF_LIST[] = {T_ul, T_ol, T_menu, T_dir, T_table, T_td, T_th, 0};
static const uint8_t OF_DL[] = {T_dl, T_table, T_td, T_th, 0};
static const uint8_t OF_CELL[] = {T_table, T_td, T_th, T_caption, T_object, T_button, T_template, 0};
static const uint8_t CELLS[] = {T_td, T_th, T_caption, 0};
static const uint8_t ROWS[] = {T_tr, 0};
static const uint8_t GROUPS[] = {T_thead, T_tbody, T_tfoot, T_caption, 0};
static const uint8_t TERMS[] = {T_dt, T_dd, 0};
static const uint8_t ITEM_ONLY[] = {T_li, 0};
static const uint8_t P_ONLY[] = {T_p, 0};
const uint8_t HEADINGS[] = {T_h1, T_h2, T_h3, T_h4, T_h5, T_h6, 0};

static uint8_t bounds[TAG_COUNT];      /* a bit for each scope that ends at the tag */

void scopes_init(void) {
    static const uint8_t *const sets[] = {NONE, OF_TABLE, OF_LIST, OF_DL, OF_CELL, CELLS};
    for (int tag = 0; tag < TAG_COUNT; tag++) {
        bounds[tag] = tag_flags[tag] & BOX ? 1 << IN_ONE_BOX : 0;
        for (int scope = 0; scope < IN_ONE_BOX; scope++) bounds[tag] |= is_one_of((Tag)tag, sets[scope]) << scope;
    }
}

/* The start of a scope: elements further out are not affected. It is looked up instead of searched, so that a tag costs
the
 * same at any depth. */
int scope_begin(const Reader *r, int scope) { return r->depth ? r->stack[r->depth - 1].scopes[scope] : 0; }

void enter(Reader *r, Open *open) {
    open->same = r->last[open->tag];
    r->last[open->tag] = (int16_t)(r->depth + 1);
    if (r->depth) memcpy(open->scopes, open[-1].scopes, sizeof open->scopes);
    for (int scope = 0; bounds[open->tag] >> scope; scope++)
        if (bounds[open->tag] >> scope & 1) open->scopes[scope] = (int16_t)(r->depth + 1);
}

/* Closes the innermost open element of *tags*, and its descendants, unless it is out of scope. */
void close_implied(Reader *r, const uint8_t *tags, int scope) {
    int at = 0;
    for (const uint8_t *tag = tags; *tag; tag++)
        if (r->last[*tag] > at) at = r->last[*tag];
    if (at && at >= scope_begin(r, scope)) pop_to(r, at - 1);
}

/* Closes the open elements in the innermost ruby, up to the outermost of *tags*. */
static void imply_ruby(Reader *r, const uint8_t *tags) {
    int outermost = r->depth + 1;
    for (const uint8_t *tag = tags; *tag; tag++)
        if (r->last[*tag] > r->last[T_ruby] && r->last[*tag] < outermost) outermost = r->last[*tag];
    if (r->last[T_ruby] && outermost <= r->depth) pop_to(r, outermost - 1);
}

void imply_ends(Reader *r, Tag tag) {
    switch (tag) {
    case T_li: close_implied(r, ITEM_ONLY, IN_ONE_LIST); break;
    case T_dt: case T_dd: close_implied(r, TERMS, IN_ONE_DL); break;
    case T_tr: close_implied(r, CELLS, IN_ONE_TABLE); close_implied(r, ROWS, IN_ONE_TABLE); break;
    case T_td: case T_th: close_implied(r, CELLS, IN_ONE_TABLE); break;
    case T_thead: case T_tbody: case T_tfoot: case T_caption:
        close_implied(r, CELLS, IN_ONE_TABLE);
        close_implied(r, ROWS, IN_ONE_TABLE);
        close_implied(r, GROUPS, IN_ONE_TABLE);
        break;
    case T_rt: case T_rp: { static const uint8_t ended[] = {T_rb, T_rt, T_rp, 0}; imply_ruby(r, ended); break; }
    case T_rb: case T_rtc: { static const uint8_t ended[] = {T_rb, T_rt, T_rp, T_rtc, 0}; imply_ruby(r, ended); break; }
    case T_button: { static const uint8_t same[] = {T_button, 0}; close_implied(r, same, IN_PAGE); break; }
    case T_option: case T_optgroup: { static const uint8_t same[] = {T_option, 0}; close_implied(r, same, IN_PAGE); break; }
    default: break;
    }
    if (tag_flags[tag] & BOX) {
        if (tag != T_html && tag != T_head && tag != T_noscript && tag != T_custom) close_implied(r, P_ONLY, IN_BUTTON_OR_CELL);
        if (is_one_of(tag, HEADINGS) && r->depth && is_one_of(r->stack[r->depth - 1].tag, HEADINGS)) pop(r);
        if (r->skips && tag != T_noscript && tag != T_custom) {      /* blocks end elements that may not hold any */
            static const uint8_t held[] = {T_select, T_svg, T_button, T_datalist, T_meter, T_progress, T_canvas, T_map, T_rt,
                                           T_rtc, T_rp, 0};
            for (int i = r->depth - 1; i >= 0 && i >= r->depth - 32; i--)
                if (is_one_of(r->stack[i].tag, held) && r->stack[i].skips) {
                    if (r->stack[i].tag == T_button) break;
                    pop_to(r, i);
                }
        }
    }
}
