/* A parsed page: elements that hold blocks, blocks of text, inline spans, and records about the page.
 *
 * All data is in growing arrays owned by one `Page`. Indexes are used instead of pointers, so that arrays can move.
 * No function recurses, none reads a clock, and every loop is linear in the bytes of the page or bounded by a constant.
 */
#ifndef CORPUSMILL_PAGE_H
#define CORPUSMILL_PAGE_H

#include <stddef.h>
#include <stdint.h>

/* Increased, and `_READER` in stage.py with it, whenever pages are read differently: an older module is refused. */
#define READER_VERSION 5

#define MAX_DEPTH 512        /* open elements; deeper elements are treated as if they were at this depth */
#define MAX_BLOCKS 120000    /* blocks of one page; the largest of 2,884 gold pages has 11,000 */
#define MAX_ELEMENTS 1000000 /* boxes of one page; the largest of the gold pages has 15,486 */
#define MAX_INLINE 16        /* open inline elements that become spans */
#define MAX_SPAN_BLOCKS 30   /* a longer span was never closed and is dropped */
#define MAX_RECORDS 400
#define MAX_NAME_BYTES 400   /* of class and id to inspect */

/* ---- growing arrays -------------------------------------------------------------------------------------------- */

#define ARRAY(type) struct { type *at; int32_t count, room; }
int grow(void **at, int32_t *room, int32_t count, size_t size);
#define RESERVE(array, more) \
    ((array).count + (more) <= (array).room \
     || grow((void **)&(array).at, &(array).room, (array).count + (more), sizeof *(array).at))

/* ---- tags ------------------------------------------------------------------------------------------------------ */

#define TAGS(X) \
    X(other, 0) X(custom, BOX) \
    X(html, BOX) X(head, BOX) X(body, BOX) X(div, BOX) X(p, BOX) X(section, BOX) X(article, BOX) X(main, BOX) \
    X(header, BOX) X(footer, BOX) X(aside, BOX) X(nav, BOX) X(menu, BOX) X(search, BOX) X(center, BOX) \
    X(ul, BOX) X(ol, BOX) X(li, BOX) X(dl, BOX) X(dt, BOX) X(dd, BOX) X(dir, BOX) \
    X(table, BOX) X(caption, BOX) X(thead, BOX) X(tbody, BOX) X(tfoot, BOX) X(tr, BOX) X(td, BOX) X(th, BOX) \
    X(h1, BOX) X(h2, BOX) X(h3, BOX) X(h4, BOX) X(h5, BOX) X(h6, BOX) X(hgroup, BOX) \
    X(pre, BOX) X(listing, BOX) X(xmp, BOX | RAW) X(plaintext, BOX) X(blockquote, BOX) \
    X(figure, BOX) X(figcaption, BOX) X(form, BOX) X(fieldset, BOX) X(legend, BOX) X(address, BOX) \
    X(details, BOX) X(summary, BOX) X(dialog, BOX) X(noscript, BOX) X(noframes, BOX) X(frameset, BOX) \
    X(br, VOID) X(hr, VOID) X(img, VOID) X(input, VOID) X(meta, VOID) X(link, VOID) X(base, VOID) X(area, VOID) \
    X(col, VOID) X(embed, VOID) X(param, VOID) X(source, VOID) X(track, VOID) X(wbr, VOID) X(frame, VOID) \
    X(basefont, VOID) X(bgsound, VOID) X(keygen, VOID) X(command, VOID) \
    X(script, RAW | SKIP) X(style, RAW | SKIP) X(iframe, RAW | SKIP) X(noembed, RAW | SKIP) X(textarea, RAW | SKIP) \
    X(title, RAW | SKIP) \
    X(svg, SKIP) X(math, 0) X(template, SKIP) X(object, SKIP) X(select, SKIP) X(canvas, SKIP) X(audio, SKIP) \
    X(video, SKIP) X(datalist, SKIP) X(meter, SKIP) X(progress, SKIP) X(button, SKIP) X(rp, SKIP) \
    X(option, 0) X(optgroup, 0) \
    X(a, 0) X(abbr, 0) X(b, 0) X(strong, 0) X(i, 0) X(em, 0) X(cite, 0) X(code, 0) X(kbd, 0) X(samp, 0) X(tt, 0) \
    X(span, 0) X(font, 0) X(sub, 0) X(sup, 0) X(time, 0) X(label, 0) X(q, 0) X(u, 0) X(s, 0) X(small, 0) X(big, 0) \
    X(mark, 0) X(del, 0) X(ins, 0) X(ruby, 0) X(rt, 0) X(var, 0) X(dfn, 0) X(map, 0) X(picture, 0) \
    X(rb, 0) X(rtc, 0)   /* append new tags: the number of a tag is a feature of the model */

