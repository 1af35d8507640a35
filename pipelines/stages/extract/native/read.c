/* Markup to elements and blocks in one pass.
 *
 * The tree rules are those of the HTML Standard that decide where text belongs (implied end tags, scopes of tables and
 * lists, void and raw elements), without its table fostering and its adoption agency: a block's text is the same with or
 * without them. What the standard lets swallow the rest of a page (a title, select, textarea, svg or comment that is
 * never closed) does not here.
 */
#include "page.h"

#include <stdlib.h>
#include <string.h>

/* Sets of tags beyond which an end tag, spoken or implied, has no effect. */
enum { IN_PAGE, IN_ONE_TABLE, IN_ONE_LIST, IN_ONE_DL, IN_BUTTON_OR_CELL, IN_ONE_CELL, IN_ONE_BOX, SCOPES };

typedef struct {
    Tag tag;
    int32_t element;      /* the box, or the box around an inline element */
    int32_t record;       /* to be given its text, or -1 */
    int16_t same;         /* the open element of the same tag around it, counted from 1; 0: none */
    int16_t scopes[SCOPES]; /* the innermost open element of each set, counted likewise */
    uint8_t skips, is_pre, link_before, span;
} Open;

typedef struct { Span span; int blocks; } Inline;

typedef struct {
    Page *page;
    Open stack[MAX_DEPTH];
    int depth;
    int32_t over[TAG_COUNT];           /* start tags beyond MAX_DEPTH that wait for their end tags */
    int is_over;
    int16_t last[TAG_COUNT];           /* the innermost open element of a tag, counted from 1; 0: none */
    int32_t box;                       /* the innermost element that holds blocks */
    int skips, pre, in_link;
    Block block;                       /* the one that is being written */
    int has_text, pending;             /* pending: 0, ' ' or '\n' before the next character */
    int breaks;                        /* <br> since the last character */
    Inline open_spans[MAX_INLINE];
    int span_depth;
    const char *next_close[TAG_COUNT]; /* the end tag that was found last; `end`: there is no further one */
    int has_no_comment_end;
    const char *end;
    int status;
} Reader;

static const char *find(const char *at, const char *end, const char *what, size_t bytes) {
    while (at + bytes <= end) {
        at = memchr(at, what[0], (size_t)(end - at) - bytes + 1);
        if (at == NULL) return NULL;
        if (memcmp(at, what, bytes) == 0) return at;
        at++;
    }
    return NULL;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static void start_block(Reader *r) {
    Block *b = &r->block;
    memset(b, 0, sizeof *b);
    b->element = r->box;
    b->text = (uint32_t)r->page->text.count;
    b->span_begin = r->page->spans.count;
    b->hash = 2166136261u;
    b->lines = 1;
    r->has_text = 0;
    r->pending = 0;
    r->breaks = 0;
    for (int i = 0; i < r->span_depth && i < MAX_INLINE; i++) r->open_spans[i].span.begin = 0;
}

static void end_spans(Reader *r, int from, uint32_t end) {
    for (int i = from; i < r->span_depth && i < MAX_INLINE; i++) {
        Inline *open = &r->open_spans[i];
        if (open->blocks > MAX_SPAN_BLOCKS || open->span.begin >= end) continue;
        if (!RESERVE(r->page->spans, 1)) {
            r->status = READ_NO_MEMORY;
            return;
        }
        open->span.end = end;
        r->page->spans.at[r->page->spans.count++] = open->span;
    }
}

enum { LEXICON_WORDS = 12, MAX_KNOWN_WORDS = 10000 };   /* "no-no-no-…" is one word, and its sum should fit a number */

/* What the characters of a block are like, for the features; counted when it is finished. */
static void add_word(void *context, uint32_t hash, const char *at, size_t bytes) {
    Block *b = ((void **)context)[0];
    const Lexicon *lexicon = ((void **)context)[1];
    int score;
    (void)at, (void)bytes;
    if (b->word_known >= MAX_KNOWN_WORDS || !lexicon_score(lexicon, hash, &score)) return;
    if (b->word_known == 0 || score < b->word_min) b->word_min = score;
    if (b->word_known == 0 || score > b->word_max) b->word_max = score;
    b->word_sum += score;
    b->word_known++;
}

static void flush(Reader *r) {
    Page *page = r->page;
    Block *b = &r->block;
    if (r->has_text) {
        b->bytes = (uint32_t)page->text.count - b->text;
        if (r->pre)
            while (b->bytes && (page->text.at[b->text + b->bytes - 1] == '\n' || page->text.at[b->text + b->bytes - 1] == ' '))
                b->bytes--;
        end_spans(r, 0, b->bytes);
        for (int i = 0; i < r->span_depth && i < MAX_INLINE; i++) r->open_spans[i].blocks++;
        b->span_end = page->spans.count;
        if (page->blocks.count >= MAX_BLOCKS) r->status = READ_TOO_MANY;
        else if (!RESERVE(page->blocks, 1) || !RESERVE(page->text, 1)) r->status = READ_NO_MEMORY;
        else {
            void *context[2] = {b, (void *)page->word_lexicon};
            if (b->words <= LEXICON_WORDS) word_tokens(page->text.at + b->text, b->bytes, add_word, context);
            b->hash = hash_bytes(page->text.at + b->text, b->bytes);
            page->text.at[page->text.count++] = '\n';
            page->blocks.at[page->blocks.count++] = *b;
        }
    }
    start_block(r);
}

static int is_wide(uint32_t c) {  /* written without spaces: one character counts as a word */
    return c >= 0x0e00 && ((c <= 0x0e7f) || (c >= 0x1000 && c <= 0x109f) || (c >= 0x3040 && c <= 0x30ff)
                           || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff)
                           || (c >= 0xac00 && c <= 0xd7af) || (c >= 0xf900 && c <= 0xfaff));
}

