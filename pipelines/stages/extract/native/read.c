/* Markup to elements and blocks in one pass.
 *
 * The tree rules are those of the HTML Standard that decide to which element text belongs (implied end tags, scopes of
  * tables and lists, void and raw elements). Table fostering and the adoption agency are omitted, because they do not
  * change
  * the text of a block. Unlike in the standard, an unclosed title, select, textarea, svg or comment does not swallow
  * the rest
  * of the page.
 */
#include "read.h"

#include <stdlib.h>

static int span_kind(Tag tag) {
    switch (tag) {
    case T_a: return SPAN_LINK;
    case T_code: case T_kbd: case T_samp: case T_tt: return SPAN_CODE;
    case T_b: case T_strong: return SPAN_STRONG;
    case T_i: case T_em: case T_cite: case T_var: case T_dfn: return SPAN_EMPHASIS;
    case T_sub: return SPAN_SUB;
    case T_sup: return SPAN_SUP;
    case T_math: return SPAN_FORMULA;
    default: return -1;
    }
}

static int open_span(Reader *r, int kind, const char *source, const char *end) {
    if (kind < 0) return 0;
    if (r->due_quote && !r->skips) put_mark(r, 0);
    if (r->span_depth < MAX_INLINE) {
        uint32_t begin = r->has_text ? (uint32_t)r->page->text.count - r->block.text + (r->pending ? 1 : 0) : 0;
        r->open_spans[r->span_depth] = (Inline){
            {begin, 0, (uint32_t)(source - r->page->markup), (uint32_t)(end - source), (uint8_t)kind}, 0};
    }
    r->span_depth++;
    return 1;
}

static void add_image(Reader *r, const char *source, const char *end) {
    if (r->skips) return;
    if (!RESERVE(r->page->spans, 1)) {
        r->status = READ_NO_MEMORY;
        return;
    }
    uint32_t at = r->has_text ? (uint32_t)r->page->text.count - r->block.text + (r->pending ? 1 : 0) : 0;
    r->page->spans.at[r->page->spans.count++] =
        (Span){at, at, (uint32_t)(source - r->page->markup), (uint32_t)(end - source), SPAN_IMAGE};
}

const char *end_tag_after(const Reader *r, Tag tag, const char *at) {
    const char *name = tag_names[tag];
    size_t bytes = strlen(name);
    for (; (at = find(at, r->end, "</", 2)) != NULL; at += 2)
        if ((size_t)(r->end - at) >= bytes + 2 && equals(at + 2, bytes, name)) return at;
    return NULL;
}

/* Returns the end tag of *tag* at or after *at*, or NULL: an unclosed element must not swallow the page. The last match
is
 * cached, so that all searches together read each byte once per tag. */
static const char *close_after(Reader *r, Tag tag, const char *at) {
    const char **known = &r->next_close[tag];
    if (*known == r->end || *known >= at) return *known == r->end ? NULL : *known;
    const char *found = end_tag_after(r, tag, at);
    *known = found != NULL ? found : r->end;
    return found;
}

static void take_title(Reader *r, const char *at, const char *end) {
    Page *page = r->page;
    if (page->title.count || end - at > 2000) return;
    int32_t start = page->text.count;
    put_text(r, at, end, 1);
    int32_t bytes = page->text.count - start;
    if (bytes > 0 && RESERVE(page->title, bytes)) {
        memcpy(page->title.at, page->text.at + start, (size_t)bytes);
        page->title.count = bytes;
    }
    page->text.count = start;
    start_block(r);
}

