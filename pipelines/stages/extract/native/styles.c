/* Whether an element is visible, judged by its own attributes: inline CSS, `hidden`, `open`, `popover`. */
#include "read.h"

typedef struct { const char *at; size_t bytes; } Part;

static Part trimmed(const char *at, const char *end) {
    while (at < end && is_space((uint8_t)*at)) at++;
    while (end > at && is_space((uint8_t)end[-1])) end--;
    return (Part){at, (size_t)(end - at)};
}

/* Returns the end of a declaration: the ";" outside of strings and parentheses, as in "url(data:a;b)". */
static const char *declaration_end(const char *at, const char *end) {
    int depth = 0;
    char quote = 0;
    for (; at < end; at++) {
        if (quote) quote = *at == quote ? 0 : quote;
        else if (*at == '"' || *at == '\'') quote = *at;
        else if (*at == '(') depth++;
        else if (*at == ')') depth -= depth > 0;
        else if (*at == ';' && depth == 0) break;
    }
    return at;
}

enum { DISPLAY, VISIBILITY, VERTICAL_ALIGN, PROPERTIES };
static const char *const PROPERTY_NAMES[] = {"display", "visibility", "vertical-align"};

/* *important*: of each property, whether a declaration before was; others do not overrule it (CSS Cascade, 6.4). */
static void declare(Attributes *a, Part property, Part value, int is_important, int *important) {
    int i = 0;
    while (i < PROPERTIES && !equals(property.at, property.bytes, PROPERTY_NAMES[i])) i++;
    if (i == PROPERTIES || value.bytes == 0 || (important[i] && !is_important)) return;
    important[i] = is_important;
    if (i == DISPLAY)
        a->rendered = equals(value.at, value.bytes, "none") ? NO : YES;
    else if (i == VERTICAL_ALIGN)
        a->raised = equals(value.at, value.bytes, "super") ? 1 : equals(value.at, value.bytes, "sub") ? -1 : 0;
    else
        a->visible = equals(value.at, value.bytes, "hidden") || equals(value.at, value.bytes, "collapse") ? NO
                     : equals(value.at, value.bytes, "visible")                                          ? YES
                                                                                                         : a->visible;
}

/* Words in names of elements that a reader can open: prefixes and whole words. */
static void add_opening_word(void *context, uint32_t hash, const char *at, size_t bytes) {
    static const char *const beginnings[] = {"accord", "collaps", "toggle", "faq", "expand", "spoiler", "reveal", "slid", "carousel",
                                             "responsive", NULL};
    static const char *const words[] = {"tab", "tabs", "tabbed", "tabpanel", "panel", "pane", "answer", NULL};
    int *found = context;
    (void)hash;
    for (int i = 0; beginnings[i]; i++)
        *found |= bytes >= strlen(beginnings[i]) && equals(at, strlen(beginnings[i]), beginnings[i]);
    for (int i = 0; words[i]; i++) *found |= equals(at, bytes, words[i]);
}

enum { OPENER_REACH = 3 };      /* elements between a button and the element that it opens */

/* Whether the text before an element is a question that it answers. */
static int is_answer(const Page *page) {
    if (page->blocks.count == 0) return 0;
    const Block *before = &page->blocks.at[page->blocks.count - 1];
    char last = page->text.at[before->text + before->bytes - 1];
    return last == '?';
}

/* Whether an element is shown after a click or by a later part of the page: an answer, a tab, content that React sends
later
 * and moves into place (<div hidden id="S:0">). Like a closed <details>, it belongs to the page. */
int is_openable(const Reader *r, const Element *e, const Attributes *a) {
    const Page *page = r->page;
    int found = equals(a->role.value ? a->role.value : "", a->role.value_bytes, "tabpanel")
                || (a->id.value_bytes > 2 && memcmp(a->id.value, "S:", 2) == 0)
                || page->elements.count - 1 - r->opener <= OPENER_REACH || is_answer(page);
    for (int steps = 0; !found && steps < 3; steps++) {
        name_tokens(page->names.at + e->name, e->name_bytes, add_opening_word, &found);
        if (e->parent < 0) break;
        e = &page->elements.at[e->parent];
    }
    return found;
}

/* Writes *style* with its character references undone to *to*, and gives the end; what is not ASCII does not matter. */
static const char *undo_references(const Attribute *style, char *to) {
    const char *at = style->value, *end = at + style->value_bytes;
    while (at < end) {
        uint32_t points[2] = {0, 0};
        size_t bytes = *at == '&' ? reference(at, end, points, 1) : 0;
        *to++ = bytes == 0 ? *at : points[0] < 0x80 ? (char)points[0] : '?';
        at += bytes ? bytes : 1;
    }
    return to;
}

enum { MAX_STYLE_BYTES = 2000 };    /* of one with character references */

/* HTML Standard, 15.3.1, then CSS, which overrides it. Elements that "find in page" can open are rendered. */
void read_style(Attributes *a, Tag tag) {
    int is_open = tag == T_dialog && a->open.name != NULL;
    if (tag == T_dialog && !is_open) a->rendered = NO;
    if (a->popover.name != NULL && !is_open) a->rendered = NO;
    if (a->hidden.name != NULL && !equals(a->hidden.value ? a->hidden.value : "", a->hidden.value_bytes, "until-found"))
        a->rendered = NO;
    char plain[MAX_STYLE_BYTES];
    int important[PROPERTIES] = {0};
    const char *at = a->style.value, *end = at ? at + a->style.value_bytes : NULL;
    if (at && a->style.value_bytes <= MAX_STYLE_BYTES && memchr(at, '&', a->style.value_bytes)) {
        end = undo_references(&a->style, plain);
        at = plain;
    }
    while (at < end) {
        const char *stop = declaration_end(at, end), *colon = memchr(at, ':', (size_t)(stop - at));
        if (colon != NULL) {
            const char *mark = memchr(colon, '!', (size_t)(stop - colon));
            declare(a, trimmed(at, colon), trimmed(colon + 1, mark ? mark : stop), mark != NULL, important);
        }
        at = stop < end ? stop + 1 : end;
    }
}