static int is_stop(uint32_t c) {
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0x0964
           || c == 0x061f || c == 0x06d4;
}

static int is_comma(uint32_t c) {
    return c == ',' || c == ';' || c == 0x60c || c == 0x3001 || c == 0xff0c || c == 0xff1b || c == 0x61b;
}

enum { FIRST_OTHER, FIRST_UPPER, FIRST_LOWER, FIRST_DIGIT, FIRST_WIDE };
enum { LAST_OTHER, LAST_STOP, LAST_COLON, LAST_CLOSING };

static void count_point(Reader *r, uint32_t c, int starts_word) {
    Block *b = &r->block;
    b->chars++;
    if (r->in_link) b->link_chars++;
    int wide = 0;
    if (c < 0x80) {
        if (c >= 'a' && c <= 'z') b->letters++;
        else if (c >= 'A' && c <= 'Z') b->letters++, b->uppers++;
        else if (c >= '0' && c <= '9') b->digits++;
        else if (c == ',' || c == ';') b->commas++;
        else if (c == '.' || c == '!' || c == '?') b->stops++;
        else if (c != '\'' && c != '"' && c != '-' && c != '(' && c != ')' && c != ':') b->symbols++;
    } else if (is_wide(c)) {
        wide = 1;
        b->cjk++;
        b->letters++;
    } else if (is_stop(c)) b->stops++;
    else if (is_comma(c)) b->commas++;
    else if (c >= 0x2010 && c <= 0x206f) { /* dashes, quotation marks */
    } else if ((c >= 0xa1 && c <= 0xbf && c != 0xaa && c != 0xb5 && c != 0xba) || (c >= 0x2070 && c <= 0x2bff)) b->symbols++;
    else b->letters++;
    if (wide || starts_word) {
        b->words++;
        if (r->in_link) b->link_words++;
    }
    if (b->chars == 1)
        b->first = wide ? FIRST_WIDE : c >= 'A' && c <= 'Z' ? FIRST_UPPER : c >= 'a' && c <= 'z' ? FIRST_LOWER
                   : c >= '0' && c <= '9' ? FIRST_DIGIT : c >= 0xc0 && c < 0x2000 ? FIRST_UPPER : FIRST_OTHER;
    if (is_stop(c)) b->last = LAST_STOP;
    else if (c == ':' || c == 0xff1a) b->last = LAST_COLON;
    else if (c == '"' || c == '\'' || c == ')' || c == 0x201d || c == 0x2019 || c == 0xbb || c == 0x300d || c == ']')
        b->last = b->last == LAST_STOP ? LAST_STOP : LAST_CLOSING;
    else b->last = LAST_OTHER;
}

static void put_point(Reader *r, uint32_t c) {
    Page *page = r->page;
    if (!RESERVE(page->text, 8)) {
        r->status = READ_NO_MEMORY;
        return;
    }
    int starts_word = !r->has_text || r->pending;
    if (r->pending && r->has_text) {
        page->text.at[page->text.count++] = (char)r->pending;
        if (r->pending == '\n') r->block.lines++;
        r->block.chars++;
    }
    r->pending = 0;
    r->breaks = 0;
    r->has_text = 1;
    page->text.count += encode_point(c, page->text.at + page->text.count);
    count_point(r, c, starts_word);
}