enum { BOX = 1, VOID = 2, RAW = 4, SKIP = 8 };
typedef enum {
#define X(name, flags) T_##name,
    TAGS(X)
#undef X
    TAG_COUNT
} Tag;
extern const char *const tag_names[TAG_COUNT];
extern const uint8_t tag_flags[TAG_COUNT];
void tags_init(void);
Tag tag_of(const char *name, size_t length);

/* ---- parts of a page ------------------------------------------------------------------------------------ */

enum {  /* flags of an element, inherited by its descendants */
    IN_MAIN = 1, IN_ARTICLE = 2, IN_NAV = 4, IN_HEADER = 8, IN_FOOTER = 16, IN_ASIDE = 32, IN_FORM = 64,
    IN_NOSCRIPT = 128, IN_HIDDEN = 256, IN_COMMENTS = 512, IN_LIST = 1024, IN_TABLE = 2048, IN_FIGURE = 4096,
    IN_BODY_PROP = 8192, IN_DETAILS = 16384, IN_BAD_ROLE = 32768,
    NOT_RENDERED = 65536, NOT_VISIBLE = 131072   /* invisible content, which never becomes a block */
};

typedef struct {
    int32_t parent, depth;
    int32_t block_begin, block_end;   /* its blocks, in page order */
    int32_t row, column, number;      /* position of a row or cell in its table, or of an item in its list */
    uint32_t flags;
    uint32_t name, name_bytes;        /* class and id, in `names` */
    uint32_t language, language_bytes; /* programming language, in `names` */
    uint32_t signature;               /* hash of tag and names */
    int16_t own_score, min_score, max_score;  /* scores of its names and of those around it (hundredths of log odds) */
    int32_t sum_score;
    uint8_t tag, min_level, is_layout, holds_structure;
} Element;

/* A cell that spans the rows below it: they have no cell in its columns. */
typedef struct { int32_t table, first_row, last_row, column, columns; } Held;
enum { MAX_HELD = 16, MAX_COLUMNS = 100, MAX_ROWS = 1000 };

typedef enum { PARAGRAPH, HEADING, ITEM, CELL, PRE, QUOTE, CAPTION, KINDS } Kind;
extern const char *const kind_names[KINDS];

typedef struct {
    int32_t element;
    uint32_t text, bytes;             /* in `text` */
    int32_t chars, link_chars, words, link_words, commas, stops, digits, uppers, letters, symbols, lines, links, cjk;
    int32_t span_begin, span_end;
    int32_t group, row, column;
    int32_t word_min, word_max, word_sum, word_known;
    uint32_t hash, flags;
    uint8_t kind, level, first, last;
} Block;

static inline int is_unseen(const Block *b) { return (b->flags & (NOT_RENDERED | NOT_VISIBLE)) != 0; }

enum { SPAN_LINK, SPAN_CODE, SPAN_STRONG, SPAN_EMPHASIS, SPAN_IMAGE, SPAN_SUB, SPAN_SUP, SPAN_FORMULA };
typedef struct {
    uint32_t begin, end;              /* bytes of the block's text */
    uint32_t source, source_bytes;    /* of the tag, in the markup: its attributes have the target */
    uint8_t kind;
} Span;

typedef struct {
    uint32_t source, source_bytes;    /* of the tag, in the markup */
    uint32_t text, text_end;          /* in `text`, or in the markup of a raw element */
    int32_t element, block;           /* its box; its block, or the next one */
    uint8_t tag, is_raw;
} Record;

