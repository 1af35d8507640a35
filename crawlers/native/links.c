/* The links, directives and text of a page. */
#include "links.h"

#include "entities.h"
#include "page.h"

#include <string.h>

enum { MAX_ALTERNATES = 64 };

typedef struct {
    Text text;
    Buffer directives, scratch;
    PyObject *base, *references, *alternates;
    const char *agent;
    int64_t templates;
} Page;

static Slice decoded(Buffer *scratch, Slice value) {
    if (value.start == NULL || value.start == value.end) return value;
    if (memchr(value.start, '&', (size_t)(value.end - value.start)) == NULL) return value;
    scratch->size = 0;
    append_value(scratch, value);
    return (Slice){scratch->data, scratch->data + scratch->size};
}

PyObject *str_of(Slice slice) {
    return PyUnicode_DecodeUTF8(slice.start ? slice.start : "", slice.end - slice.start, "replace");
}

PyObject *str_of_value(Buffer *scratch, Slice value) { return str_of(decoded(scratch, value)); }

/* Return whether *name*, in lower case, is one of the words of *value*. */
static int has_word(Slice value, const char *name) {
    for (const char *at = value.start; at < value.end;) {
        while (at < value.end && is_blank(*at)) at++;
        const char *start = at;
        while (at < value.end && !is_blank(*at)) at++;
        if (is_name((Slice){start, at}, name)) return 1;
    }
    return 0;
}

/* Add an address as written; whether any link with it may be followed is the value. */
static int add_reference(Page *page, Slice href, int may_follow) {
    PyObject *key = str_of(href);
    if (key == NULL) return 0;
    PyObject *before = PyDict_GetItemWithError(page->references, key);
    int ok = before != NULL || !PyErr_Occurred();
    if (ok && (before == NULL || (may_follow && before == Py_False)))
        ok = PyDict_SetItem(page->references, key, may_follow ? Py_True : Py_False) == 0;
    Py_DECREF(key);
    return ok;
}

static int add_link(Page *page, const Token *tag) {
    static const char *const names[] = {"href", "rel"};
    Slice values[2];
    find_attributes(tag, names, 2, values);
    if (values[0].start == NULL) return 1;
    int may_follow = !has_word(decoded(&page->scratch, values[1]), "nofollow");
    Slice href = decoded(&page->scratch, values[0]);
    if (tag->element == A) start_link(&page->text, href);
    return add_reference(page, href, may_follow);
}

static int add_frame(Page *page, const Token *tag) {
    static const char *const names[] = {"src"};
    Slice source;
    find_attributes(tag, names, 1, &source);
    return source.start == NULL || add_reference(page, decoded(&page->scratch, source), 1);
}

static int add_base(Page *page, const Token *tag) {
    static const char *const names[] = {"href"};
    Slice href;
    if (page->base != NULL) return 1;
    find_attributes(tag, names, 1, &href);
    if (href.start == NULL) return 1;
    page->base = str_of_value(&page->scratch, href);
    return page->base != NULL;
}

/* Add type and address of an alternate form of the page, such as a feed. */
static int add_alternate(Page *page, const Token *tag) {
    static const char *const names[] = {"rel", "type", "href"};
    Slice values[3];
    if (PyList_Size(page->alternates) >= MAX_ALTERNATES) return 1;
    find_attributes(tag, names, 3, values);
    if (values[2].start == NULL || !has_word(decoded(&page->scratch, values[0]), "alternate")) return 1;
    PyObject *type = str_of_value(&page->scratch, values[1]), *href = str_of_value(&page->scratch, values[2]);
    PyObject *pair = type && href ? PyTuple_Pack(2, type, href) : NULL;
    int ok = pair != NULL && PyList_Append(page->alternates, pair) == 0;
    Py_XDECREF(type);
    Py_XDECREF(href);
    Py_XDECREF(pair);
    return ok;
}

static const char *skip_blanks(const char *at, const char *end) {
    while (at < end && is_blank(*at)) at++;
    return at;
}