/* White space of preformatted text is kept; a line end before its first character is not. */
static void put_space_of_pre(Reader *r, uint32_t c) {
    Page *page = r->page;
    if (!r->has_text && c == '\n') {
        page->text.count = (int32_t)r->block.text;      /* nothing but spaces so far: an empty line */
        r->block.chars = 0;
        return;
    }
    if (!RESERVE(page->text, 8)) {
        r->status = READ_NO_MEMORY;
        return;
    }
    if (c == '\n') r->block.lines++;
    else if (c != '\t') c = ' ';
    page->text.at[page->text.count++] = (char)c;
    r->block.chars++;
    r->pending = 0;
}

/* Characters that no reader sees and that no text should hold: other controls, soft hyphens, zero-width spaces. */
static int is_unseen(uint32_t c) {
    return (c < 0x20) || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x200b || c == 0xfeff || c == 0x2060;
}

static void put(Reader *r, uint32_t c) {
    if (is_space(c)) {
        if (r->pre) put_space_of_pre(r, c == '\r' ? '\n' : c);
        else if (r->pending != '\n') r->pending = r->has_text ? ' ' : 0;
    } else if (!is_unseen(c)) {
        if (r->pre && r->block.chars && r->page->text.count > (int32_t)r->block.text) {
            char before = r->page->text.at[r->page->text.count - 1];
            r->pending = 0;
            int32_t count = r->page->text.count;
            put_point(r, c);
            if (r->status == READ_OK && count > 0 && (before == ' ' || before == '\n' || before == '\t') && !is_wide(c))
                r->block.words++;
        } else put_point(r, c);
    }
}

/* Takes a run of ASCII letters as one: most of what pages hold. Gives where it ends. */
static const char *put_letters(Reader *r, const char *at, const char *end) {
    const char *start = at;
    int32_t capitals = 0;
    while (at < end && (uint8_t)((*at | 32) - 'a') < 26u) capitals += !(*at & 32), at++;
    int32_t count = (int32_t)(at - start);
    Page *page = r->page;
    Block *b = &r->block;
    if (!RESERVE(page->text, count)) {
        r->status = READ_NO_MEMORY;
        return end;
    }
    memcpy(page->text.at + page->text.count, start, (size_t)count);
    page->text.count += count;
    b->chars += count;
    b->letters += count;
    b->uppers += capitals;
    if (r->in_link) b->link_chars += count;
    b->last = LAST_OTHER;
    return at;
}

static void put_text(Reader *r, const char *at, const char *end, int has_references) {
    while (at < end && r->status == READ_OK) {
        if (r->has_text && !r->pending && !r->pre && (uint8_t)((*at | 32) - 'a') < 26u) {
            at = put_letters(r, at, end);
            continue;
        }
        uint32_t c, points[2];
        size_t used;
        if (*at == '&' && has_references && (used = reference(at, end, points, 0)) > 0) {
            put(r, points[0]);
            if (points[1]) put(r, points[1]);
            at += used;
            continue;
        }
        at += decode_point(at, end, &c);
        if (c == '\r' && at < end && *at == '\n') continue;
        put(r, repaired(c));
    }
}

static void line_break(Reader *r) {
    if (r->skips) return;
    if (r->pre) put_space_of_pre(r, '\n');
    else if (r->has_text) {
        r->pending = '\n';
        if (++r->breaks >= 2) flush(r);
    }
}

/* ---- names of elements ------------------------------------------------------------------------------------------- */

typedef struct { Reader *reader; Element *element; int known, comments, signs; } Naming;

static uint32_t sign_words[8];

static void name_words_init(void) {
    const char *signs[] = {"author", "byline", "published", "date", "posted", "time", "writer", "autor"};
    for (int i = 0; i < 8; i++) sign_words[i] = hash_bytes(signs[i], strlen(signs[i]));
}

/* Words of names where readers write; a "commentary" is a column of the paper. */
static int is_comment_word(const char *at, size_t bytes) {
    static const char *const words[] = {"disqus", "respond", "trackbacks", "pingback", "replies", NULL};
    if (bytes >= 7 && equals(at, 7, "comment")) return !(bytes >= 10 && equals(at, 10, "commentary"));
    for (int i = 0; words[i]; i++)
        if (equals(at, bytes, words[i])) return 1;
    return 0;
}

