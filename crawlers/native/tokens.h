/* The tags that matter to a crawler, in linear time and without a tree (HTML standard, 13.2.5). */
#ifndef SCAN_TOKENS_H
#define SCAN_TOKENS_H

#include "buffer.h"

typedef enum {
    OTHER, A, AREA, BASE, FRAME, IFRAME, LINK, MATH, META, NOEMBED, NOFRAMES, PLAINTEXT, SCRIPT, STYLE, SVG, TEMPLATE,
    TEXTAREA, TITLE, XMP
} Element;

typedef enum {
    END,      /* of the page; a tag that is not closed ends there as well */
    TEXT,     /* text with character references */
    MARKUP,   /* a comment, or a tag of another element */
    TAG,      /* *start* and *end* are those of its attributes */
    RAW       /* the content of *element*, which has no tags; its end tag is consumed */
} Kind;

typedef struct {
    Kind kind;
    Element element;
    int is_end;
    const char *start, *end;
} Token;

/* Args: *foreign*: open `svg` and `math` elements, in which `<title/>` has no content.
 *       *raw*: the element whose content is next, or `OTHER`. */
typedef struct {
    const char *at, *end;
    int64_t foreign;
    Element raw;
} Tokens;

/* Return the next token; no byte is read more than a constant number of times. */
Token next_token(Tokens *tokens);

typedef struct {
    Slice name, value;
} Attribute;

/* Read the attribute at *at*; return 0 at the end of the tag, where *at* then is. */
int next_attribute(const char **at, const char *end, Attribute *attribute);

/* Fill *values* with those of the attributes *names* of a tag, of which the first counts; without one, *start* is
 * NULL. */
void find_attributes(const Token *tag, const char *const *names, int count, Slice *values);

#endif