typedef struct {
    uint32_t key;
    int16_t score;
} Entry;
typedef struct {
    Entry *at;
    uint32_t mask;                    /* slots - 1; 0: no lexicon */
} Lexicon;
int lexicon_score(const Lexicon *lexicon, uint32_t key, int *score);

enum { ABOUT_ARTICLE = 1, ABOUT_PRODUCT = 2, ABOUT_FORUM = 4, ABOUT_LIST = 8, ABOUT_OG_ARTICLE = 16, ABOUT_OG_OTHER = 32 };

typedef struct {
    const char *markup;
    uint32_t bytes;
    ARRAY(char) text;
    ARRAY(char) names;
    ARRAY(Element) elements;
    ARRAY(Block) blocks;
    ARRAY(Span) spans;
    ARRAY(Record) records;
    Held held[MAX_HELD];              /* ring buffer of the last ones */
    uint32_t held_count;
    uint32_t about;
    const Lexicon *name_lexicon, *word_lexicon;
    ARRAY(char) title;                /* the words of <title>, as in `text` */
} Page;

enum { READ_OK = 0, READ_NO_MEMORY = 1, READ_TOO_MANY = 2 };
void reader_init(void);               /* once, before a page is read */
int page_read(Page *page);
void page_free(Page *page);

/* ---- text ------------------------------------------------------------------------------------------------------ */

uint32_t hash_bytes(const char *at, size_t bytes);
/* Returns the number of bytes of a character; the markup is valid UTF-8 (the caller has decoded and encoded it). */
static inline int decode_point(const char *at, const char *end, uint32_t *point) {
    const uint8_t *byte = (const uint8_t *)at;
    size_t room = (size_t)(end - at);
    if (byte[0] < 0x80 || room < 2) {
        *point = byte[0];
        return 1;
    }
    if (byte[0] < 0xe0) {
        *point = (uint32_t)(byte[0] & 0x1f) << 6 | (byte[1] & 0x3f);
        return 2;
    }
    if (byte[0] < 0xf0 && room >= 3) {
        *point = (uint32_t)(byte[0] & 0x0f) << 12 | (uint32_t)(byte[1] & 0x3f) << 6 | (byte[2] & 0x3f);
        return 3;
    }
    if (room >= 4) {
        *point = (uint32_t)(byte[0] & 0x07) << 18 | (uint32_t)(byte[1] & 0x3f) << 12
                 | (uint32_t)(byte[2] & 0x3f) << 6 | (byte[3] & 0x3f);
        return 4;
    }
    *point = 0xfffd;
    return 1;
}

static inline int encode_point(uint32_t point, char *out) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* The white space of Unicode, as defined by `str.isspace`. */
static inline int is_space(uint32_t point) {
    if (point <= 0x20) return point == 0x20 || (point >= 9 && point <= 13) || (point >= 0x1c && point <= 0x1f);
    if (point < 0x85) return 0;
    return point == 0x85 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a)
           || point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

/* Control characters 0x80 to 0x9f are almost always windows-1252 that was decoded as Latin-1. */
extern const uint16_t windows_1252[32];
static inline uint32_t repaired(uint32_t c) { return c >= 0x80 && c < 0xa0 ? windows_1252[c - 0x80] : c; }

size_t reference(const char *at, const char *end, uint32_t points[2], int in_attribute);
int references_init(int count, const char **names, const uint32_t (*points)[2]);

typedef struct { const char *name, *value; uint32_t name_bytes, value_bytes; } Attribute;
const char *next_attribute(const char *at, const char *end, Attribute *found);
int equals(const char *at, size_t bytes, const char *lower);

/* Calls `take` with the hash of each word of a class or id, or of a text, in lower case. */
typedef void (*TakeToken)(void *context, uint32_t hash, const char *at, size_t bytes);
void name_tokens(const char *at, size_t bytes, TakeToken take, void *context);
enum { PREFIX_LETTERS = 5 };
uint32_t prefix_hash(const char *at, size_t bytes);
void word_tokens(const char *at, size_t bytes, TakeToken take, void *context);

#endif