/* A raw element: its text is not markup. Returns where parsing continues. */
static const char *raw_element(Reader *r, Tag tag, const char *at, int32_t record) {
    const char *close = close_after(r, tag, at);
    if (close == NULL) {
        if (tag == T_title) {       /* ends at the line's end, or at the next tag */
            const char *stop = at;
            while (stop < r->end && *stop != '<' && *stop != '\n') stop++;
            if (!r->has_text) take_title(r, at, stop);
            return stop;
        }
        if (tag == T_script || tag == T_style) {
            const char *tagged = find(at, r->end, "\n<", 2);   /* a guess: code rarely begins a line with a tag */
            return tagged ? tagged : r->end;
        }
        return at;
    }
    if (tag == T_script) close = script_end(r, at, close);
    if (tag == T_title) {
        if (close - at > 2000 || r->skips) {       /* a later title's end; that of a picture ends as any element */
            const char *tagged = memchr(at, '<', (size_t)(close - at));
            if (tagged) close = tagged;
        }
        if (!r->has_text && !r->skips) take_title(r, at, close);
    }
    if (record >= 0) {
        Record *record_of = &r->page->records.at[record];
        record_of->is_raw = 1;
        record_of->text = (uint32_t)(at - r->page->markup);
        record_of->text_end = (uint32_t)(close - r->page->markup);
        if (tag == T_script) note_linked_data(r, at, close);
    }
    if (!(tag_flags[tag] & SKIP) && !r->skips) {
        r->pre++;
        put_text(r, at, close, 0);
        flush(r);
        r->pre--;
    }
    if (close < r->end && *close == '<') {
        const char *shut = memchr(close, '>', (size_t)(r->end - close));
        if (shut != NULL && close[1] == '/') return shut + 1;
    }
    return close;
}

enum { NEARBY_BYTES = 250 };

/* Whether a nearby class marks a duplicate for screen readers, of which only one is kept. */
static int is_duplicate(const Reader *r, const char *after) {
    static const char *const words[] = {"hidden", "sr-only", "screen", "reader", "clipped", "a11y", "-sr", NULL};
    const char *at = after - r->page->markup > 2 * NEARBY_BYTES ? after - 2 * NEARBY_BYTES : r->page->markup;
    const char *end = r->end - after > NEARBY_BYTES ? after + NEARBY_BYTES : r->end;
    while ((at = find(at, end, "class=", 6)) != NULL) {
        const char *stop = memchr(at, '>', (size_t)(end - at));
        if (stop == NULL) stop = end;
        for (int i = 0; words[i]; i++)
            if (find(at, stop, words[i], strlen(words[i])) != NULL) return 1;
        at = stop;
    }
    return 0;
}

/* Icons and formula glyphs drawn with letters. They are hidden from screen readers because they are not text. */
static int is_icon(const Reader *r, const Attributes *a, const char *after) {
    static const char *const words[] = {"icon", "material", "glyph", "katex", "mathjax", "anchor", "permalink", NULL};
    if (!a->is_aria_hidden) return 0;
    if ((a->href.value_bytes && a->href.value[0] == '#') || is_duplicate(r, after)) return 1;
    for (size_t i = 0; i < a->class.value_bytes; i++)
        for (int k = 0; words[k]; k++) {
            size_t bytes = strlen(words[k]);
            if (a->class.value_bytes - i >= bytes && equals(a->class.value + i, bytes, words[k])) return 1;
        }
    return 0;
}

static int skips_content(Reader *r, Tag tag, const Attributes *a, const char *after) {
    if (!(tag_flags[tag] & BOX) && (a->rendered == NO || a->visible == NO || is_icon(r, a, after))) return 1;
    if ((tag == T_rt || tag == T_rtc || tag == T_rp) && r->last[T_ruby]) return close_after(r, T_ruby, after) != NULL;
    if (!(tag_flags[tag] & SKIP)) return 0;
    if (tag == T_button)
        for (int i = r->depth - 1; i >= 0 && i >= r->depth - 4; i--)
            if (is_one_of(r->stack[i].tag, HEADINGS) || r->stack[i].tag == T_summary) return 0;
    return close_after(r, tag, after) != NULL;
}

