/* Quotation marks of <q>: the browser adds those of the language (15.3.6; Unicode CLDR). */
#include "read.h"

typedef struct { char language[3]; uint16_t marks[4]; } Marks;   /* outer and inner, opening and closing */

static const Marks MARKS[] = {
    {"", {0x201c, 0x201d, 0x2018, 0x2019}},
    {"bg", {0x201e, 0x201c, 0x201e, 0x201c}}, {"cs", {0x201e, 0x201c, 0x201a, 0x2018}},
    {"de", {0x201e, 0x201c, 0x201a, 0x2018}}, {"el", {0x00ab, 0x00bb, 0x201c, 0x201d}},
    {"es", {0x00ab, 0x00bb, 0x201c, 0x201d}}, {"fi", {0x201d, 0x201d, 0x2019, 0x2019}},
    {"fr", {0x00ab, 0x00bb, 0x201c, 0x201d}}, {"hr", {0x201e, 0x201c, 0x201a, 0x2018}},
    {"hu", {0x201e, 0x201d, 0x00bb, 0x00ab}}, {"it", {0x00ab, 0x00bb, 0x201c, 0x201d}},
    {"ja", {0x300c, 0x300d, 0x300e, 0x300f}}, {"nb", {0x00ab, 0x00bb, 0x2018, 0x2019}},
    {"no", {0x00ab, 0x00bb, 0x2018, 0x2019}}, {"pl", {0x201e, 0x201d, 0x00ab, 0x00bb}},
    {"ro", {0x201e, 0x201d, 0x00ab, 0x00bb}}, {"ru", {0x00ab, 0x00bb, 0x201e, 0x201c}},
    {"sk", {0x201e, 0x201c, 0x201a, 0x2018}}, {"sl", {0x201e, 0x201c, 0x201a, 0x2018}},
    {"sv", {0x201d, 0x201d, 0x2019, 0x2019}}, {"uk", {0x00ab, 0x00bb, 0x201e, 0x201c}},
};

/* Returns the row of `MARKS` for a language tag (BCP 47); 0 for languages that are not in it. */
int language_of(const Attribute *lang) {
    if (lang->value_bytes < 2 || (lang->value_bytes > 2 && lang->value[2] != '-' && lang->value[2] != '_')) return 0;
    for (int i = 1; i < (int)(sizeof MARKS / sizeof *MARKS); i++)
        if (equals(lang->value, 2, MARKS[i].language)) return i;
    return 0;
}

static int is_quotation_mark(uint32_t c) {
    return c == '"' || c == 0xab || c == 0xbb || (c >= 0x2018 && c <= 0x201f) || c == 0x2039 || c == 0x203a
           || (c >= 0x300c && c <= 0x300f);
}

/* Whether the author wrote the mark, before the tag or after it. */
static int has_mark(const Reader *r, const char *after) {
    const Page *page = r->page;
    if (r->has_text && !r->pending) {
        const char *last = page->text.at + page->text.count - 1;
        uint32_t before;
        while (((uint8_t)*last & 0xc0) == 0x80 && last > page->text.at) last--;
        decode_point(last, page->text.at + page->text.count, &before);
        if (is_quotation_mark(before)) return 1;
    }
    while (after < r->end && is_space((uint8_t)*after)) after++;
    if (after >= r->end) return 1;
    uint32_t points[2] = {0, 0};
    if (*after != '&' || !reference(after, r->end, points, 0)) decode_point(after, r->end, points);
    return is_quotation_mark(points[0]);
}

static uint32_t mark(const Reader *r, int is_closing) {
    return MARKS[r->language].marks[(r->quotes & 1) * 2 + is_closing];
}

void open_quote(Reader *r, Open *open, const char *after) {
    if (has_mark(r, after)) return;
    if (r->due_quote) put_mark(r, 0);
    open->is_quoted = 1;
    r->due_quote = mark(r, 0);
    r->quotes++;
}

/* An element without text gets no marks, and no block consists of a mark alone. */
void close_quote(Reader *r, const Open *open) {
    if (!open->is_quoted) return;
    r->quotes--;
    if (r->due_quote) r->due_quote = 0;
    else if (r->has_text) put_mark(r, mark(r, 1));
}