static void add_name(void *context, uint32_t hash, const char *at, size_t bytes) {
    Naming *n = context;
    int score;
    for (int i = 0; i < 8; i++) n->signs |= hash == sign_words[i];
    if (n->element == NULL) return;
    n->comments |= is_comment_word(at, bytes);
    const Lexicon *lexicon = n->reader->page->name_lexicon;
    if (!lexicon_score(lexicon, hash, &score) && !lexicon_score(lexicon, prefix_hash(at, bytes), &score)) return;
    int sum = n->element->own_score + score;
    n->element->own_score = (int16_t)(sum > 3000 ? 3000 : sum < -3000 ? -3000 : sum);
    n->known++;
}

/* ---- open elements ----------------------------------------------------------------------------------------------- */

static void pop(Reader *r) {
    Open *open = &r->stack[--r->depth];
    if (r->is_over) {
        memset(r->over, 0, sizeof r->over);
        r->is_over = 0;
    }
    Page *page = r->page;
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

static void pop_to(Reader *r, int depth) {
    while (r->depth > depth) pop(r);
}

static int is_one_of(Tag tag, const uint8_t *set) {
    for (; *set; set++)
        if (*set == tag) return 1;
    return 0;
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
static const uint8_t HEADINGS[] = {T_h1, T_h2, T_h3, T_h4, T_h5, T_h6, 0};

static uint8_t bounds[TAG_COUNT];      /* a bit for each scope that ends at the tag */

static void bounds_init(void) {
    static const uint8_t *const sets[] = {NONE, OF_TABLE, OF_LIST, OF_DL, OF_CELL, CELLS};
    for (int tag = 0; tag < TAG_COUNT; tag++) {
        bounds[tag] = tag_flags[tag] & BOX ? 1 << IN_ONE_BOX : 0;
        for (int scope = 0; scope < IN_ONE_BOX; scope++) bounds[tag] |= is_one_of((Tag)tag, sets[scope]) << scope;
    }
}

/* Where a scope begins: elements further out are not reached. Looked up, not searched for: a tag costs the same however
 * deep the page is. */
static int scope_begin(const Reader *r, int scope) { return r->depth ? r->stack[r->depth - 1].scopes[scope] : 0; }

static void enter(Reader *r, Open *open) {
    open->same = r->last[open->tag];
    r->last[open->tag] = (int16_t)(r->depth + 1);
    if (r->depth) memcpy(open->scopes, open[-1].scopes, sizeof open->scopes);
    for (int scope = 0; bounds[open->tag] >> scope; scope++)
        if (bounds[open->tag] >> scope & 1) open->scopes[scope] = (int16_t)(r->depth + 1);
}

/* Closes the innermost open element of *tags*, and all in it, unless it is out of scope. */
static void close_implied(Reader *r, const uint8_t *tags, int scope) {
    int at = 0;
    for (const uint8_t *tag = tags; *tag; tag++)
        if (r->last[*tag] > at) at = r->last[*tag];
    if (at && at >= scope_begin(r, scope)) pop_to(r, at - 1);
}

static void imply_ends(Reader *r, Tag tag) {
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
    case T_button: { static const uint8_t same[] = {T_button, 0}; close_implied(r, same, IN_PAGE); break; }
    case T_option: case T_optgroup: { static const uint8_t same[] = {T_option, 0}; close_implied(r, same, IN_PAGE); break; }
    default: break;
    }
    if (tag_flags[tag] & BOX) {
        if (tag != T_html && tag != T_head && tag != T_noscript && tag != T_custom) close_implied(r, P_ONLY, IN_BUTTON_OR_CELL);
        if (is_one_of(tag, HEADINGS) && r->depth && is_one_of(r->stack[r->depth - 1].tag, HEADINGS)) pop(r);
        if (r->skips && tag != T_noscript && tag != T_custom) {      /* block content breaks out of what should hold none */
            static const uint8_t held[] = {T_select, T_svg, T_button, T_datalist, T_meter, T_progress, T_canvas, T_map, 0};
            for (int i = r->depth - 1; i >= 0 && i >= r->depth - 32; i--)
                if (is_one_of(r->stack[i].tag, held) && r->stack[i].skips) {
                    if (r->stack[i].tag == T_button) break;
                    pop_to(r, i);
                }
        }
    }
}

/* Gives the end tag of *tag* at or after *at*, NULL when there is none: what is never closed must not swallow the page.
 * The last one found is remembered, so that all searches together read each byte once for a tag. */
static const char *close_after(Reader *r, Tag tag, const char *at) {
    const char **known = &r->next_close[tag];
    if (*known == r->end || *known >= at) return *known == r->end ? NULL : *known;
    const char *name = tag_names[tag], *found = at;
    size_t bytes = strlen(name);
    while ((found = find(found, r->end, "</", 2)) != NULL) {
        if ((size_t)(r->end - found) >= bytes + 2 && equals(found + 2, bytes, name)) break;
        found += 2;
    }
    *known = found != NULL ? found : r->end;
    return found;
}

/* ---- start tags ------------------------------------------------------------------------------------------------------ */

typedef struct {
    Attribute class, id, role, style, itemprop, rel, type, href, content, name, property, start, alt, lang;
    int is_hidden, is_aria_hidden, is_body_prop, has_datetime;
} Attributes;

static int has_word(const Attribute *a, const char *word) {
    size_t i = 0;
    while (i < a->value_bytes) {
        while (i < a->value_bytes && (uint8_t)a->value[i] <= ' ') i++;
        size_t start = i;
        while (i < a->value_bytes && (uint8_t)a->value[i] > ' ') i++;
        if (i > start && equals(a->value + start, i - start, word)) return 1;
        if (i > 2000) return 0;
    }
    return 0;
}

/* Looks for a word of CSS without white space, such as "display:none". */
static int has_style(const Attribute *a, const char *property, const char *value) {
    char flat[400];
    size_t count = 0;
    for (size_t i = 0; i < a->value_bytes && count + 1 < sizeof flat; i++) {
        uint8_t c = (uint8_t)a->value[i];
        if (c > ' ') flat[count++] = (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
    }
    flat[count] = 0;
    const char *found = strstr(flat, property);
    return found != NULL && strncmp(found + strlen(property), value, strlen(value)) == 0;
}

static void read_attributes(const char *at, const char *end, Attributes *found) {
    Attribute a;
    memset(found, 0, sizeof *found);
#define TAKE(field, word) else if (equals(a.name, a.name_bytes, word)) { if (found->field.value == NULL) found->field = a; }
    while ((at = next_attribute(at, end, &a)) != NULL) {
        if (a.name_bytes < 2 || a.name_bytes > 11) continue;
        if (0) {}
        TAKE(class, "class") TAKE(id, "id") TAKE(href, "href") TAKE(style, "style") TAKE(rel, "rel") TAKE(type, "type")
        TAKE(content, "content") TAKE(name, "name") TAKE(property, "property") TAKE(role, "role")
        TAKE(itemprop, "itemprop") TAKE(start, "start") TAKE(alt, "alt") TAKE(lang, "lang")
        else if (equals(a.name, a.name_bytes, "hidden")) found->is_hidden = 1;
        else if (equals(a.name, a.name_bytes, "datetime")) found->has_datetime = 1;
        else if (equals(a.name, a.name_bytes, "aria-hidden"))
            found->is_aria_hidden |= equals(a.value, a.value_bytes, "true");
    }
#undef TAKE
    if (found->style.value_bytes
        && (has_style(&found->style, "display:", "none") || has_style(&found->style, "visibility:", "hidden")))
        found->is_hidden = 1;
    if (found->itemprop.value_bytes)
        found->is_body_prop = has_word(&found->itemprop, "articlebody") || has_word(&found->itemprop, "text");
}

static int is_bad_role(const Attribute *role) {
    static const char *const roles[] = {"navigation", "banner", "contentinfo", "complementary", "menu", "menubar", "search",
                                        "dialog", "alertdialog", "alert", "toolbar", "tooltip", NULL};
    if (role->value_bytes)
        for (int i = 0; roles[i]; i++)
            if (equals(role->value, role->value_bytes, roles[i])) return 1;
    return 0;
}

static uint32_t flags_of(Tag tag, const Attributes *a, uint32_t flags) {
    switch (tag) {
    case T_main: flags |= IN_MAIN; break;
    case T_article: flags |= IN_ARTICLE; break;
    case T_nav: case T_menu: case T_search: flags |= IN_NAV; break;
    case T_header: flags |= IN_HEADER; break;
    case T_footer: flags |= IN_FOOTER; break;
    case T_aside: flags |= IN_ASIDE; break;
    case T_form: flags |= IN_FORM; break;
    case T_noscript: flags |= IN_NOSCRIPT; break;
    case T_ul: case T_ol: flags |= IN_LIST; break;
    case T_table: flags |= IN_TABLE; break;
    case T_figure: flags |= IN_FIGURE; break;
    case T_details: flags |= IN_DETAILS; break;
    case T_dialog: flags |= IN_HIDDEN; break;
    default: break;
    }
    if (a->is_hidden || a->is_aria_hidden) flags |= IN_HIDDEN;
    if (a->is_body_prop) flags |= IN_BODY_PROP;
    if (equals(a->role.value ? a->role.value : "", a->role.value_bytes, "main")) flags |= IN_MAIN;
    if (is_bad_role(&a->role)) flags |= IN_BAD_ROLE;
    return flags;
}

static void keep_names(Reader *r, Element *e, const Attributes *a) {
    Page *page = r->page;
    uint32_t bytes[2] = {a->class.value_bytes, a->id.value_bytes};
    if (bytes[0] > MAX_NAME_BYTES) bytes[0] = MAX_NAME_BYTES;
    if (bytes[1] > MAX_NAME_BYTES) bytes[1] = MAX_NAME_BYTES;
    e->name = (uint32_t)page->names.count;
    if (bytes[0] + bytes[1] == 0) return;
    if (!RESERVE(page->names, (int32_t)(bytes[0] + bytes[1] + 1))) {
        r->status = READ_NO_MEMORY;
        return;
    }
    char *at = page->names.at + page->names.count;
    if (bytes[0]) memcpy(at, a->class.value, bytes[0]);
    at[bytes[0]] = ' ';
    if (bytes[1]) memcpy(at + bytes[0] + 1, a->id.value, bytes[1]);
    e->name_bytes = bytes[0] + bytes[1] + 1;
    page->names.count += (int32_t)e->name_bytes;
}

/* A hash of the names without digits: items of a list that are numbered look alike. */
static uint32_t signature(Tag tag, const Page *page, const Element *e) {
    uint32_t hash = (2166136261u ^ tag) * 16777619u;
    for (uint32_t i = 0; i < e->name_bytes; i++) {
        char c = page->names.at[e->name + i];
        if (c < '0' || c > '9') hash = (hash ^ (uint8_t)c) * 16777619u;
    }
    return hash;
}

static int whole_number(const Attribute *a) {
    int value = 0, i = 0, sign = 1;
    if (a->value_bytes && a->value[0] == '-') sign = -1, i = 1;
    for (; i < (int)a->value_bytes && i < 8 && a->value[i] >= '0' && a->value[i] <= '9'; i++)
        value = value * 10 + (a->value[i] - '0');
    return i < (int)a->value_bytes ? 1 : sign * value;
}

/* Numbers rows of a table, cells of a row, items of a list; `number` of a holder counts what it holds. */
static void number(Page *page, Element *e, const Attributes *a) {
    e->row = e->column = -1;
    int32_t up = e->parent;
    if (e->tag == T_ol) e->number = a->start.value_bytes ? whole_number(&a->start) - 1 : 0;
    if (e->tag == T_li) {
        while (up >= 0 && page->elements.at[up].tag != T_ol && page->elements.at[up].tag != T_ul
               && page->elements.at[up].tag != T_menu && page->elements.at[up].tag != T_dir && e->depth - page->elements.at[up].depth < 4)
            up = page->elements.at[up].parent;
        if (up >= 0) e->number = ++page->elements.at[up].number;
    } else if (e->tag == T_tr) {
        while (up >= 0 && page->elements.at[up].tag != T_table && e->depth - page->elements.at[up].depth < 4)
            up = page->elements.at[up].parent;
        if (up >= 0) e->row = page->elements.at[up].row++;
    } else if (e->tag == T_td || e->tag == T_th) {
        if (up >= 0 && page->elements.at[up].tag == T_tr) {
            e->row = page->elements.at[up].row;
            e->column = page->elements.at[up].number++;
        }
    } else if (e->tag == T_table) e->row = 0;
}

/* Finds the language of code in a class: "language-python", "lang-py", "highlight-source-c", "brush: java". */
static void note_language(Page *page, Element *pre, const char *at, size_t bytes) {
    static const char *const marks[] = {"language-", "lang-", "highlight-source-", "highlight-", "brush:", NULL};
    size_t end;
    for (size_t i = 0; i < bytes && pre->language_bytes == 0; i = end + 1) {
        for (end = i; end < bytes && (uint8_t)at[end] > ' '; end++) {}
        for (int k = 0; marks[k] && pre->language_bytes == 0; k++) {
            size_t length = strlen(marks[k]), from = i + length;
            if (end - i < length || !equals(at + i, length, marks[k])) continue;
            while (from < bytes && at[from] == ' ') from++;
            size_t stop = from;
            while (stop < bytes && stop - from < 40 && (uint8_t)at[stop] > ' ' && at[stop] != ';') stop++;
            if (stop == from || !RESERVE(page->names, (int32_t)(stop - from))) continue;
            pre->language = (uint32_t)page->names.count;
            pre->language_bytes = (uint32_t)(stop - from);
            memcpy(page->names.at + page->names.count, at + from, stop - from);
            page->names.count += (int32_t)(stop - from);
        }
    }
}

/* Of the element itself or one of the two around it; `code` within it may name the language later. */
static void note_pre(Page *page, int32_t pre) {
    for (int32_t at = pre, steps = 0; at >= 0 && steps < 3; at = page->elements.at[at].parent, steps++) {
        char names[MAX_NAME_BYTES * 2 + 1];
        const Element *e = &page->elements.at[at];
        size_t bytes = e->name_bytes < sizeof names ? e->name_bytes : sizeof names;
        if (bytes) memcpy(names, page->names.at + e->name, bytes);      /* the names may move when one is added */
        note_language(page, &page->elements.at[pre], names, bytes);
    }
}

static int32_t add_element(Reader *r, Tag tag, const Attributes *a) {
    Page *page = r->page;
    if (page->elements.count >= MAX_ELEMENTS || !RESERVE(page->elements, 1)) {
        r->status = page->elements.count >= MAX_ELEMENTS ? READ_TOO_MANY : READ_NO_MEMORY;
        return r->box;
    }
    int32_t index = page->elements.count++;
    Element *e = &page->elements.at[index], *above = r->box >= 0 ? &page->elements.at[r->box] : NULL;
    memset(e, 0, sizeof *e);
    e->parent = r->box;
    e->tag = (uint8_t)tag;
    e->depth = above ? above->depth + 1 : 0;
    e->block_begin = e->block_end = page->blocks.count;
    e->flags = flags_of(tag, a, above ? above->flags : 0);
    if (tag == T_body) e->flags &= ~(uint32_t)IN_HIDDEN;   /* hidden until a script shows it */
    keep_names(r, e, a);
    e->signature = signature(tag, page, e);
    Naming naming = {r, e, 0, 0, 0};
    name_tokens(page->names.at + e->name, e->name_bytes, add_name, &naming);
    if (naming.comments) e->flags |= IN_COMMENTS;
    e->min_score = above && above->min_score < e->own_score ? above->min_score : e->own_score;
    e->max_score = above && above->max_score > e->own_score ? above->max_score : e->own_score;
    e->sum_score = (above ? above->sum_score : 0) + e->own_score;
    number(page, e, a);
    return index;
}

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

/* ---- records: what the page says about itself -------------------------------------------------------------------- */

static int is_record(Reader *r, Tag tag, const Attributes *a) {
    switch (tag) {
    case T_html: case T_title: case T_h1: case T_time: return 1;
    case T_meta: return a->content.value_bytes > 0 && (a->name.value_bytes || a->property.value_bytes || a->itemprop.value_bytes);
    case T_link: return has_word(&a->rel, "canonical") || has_word(&a->rel, "license") || has_word(&a->rel, "author");
    case T_script: return a->type.value_bytes >= 19 && equals(a->type.value, 19, "application/ld+json");
    case T_a:
        if (a->rel.value_bytes && (has_word(&a->rel, "license") || has_word(&a->rel, "author"))) return 1;
        break;
    default: break;
    }
    if (a->itemprop.value_bytes) {
        static const char *const props[] = {"author", "creator", "datepublished", "datecreated", "datemodified", "headline",
                                            "name", "license", "publisher", "inlanguage", NULL};
        for (int i = 0; props[i]; i++)
            if (has_word(&a->itemprop, props[i])) return 1;
    }
    Naming naming = {r, NULL, 0, 0, 0};
    if (a->class.value_bytes && a->class.value_bytes < MAX_NAME_BYTES)
        name_tokens(a->class.value, a->class.value_bytes, add_name, &naming);
    if (a->id.value_bytes && a->id.value_bytes < MAX_NAME_BYTES)
        name_tokens(a->id.value, a->id.value_bytes, add_name, &naming);
    return naming.signs;
}

static int32_t add_record(Reader *r, Tag tag, const char *source, const char *end) {
    Page *page = r->page;
    if (page->records.count >= MAX_RECORDS || !RESERVE(page->records, 1)) return -1;
    page->records.at[page->records.count] =
        (Record){(uint32_t)(source - page->markup), (uint32_t)(end - source), (uint32_t)page->text.count,
                 (uint32_t)page->text.count, (uint8_t)tag, 0};
    return page->records.count++;
}

static int contains(const char *at, size_t bytes, const char *what) {
    return find(at, at + bytes, what, strlen(what)) != NULL;
}

/* What kind of page JSON-LD and OpenGraph say it is. */
static void note_linked_data(Reader *r, const char *at, const char *end) {
    int looks = 0;
    while ((at = find(at, end, "\"@type\"", 7)) != NULL && looks++ < 200) {
        const char *stop = at + 7 + 60 < end ? at + 7 + 60 : end;
        const char *close = memchr(at + 7, ',', (size_t)(stop - at - 7));
        size_t bytes = (size_t)((close ? close : stop) - at - 7);
        at += 7;
        if (contains(at, bytes, "Article\"") || contains(at, bytes, "BlogPosting\"") || contains(at, bytes, "Report"))
            r->page->about |= ABOUT_ARTICLE;
        else if (contains(at, bytes, "Product\"") || contains(at, bytes, "\"Offer")) r->page->about |= ABOUT_PRODUCT;
        else if (contains(at, bytes, "QAPage\"") || contains(at, bytes, "Forum") || contains(at, bytes, "\"Question"))
            r->page->about |= ABOUT_FORUM;
        else if (contains(at, bytes, "ItemList\"") || contains(at, bytes, "CollectionPage")) r->page->about |= ABOUT_LIST;
    }
}

static void note_meta(Reader *r, const Attributes *a) {
    if (!equals(a->property.value ? a->property.value : "", a->property.value_bytes, "og:type")) return;
    r->page->about |= a->content.value_bytes >= 7 && equals(a->content.value, 7, "article") ? ABOUT_OG_ARTICLE : ABOUT_OG_OTHER;
}

/* ---- the pass ------------------------------------------------------------------------------------------------------------ */

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

/* A raw element: its text is no markup. Gives where reading goes on. */
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
            const char *tagged = find(at, r->end, "\n<", 2);   /* the best guess: code seldom has a tag at a line's start */
            return tagged ? tagged : r->end;
        }
        return at;
    }
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

