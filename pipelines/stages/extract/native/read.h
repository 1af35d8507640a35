/* The state of the parser, and the functions shared by its parts. */
#ifndef CORPUSMILL_READ_H
#define CORPUSMILL_READ_H

#include "page.h"

#include <string.h>

/* Sets of tags that limit the effect of an end tag, explicit or implied. */
enum { IN_PAGE, IN_ONE_TABLE, IN_ONE_LIST, IN_ONE_DL, IN_BUTTON_OR_CELL, IN_ONE_CELL, IN_ONE_BOX, SCOPES };

typedef struct {
    Tag tag;
    int32_t element;      /* the box, or the box around an inline element */
    int32_t record;       /* the record that gets its text, or -1 */
    int16_t same;         /* the open element of the same tag around it, counted from 1; 0: none */
    int16_t scopes[SCOPES]; /* the innermost open element of each set, counted likewise */
    uint8_t skips, is_pre, link_before, span, is_quoted;
} Open;

typedef struct { Span span; int blocks; } Inline;

typedef struct {
    Page *page;
    Open stack[MAX_DEPTH];
    int depth;
    int32_t over[TAG_COUNT];           /* start tags beyond MAX_DEPTH without end tags so far */
    int is_over;
    int16_t last[TAG_COUNT];           /* the innermost open element of a tag, counted from 1; 0: none */
    int32_t box;                       /* the innermost element that holds blocks */
    int skips, pre, in_link;
    Block block;                       /* the current block */
    int has_text, pending;             /* pending: 0, ' ' or '\n' before the next character */
    int breaks;                        /* <br> since the last character */
    Inline open_spans[MAX_INLINE];
    int span_depth;
    int32_t opener;                    /* number of elements before the last button of a closed element */
    int quotes;                        /* depth of nested <q> */
    uint32_t due_quote;                /* quotation mark to write before the next character; 0: none */
    int language;                      /* row of the page's quotation marks */
    const char *next_close[TAG_COUNT]; /* the last end tag that was located; `end`: no further one */
    int has_no_comment_end;
    const char *end;
    int status;
} Reader;

enum { UNSAID, YES, NO };

typedef struct {
    Attribute class, id, role, style, itemprop, rel, type, href, content, name, property, start, alt, lang, value, colspan, rowspan,
        hidden, open, popover;
    int is_hidden, is_aria_hidden, is_body_prop, is_opener;
    uint8_t rendered, visible;         /* `YES`, `NO`, or inherited */
    int8_t raised;                     /* by CSS: 1 above the line, -1 below */
} Attributes;

/* The meaning of the words of a class or id. */
typedef struct { Reader *reader; Element *element; int known, comments, signs; } Naming;

static inline const char *find(const char *at, const char *end, const char *what, size_t bytes) {
    while (at + bytes <= end) {
        at = memchr(at, what[0], (size_t)(end - at) - bytes + 1);
        if (at == NULL) return NULL;
        if (memcmp(at, what, bytes) == 0) return at;
        at++;
    }
    return NULL;
}

static inline int is_one_of(Tag tag, const uint8_t *set) {
    for (; *set; set++)
        if (*set == tag) return 1;
    return 0;
}
extern const uint8_t HEADINGS[];

/* read.c */
const char *end_tag_after(const Reader *r, Tag tag, const char *at);

/* blocks.c */
void start_block(Reader *r);
void end_spans(Reader *r, int from, uint32_t end);
void flush(Reader *r);
void put_mark(Reader *r, uint32_t c);
void put_text(Reader *r, const char *at, const char *end, int has_references);
void line_break(Reader *r);

/* quotes.c */
int language_of(const Attribute *lang);
void open_quote(Reader *r, Open *open, const char *after);
void close_quote(Reader *r, const Open *open);

/* scopes.c */
void scopes_init(void);
void enter(Reader *r, Open *open);
void pop_to(Reader *r, int depth);
int scope_begin(const Reader *r, int scope);
void close_implied(Reader *r, const uint8_t *tags, int scope);
void imply_ends(Reader *r, Tag tag);

/* styles.c */
void read_style(Attributes *a, Tag tag);
int is_openable(const Reader *r, const Element *e, const Attributes *a);

/* scripts.c */
const char *script_end(const Reader *r, const char *at, const char *close);

/* elements.c */
void names_init(void);
void add_name(void *context, uint32_t hash, const char *at, size_t bytes);
int has_word(const Attribute *a, const char *word);
void read_attributes(const char *at, const char *end, Attributes *found);
int32_t add_element(Reader *r, Tag tag, const Attributes *a);
void note_language(Page *page, Element *pre, const char *at, size_t bytes);
void note_pre(Page *page, int32_t pre);

/* records.c */
int is_record(Reader *r, Tag tag, const Attributes *a);
int32_t add_record(Reader *r, Tag tag, const char *source, const char *end);
void note_linked_data(Reader *r, const char *at, const char *end);
void note_meta(Reader *r, const Attributes *a);

/* kinds.c */
void set_kinds(Page *page);
#endif
