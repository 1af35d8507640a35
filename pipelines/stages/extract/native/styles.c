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

static void declare(Attributes *a, Part property, Part value) {
    if (value.bytes == 0) return;
    if (equals(property.at, property.bytes, "display"))
        a->rendered = equals(value.at, value.bytes, "none") ? NO : YES;
    else if (equals(property.at, property.bytes, "visibility"))
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

/* HTML Standard, 15.3.1, then CSS, which overrides it. Elements that "find in page" can open are rendered. */
void read_style(Attributes *a, Tag tag) {
    int is_open = tag == T_dialog && a->open.name != NULL;
    if (tag == T_dialog && !is_open) a->rendered = NO;
    if (a->popover.name != NULL && !is_open) a->rendered = NO;
    if (a->hidden.name != NULL && !equals(a->hidden.value ? a->hidden.value : "", a->hidden.value_bytes, "until-found"))
        a->rendered = NO;
    const char *at = a->style.value, *end = at ? at + a->style.value_bytes : NULL;
    while (at < end) {
        const char *stop = declaration_end(at, end), *colon = memchr(at, ':', (size_t)(stop - at));
        if (colon != NULL) {
            const char *important = memchr(colon, '!', (size_t)(stop - colon));
            declare(a, trimmed(at, colon), trimmed(colon + 1, important ? important : stop));
        }
        at = stop < end ? stop + 1 : end;
    }
}