static void push(Reader *r, Tag tag, const Attributes *a, const char *source, const char *after, int32_t record) {
    if (r->depth >= MAX_DEPTH) {
        r->over[tag]++;
        r->is_over = 1;
        if (tag_flags[tag] & BOX) flush(r);
        return;
    }
    Open *open = &r->stack[r->depth];
    memset(open, 0, sizeof *open);
    open->tag = tag;
    open->record = record;
    open->link_before = (uint8_t)r->in_link;
    if (tag_flags[tag] & BOX) {
        flush(r);
        r->box = add_element(r, tag, a);
        r->block.element = r->box;
        if (tag == T_pre || tag == T_listing || tag == T_xmp || tag == T_plaintext) {
            open->is_pre = 1;
            r->pre++;
            note_pre(r->page, r->box);
        }
    } else if (tag == T_a) {
        r->in_link = a->href.value != NULL;
        if (r->in_link && !r->skips) r->block.links++;
    }
    if (!(tag_flags[tag] & BOX)) {
        if (tag == T_code && r->pre && a->class.value_bytes)
            note_language(r->page, &r->page->elements.at[r->box], a->class.value, a->class.value_bytes);
        if (a->is_opener) r->opener = r->page->elements.count;
        int kind = span_kind(tag);
        if (tag == T_a && a->href.value == NULL) kind = -1;
        if (kind < 0 && a->raised) kind = a->raised > 0 ? SPAN_SUP : SPAN_SUB;
        open->span = (uint8_t)open_span(r, kind, source, after);
    }
    open->element = r->box;
    open->skips = (uint8_t)skips_content(r, tag, a, after);
    r->skips += open->skips;
    if (tag == T_q && !r->skips) open_quote(r, open, after);
    enter(r, open);
    r->depth++;
}

static const char *start_tag(Reader *r, Tag tag, const char *source, const char *names, const char *end) {
    const char *after = end < r->end ? end + 1 : r->end;
    Attributes a;
    read_attributes(names, end, &a);
    read_style(&a, tag);
    imply_ends(r, tag);
    if (tag == T_a && r->last[T_a] > scope_begin(r, IN_ONE_BOX)) pop_to(r, r->last[T_a] - 1); /* the first was never closed */
    int32_t record = is_record(r, tag, &a) ? add_record(r, tag, source, after) : -1;
    if (tag_flags[tag] & VOID) {
        if (tag == T_br) line_break(r);
        else if (tag == T_hr) flush(r);
        else if (tag == T_img) add_image(r, source, after);
        else if (tag == T_meta) note_meta(r, &a);
        return after;
    }
    if (tag_flags[tag] & RAW) {
        if (tag == T_xmp) flush(r);
        return raw_element(r, tag, after, record);
    }
    if ((tag == T_body || tag == T_html) && r->last[tag]) return after;
    if (tag == T_html) r->language = language_of(&a.lang);
    if (end > names && end[-1] == '/' && (tag == T_svg || tag == T_other || tag == T_custom)) return after;
    push(r, tag, &a, source, after, record);
    return after;
}

static int scope_of(Tag tag) {
    switch (tag) {
    case T_li: return IN_ONE_LIST;
    case T_dt: case T_dd: return IN_ONE_DL;
    case T_table: return IN_PAGE;
    case T_td: case T_th: case T_tr: case T_thead: case T_tbody: case T_tfoot: case T_caption: return IN_ONE_TABLE;
    default: return tag_flags[tag] & (BOX | SKIP) ? IN_ONE_CELL : IN_ONE_BOX;
    }
}

static void end_tag(Reader *r, Tag tag) {
    if (tag == T_br) {
        line_break(r);
        return;
    }
    if (tag == T_p && !r->last[T_p]) flush(r);
    if (tag == T_body || tag == T_html || (tag_flags[tag] & VOID)) return;
    if (r->over[tag] > 0) {
        r->over[tag]--;
        if (tag_flags[tag] & BOX) flush(r);
        return;
    }
    if (!r->last[tag]) {
        if (is_one_of(tag, HEADINGS)) close_implied(r, HEADINGS, IN_ONE_CELL);   /* <h2> … </h3> */
        return;
    }
    if (r->last[tag] >= scope_begin(r, scope_of(tag))) pop_to(r, r->last[tag] - 1);
    else if (tag == T_a) r->in_link = 0;
}

/* Returns the end of the tag whose attributes begin at *at*: the ">" outside quotation marks. An unclosed attribute
ends the
 * tag at its first ">". */
