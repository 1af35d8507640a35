/* The end of a script. An end tag in a string does not count, as in `document.write("<script></script>")`.
 *
 * A browser does end the script there, and displays the rest of it as text, which is never intended.
 */
#include "read.h"

/* Whether code continues after a string that ends before *at*. */
static int is_code(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at >= end || strchr(")];,+}.:?\r\n", *at) != NULL;
}

enum { MAX_REST_BYTES = 5000 };    /* bytes of a string after an end tag in it */

/* Returns the end of the string in *quote* that continues at *at*; NULL if its line ends first. */
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

/* Returns the end tag after *close* that ends the script, if the text between reads like the rest of a string in
*quote* and
 * of the script; else NULL. */
static const char *later_end(const Reader *r, const char *close, char quote) {
    const char *shut = string_end(close + 2, r->end, quote);
    if (shut == NULL || !is_code(shut, r->end)) return NULL;
    const char *next = end_tag_after(r, T_script, shut);
    return next != NULL && !opens_script(shut, next) ? next : NULL;
}

/* Returns the quote of the string that is open at *end*, 0 for none; *quote* is open at *at*. Regular expressions are
not
 * recognized, so `later_end` is consulted as well. */
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

/* Returns the end tag of the script at *at*, whose first end tag is at *close*. Linear: no byte is read more than a few
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