/* Return the address in the content of a refresh ("5; url=/next"); without one, *start* is NULL. */
static Slice refresh_target(Slice content) {
    const Slice none = {NULL, NULL};
    const char *at = skip_blanks(content.start, content.end), *end = content.end;
    while (at < end && (is_digit(*at) || *at == '.')) at++;
    at = skip_blanks(at, end);
    if (at == end || (*at != ';' && *at != ',')) return none;
    at = skip_blanks(at + 1, end);
    if (end - at >= 3 && is_name((Slice){at, at + 3}, "url")) {
        const char *sign = skip_blanks(at + 3, end);
        if (sign < end && *sign == '=') at = skip_blanks(sign + 1, end);
    }
    at += at < end && (*at == '"' || *at == '\'');
    const char *start = at;
    while (at < end && *at != '"' && *at != '\'') at++;
    return at > start ? (Slice){start, at} : none;
}

static int add_meta(Page *page, const Token *tag) {
    static const char *const names[] = {"name", "http-equiv", "content"};
    Slice values[3];
    find_attributes(tag, names, 3, values);
    Slice name = trimmed(decoded(&page->scratch, values[0]));
    int is_directive = is_name(name, "robots") || is_name(name, page->agent);
    int is_refresh = is_name(decoded(&page->scratch, values[1]), "refresh");
    Slice content = decoded(&page->scratch, values[2]);
    if (is_directive) {
        const char comma = ',';
        append(&page->directives, content.start, content.end);
        append(&page->directives, &comma, &comma + 1);
    }
    Slice target = is_refresh ? refresh_target(content) : (Slice){NULL, NULL};
    return target.start == NULL || add_reference(page, target, 1);
}

static int add_start_tag(Page *page, const Token *tag) {
    switch (tag->element) {
        case A: case AREA: return add_link(page, tag);
        case IFRAME: case FRAME: return add_frame(page, tag);
        case BASE: return add_base(page, tag);
        case LINK: return add_alternate(page, tag);
        case META: return add_meta(page, tag);
        default: return 1;
    }
}

int passes_template(const Token *token, int64_t *templates) {
    if (token->kind != TAG || token->element != TEMPLATE) return 0;
    *templates += token->is_end ? -(*templates > 0) : 1;
    return 1;
}

static int add(Page *page, const Token *token) {
    if (token->kind == TEXT || token->kind == MARKUP || token->kind == RAW) {
        int is_code = token->kind == RAW && (token->element == SCRIPT || token->element == STYLE);
        int is_hidden = is_code || page->templates;
        if (!is_hidden && token->start < token->end) add_token(&page->text, token);
        if (token->kind == RAW) end_piece(&page->text);
        return 1;
    }
    end_piece(&page->text);
    if (passes_template(token, &page->templates) || page->templates) return 1;
    if (token->element == A || token->kind == END) end_link(&page->text);
    return token->kind != TAG || token->is_end || add_start_tag(page, token);
}

static PyObject *result_of(Page *page) {
    if (page->text.text.failed || page->text.href.failed || page->directives.failed || page->scratch.failed)
        return PyErr_NoMemory();
    const char *text = page->text.text.data, *directives = page->directives.data;
    return Py_BuildValue("(OONON)", page->base ? page->base : Py_None, page->references,
                         str_of((Slice){directives, directives + page->directives.size}), page->alternates,
                         str_of((Slice){text, text + page->text.text.size}));
}

PyObject *scan_page(Slice markup, const char *agent, size_t max_characters) {
    Page page = {.agent = agent, .text.max_characters = max_characters};
    Tokens tokens = {.at = markup.start, .end = markup.end, .raw = OTHER};
    page.references = PyDict_New();
    page.alternates = PyList_New(0);
    int ok = page.references != NULL && page.alternates != NULL, is_over = 0;
    while (ok && !is_over) {
        Token token = next_token(&tokens);
        ok = add(&page, &token);
        is_over = token.kind == END;
    }
    PyObject *result = ok ? result_of(&page) : NULL;
    Py_XDECREF(page.base);
    Py_XDECREF(page.references);
    Py_XDECREF(page.alternates);
    release_buffer(&page.directives);
    release_buffer(&page.scratch);
    release_text(&page.text);
    return result;
}