static const char *tag_end(const char *at, const char *end) {
    const char *first = NULL;
    while (at < end) {
        if (*at == '>') return at;
        if (*at == '=') {
            at++;
            while (at < end && is_space((uint8_t)*at)) at++;
            if (at < end && (*at == '"' || *at == '\'')) {
                const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
                if (close == NULL) {
                    first = memchr(at, '>', (size_t)(end - at));
                    return first ? first : end;
                }
                at = close;
                at++;
            }
            continue;
        }
        at++;
    }
    return end;
}

static int is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

static const char *comment_end(Reader *r, const char *at) {
    if (r->end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
        if (r->end - at > 4 && at[4] == '>') return at + 5;
        const char *shut = r->has_no_comment_end ? NULL : find(at + 2, r->end, "--", 2);
        for (; shut != NULL; shut = find(shut + 1, r->end, "--", 2)) {
            if (shut + 2 < r->end && shut[2] == '>') return shut + 3;
            if (shut + 3 < r->end && shut[2] == '!' && shut[3] == '>') return shut + 4;
        }
        r->has_no_comment_end = 1;
    }
    const char *close = memchr(at, '>', (size_t)(r->end - at));
    return close != NULL ? close + 1 : r->end;
}

/* Parses markup that begins with "<" and returns where parsing continues; NULL if it is text. */
static const char *tag_at(Reader *r, const char *at) {
    if (r->end - at < 2) return NULL;
    if (at[1] == '!' || at[1] == '?') return comment_end(r, at);
    int is_end = at[1] == '/';
    const char *name = at + 1 + is_end;
    if (name >= r->end || !is_letter(*name)) return is_end ? comment_end(r, at) : NULL;
    const char *stop = name;
    while (stop < r->end && *stop != '>' && *stop != '/' && !((uint8_t)*stop <= ' ')) stop++;
    Tag tag = tag_of(name, (size_t)(stop - name));
    const char *close = tag_end(stop, r->end);
    if (is_end) {
        end_tag(r, tag);
        return close < r->end ? close + 1 : r->end;
    }
    return start_tag(r, tag, at, stop, close);
}

static void read_markup(Reader *r) {
    const char *at = r->page->markup;
    int64_t no_more = -1;                 /* "<" that begins no markup and is text */
    while (at < r->end && r->status == READ_OK) {
        if (*at == '<') {
            const char *next = tag_at(r, at);
            if (next != NULL) {
                at = next;
                continue;
            }
            no_more = at - r->page->markup;
        }
        const char *from = no_more == at - r->page->markup ? at + 1 : at;
        const char *stop = from < r->end ? memchr(from, '<', (size_t)(r->end - from)) : NULL;
        if (stop == NULL) stop = r->end;
        if (!r->skips) put_text(r, at, stop, 1);
        at = stop;
    }
}

void reader_init(void) {
    tags_init();
    names_init();
    scopes_init();
}

int page_read(Page *page) {
    Reader *r = calloc(1, sizeof *r);
    if (r == NULL) return READ_NO_MEMORY;
    r->page = page;
    r->end = page->markup + page->bytes;
    r->box = -1;
    r->opener = INT32_MIN / 2;
    Attributes none;
    memset(&none, 0, sizeof none);
    r->box = add_element(r, T_other, &none);
    start_block(r);
    if (!RESERVE(page->text, (int32_t)(page->bytes / 4 + 64)) || !RESERVE(page->blocks, 256)) r->status = READ_NO_MEMORY;
    if (r->status == READ_OK) read_markup(r);
    pop_to(r, 0);
    flush(r);
    if (page->elements.count) page->elements.at[0].block_end = page->blocks.count;
    int status = r->status;
    free(r);
    if (status != READ_OK) return status;
    set_kinds(page);
    return READ_OK;
}

void page_free(Page *page) {
    free(page->text.at);
    free(page->names.at);
    free(page->elements.at);
    free(page->blocks.at);
    free(page->spans.at);
    free(page->records.at);
    free(page->title.at);
}
