#include "tokens.h"

#include <string.h>

static const struct {
    const char *name;
    Element element;
} elements[] = {
    {"a", A}, {"area", AREA}, {"base", BASE}, {"frame", FRAME}, {"iframe", IFRAME}, {"link", LINK}, {"math", MATH},
    {"meta", META}, {"noembed", NOEMBED}, {"noframes", NOFRAMES}, {"plaintext", PLAINTEXT}, {"script", SCRIPT},
    {"style", STYLE}, {"svg", SVG}, {"template", TEMPLATE}, {"textarea", TEXTAREA}, {"title", TITLE}, {"xmp", XMP}};
enum { ELEMENTS = sizeof elements / sizeof *elements };

static const char *name_of(Element element) {
    for (int at = 0; at < ELEMENTS; at++)
        if (elements[at].element == element) return elements[at].name;
    return "";
}

static Element element_of(Slice name) {
    char first = (char)(*name.start | 0x20);
    for (int at = 0; at < ELEMENTS && elements[at].name[0] <= first; at++)
        if (elements[at].name[0] == first && is_name(name, elements[at].name)) return elements[at].element;
    return OTHER;
}

static int is_raw(Element element) {
    return element == IFRAME || element == NOEMBED || element == NOFRAMES || element == SCRIPT || element == STYLE
           || element == TEXTAREA || element == TITLE || element == XMP || element == PLAINTEXT;
}

static int ends_name(char byte) { return is_blank(byte) || byte == '/' || byte == '>'; }

/* Return the place of *byte*, or the end. */
static const char *find(const char *at, const char *end, char byte) {
    const char *hit = at < end ? memchr(at, byte, (size_t)(end - at)) : NULL;
    return hit ? hit : end;
}

static const char *after(const char *at, const char *end, char byte) {
    at = find(at, end, byte);
    return at < end ? at + 1 : end;
}

/* Return the end of the comment whose content begins at *body*. */
static const char *end_of_comment(const char *body, const char *end) {
    if (end - body >= 1 && body[0] == '>') return body + 1;
    if (end - body >= 2 && body[0] == '-' && body[1] == '>') return body + 2;
    for (const char *at = find(body, end, '>'); at < end; at = find(at + 1, end, '>')) {
        const char *dashes = at > body && at[-1] == '!' ? at - 1 : at;
        if (dashes - body >= 2 && dashes[-1] == '-' && dashes[-2] == '-') return at + 1;
    }
    return end;
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

static Slice value_at(const char **at, const char *end) {
    const char *start = *at;
    if (start < end && (*start == '"' || *start == '\'')) {
        const char *quote = find(start + 1, end, *start);
        *at = quote < end ? quote + 1 : end;
        return (Slice){start + 1, quote};
    }
    while (*at < end && !is_blank(**at) && **at != '>') ++*at;
    return (Slice){start, *at};
}

int next_attribute(const char **at, const char *end, Attribute *attribute) {
    const char *next = *at;
    while (next < end && (is_blank(*next) || *next == '/')) next++;
    *at = next;
    if (next == end || *next == '>') return 0;
    const char *start = next++; /* an equals sign may begin a name */
    while (next < end && !ends_name(*next) && *next != '=') next++;
    attribute->name = (Slice){start, next};
    attribute->value = (Slice){next, next};
    *at = next;
    while (next < end && is_blank(*next)) next++;
    if (next == end || *next != '=') return 1;
    for (next++; next < end && is_blank(*next);) next++;
    attribute->value = value_at(&next, end);
    *at = next;
    return 1;
}

void find_attributes(const Token *tag, const char *const *names, int count, Slice *values) {
    Attribute attribute;
    memset(values, 0, (size_t)count * sizeof *values);
    for (const char *at = tag->start; next_attribute(&at, tag->end, &attribute);)
        for (int name = 0; name < count; name++)
            if (values[name].start == NULL && is_name(attribute.name, names[name])) values[name] = attribute.value;
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static Token markup(Tokens *tokens, const char *end) {
    Token token = {MARKUP, OTHER, 0, tokens->at, end};
    tokens->at = end;
    return token;
}

static void enter(Tokens *tokens, Element element, int is_end, int closes_itself) {
    if (element == SVG || element == MATH) {
        if (is_end) tokens->foreign -= tokens->foreign > 0;
        else if (!closes_itself) tokens->foreign++;
    } else if (!is_end && is_raw(element) && !(element != PLAINTEXT && tokens->foreign && closes_itself)) {
        tokens->raw = element;
    }
}

static Token tag(Tokens *tokens, int is_end) {
    const char *start = tokens->at + 1 + is_end, *at = start;
    while (at < tokens->end && !ends_name(*at)) at++;
    Token token = {TAG, element_of((Slice){start, at}), is_end, at, at};
    Attribute attribute;
    while (next_attribute(&at, tokens->end, &attribute)) {}
    token.end = at;
    int is_closed = at < tokens->end;
    if (token.element == OTHER) return markup(tokens, at + is_closed);
    tokens->at = at + is_closed;
    if (is_closed) enter(tokens, token.element, is_end, at[-1] == '/');
    else token.kind = END;
    return token;
}

/* Return the content of an element that has no tags; see `Tokens.raw`. */
static Token raw(Tokens *tokens) {
    const char *start = tokens->at, *end = tokens->end, *name = name_of(tokens->raw);
    size_t bytes = strlen(name);
    Token token = {RAW, tokens->raw, 0, start, end};
    tokens->raw = OTHER;
    tokens->at = end;
    if (token.element == PLAINTEXT) return token;
    for (const char *at = find(start, end, '<'); (size_t)(end - at) > bytes + 2; at = find(at + 1, end, '<')) {
        const char *after_name = at + 2 + bytes;
        if (at[1] != '/' || !ends_name(*after_name) || !is_name((Slice){at + 2, after_name}, name)) continue;
        token.end = at;
        tokens->at = after(after_name, end, '>');
        break;
    }
    return token;
}

Token next_token(Tokens *tokens) {
    if (tokens->raw != OTHER) return raw(tokens);
    const char *at = tokens->at, *end = tokens->end;
    if (at == end) return (Token){END, OTHER, 0, end, end};
    size_t left = (size_t)(end - at);
    if (*at == '<' && left > 1) {
        if (is_letter(at[1])) return tag(tokens, 0);
        if (left > 2 && at[1] == '/' && is_letter(at[2])) return tag(tokens, 1);
        if (left > 3 && memcmp(at, "<!--", 4) == 0) return markup(tokens, end_of_comment(at + 4, end));
        if (at[1] == '!' || at[1] == '?' || at[1] == '/') return markup(tokens, after(at + 2, end, '>'));
    }
    Token token = {TEXT, OTHER, 0, at, find(at + 1, end, '<')};
    tokens->at = token.end;
    return token;
}