static int skips_content(Reader *r, Tag tag, const Attributes *a, const char *after) {
    if (!(tag_flags[tag] & BOX) && (a->is_hidden || a->is_aria_hidden)) return 1;
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
        int kind = span_kind(tag);
        if (tag == T_a && a->href.value == NULL) kind = -1;
        open->span = (uint8_t)open_span(r, kind, source, after);
    }
    open->element = r->box;
    open->skips = (uint8_t)skips_content(r, tag, a, after);
    r->skips += open->skips;
    enter(r, open);
    r->depth++;
}

static const char *start_tag(Reader *r, Tag tag, const char *source, const char *names, const char *end) {
    const char *after = end < r->end ? end + 1 : r->end;
    Attributes a;
    read_attributes(names, end, &a);
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

/* Gives the end of the tag whose attributes begin at *at*: the ">" outside quotation marks. An attribute that is never
 * closed ends the tag at its first ">". */
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

/* Reads what begins with "<" and gives where reading goes on; NULL when it is text. */
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
    int64_t no_more = -1;                 /* "<" that can start nothing: text */
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

/* ---- kinds ----------------------------------------------------------------------------------------------------------------- */

enum { MAX_DATA_CELL_CHARS = 600 };

/* A table whose cells hold other tables, headings or long texts lays out a page: its cells are no cells. */
static void find_layout_tables(Page *page) {
    for (int32_t i = page->elements.count - 1; i > 0; i--) {      /* what is in an element comes before it */
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

int page_read(Page *page) {
    Reader *r = calloc(1, sizeof *r);
    if (r == NULL) return READ_NO_MEMORY;
    if (sign_words[0] == 0) {
        name_words_init();
        bounds_init();
    }
    r->page = page;
    r->end = page->markup + page->bytes;
    r->box = -1;
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
    find_layout_tables(page);
    for (int32_t i = 0; i < page->blocks.count; i++) {
        set_kind(page, &page->blocks.at[i]);
        page->blocks.at[i].flags = page->elements.at[page->blocks.at[i].element].flags;
    }
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
