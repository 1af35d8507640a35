/* Characters to blocks: white space, line ends, text statistics, and the spans in a block. */
#include "read.h"

void start_block(Reader *r) {
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

void end_spans(Reader *r, int from, uint32_t end) {
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

enum { LEXICON_WORDS = 12, MAX_KNOWN_WORDS = 10000 };   /* "no-no-no-…" is one word; the sum must fit its type */

/* Character statistics of a block for the features, counted when the block is complete. */
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

void flush(Reader *r) {
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

static void put_one(Reader *r, uint32_t c) {
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

static void put_point(Reader *r, uint32_t c) {
    if (r->due_quote) put_mark(r, 0);
    put_one(r, c);
}

/* Writes the pending quotation mark and then *c*, if *c* is a mark. An opening mark comes after the space before it, a
 * closing mark before the space that follows. */
void put_mark(Reader *r, uint32_t c) {
    uint32_t due = r->due_quote;
    int pending = r->pending;
    r->due_quote = 0;
    if (due) put_one(r, due);
    if (c == 0) return;
    r->pending = 0;
    put_one(r, c);
    r->pending = pending;
}

/* White space of preformatted text is kept; except for a line end before the first character. */
static void put_space_of_pre(Reader *r, uint32_t c) {
    Page *page = r->page;
    if (!r->has_text && c == '\n') {
        page->text.count = (int32_t)r->block.text;      /* only spaces so far: an empty line */
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

/* Invisible characters that are dropped: other controls, soft hyphens, zero-width spaces. */
static int is_control(uint32_t c) {
    return (c < 0x20) || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x200b || c == 0xfeff || c == 0x2060;
}

static void put(Reader *r, uint32_t c) {
    if (is_space(c)) {
        if (r->pre) put_space_of_pre(r, c == '\r' ? '\n' : c);
        else if (r->pending != '\n') r->pending = r->has_text ? ' ' : 0;
    } else if (!is_control(c)) {
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

/* Appends a run of ASCII letters at once, since pages consist mostly of these. Returns its end. */
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

void put_text(Reader *r, const char *at, const char *end, int has_references) {
    while (at < end && r->status == READ_OK) {
        if (r->has_text && !r->pending && !r->pre && !r->due_quote && (uint8_t)((*at | 32) - 'a') < 26u) {
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

void line_break(Reader *r) {
    if (r->skips) return;
    if (r->pre) put_space_of_pre(r, '\n');
    else if (r->has_text) {
        r->pending = '\n';
        if (++r->breaks >= 2) flush(r);
    }
}
