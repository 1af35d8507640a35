/* Where a script ends: not within one of its strings, as `document.write("<script></script>")`.
 *
 * A browser ends it there all the same, and shows the rest of the script as text, which nobody meant to be read.
 */
#include "read.h"

/* Whether code goes on after a string that ends before *at*. */
static int is_code(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at >= end || strchr(")];,+}.:?\r\n", *at) != NULL;
}

enum { MAX_REST_BYTES = 5000 };    /* of a string, after an end tag in it */

/* Gives the end of the string in *quote* that goes on at *at*; NULL when its line ends before. */
static const char *string_end(const char *at, const char *end, char quote) {
    if (end - at > MAX_REST_BYTES) end = at + MAX_REST_BYTES;
    for (; at < end; at++) {
        if (*at == '\\') at++;
        else if (*at == quote) return at + 1;
        else if (*at == '\n' && quote != '`') return NULL;
    }
    return NULL;
}

static int opens_script(const char *at, const char *end) {
    while ((at = find(at, end, "<", 1)) != NULL) {
        if (end - at > 7 && equals(at + 1, 6, "script")) return 1;
        at++;
    }
    return 0;
}

/* Gives the end tag after *close* that ends the script, if what follows reads like the rest of a string in *quote* and of
 * the script around it; NULL otherwise. */
static const char *later_end(const Reader *r, const char *close, char quote) {
    const char *shut = string_end(close + 2, r->end, quote);
    if (shut == NULL || !is_code(shut, r->end)) return NULL;
    const char *next = end_tag_after(r, T_script, shut);
    return next != NULL && !opens_script(shut, next) ? next : NULL;
}

/* Gives the mark of the string that is open at *end*, 0 for none; *quote* is open at *at*. Strings of regular
 * expressions are not known: `later_end` is asked too. */
static char quote_at(const char *at, const char *end, char quote) {
    for (; at < end; at++) {
        if (quote) {
            if (*at == '\\') at++;
            else if (*at == quote || (*at == '\n' && quote != '`')) quote = 0;
        } else if (*at == '"' || *at == '\'' || *at == '`') quote = *at;
        else if (*at == '/' && at + 1 < end && at[1] == '/') {
            const char *line = memchr(at, '\n', (size_t)(end - at));
            if (line == NULL) return 0;
            at = line;
        } else if (*at == '/' && at + 1 < end && at[1] == '*') {
            const char *close = find(at + 2, end, "*/", 2);
            if (close == NULL) return 0;
            at = close + 1;
        }
    }
    return quote;
}

/* Gives the end tag of the script at *at*, whose first end tag is at *close*. Linear: no byte is looked at more than a few
 * times. */
const char *script_end(const Reader *r, const char *at, const char *close) {
    char quote = 0;
    for (;;) {
        if (!later_end(r, close, '"') && !later_end(r, close, '\'') && !later_end(r, close, '`')) return close;
        quote = quote_at(at, close, quote);
        const char *later = quote ? later_end(r, close, quote) : NULL;
        if (later == NULL) return close;
        quote = quote_at(close, later, quote);
        at = close = later;
    }
}
