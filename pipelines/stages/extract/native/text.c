/* Characters, character references, attributes, and the words of names and texts. */
#include "page.h"

#include <stdlib.h>
#include <string.h>

int grow(void **at, int32_t *room, int32_t count, size_t size) {
    int64_t wanted = (int64_t)*room + *room / 2;
    if (wanted < count) wanted = count;
    if (wanted < 64) wanted = 64;
    if (wanted > INT32_MAX) return 0;
    void *moved = realloc(*at, (size_t)wanted * size);
    if (moved == NULL) return 0;
    *at = moved;
    *room = (int32_t)wanted;
    return 1;
}

/* FNV-1a, 32 bits. */
uint32_t hash_bytes(const char *at, size_t bytes) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)at[i]) * 16777619u;
    return hash;
}

/* ---- character references (HTML Standard, 13.2.5.72 ff.) --------------------------------------------------------- */

typedef struct { uint32_t hash; const char *name; uint32_t points[2]; uint8_t bytes; } Reference;
#define REFERENCE_SLOTS 8192
static Reference references[REFERENCE_SLOTS];
static int longest_reference = 0;
static int shortest_bare = 64;

/* *names* are those of the standard, with or without the final semicolon. They must live as long as the process. */
int references_init(int count, const char **names, const uint32_t (*points)[2]) {
    if (count > REFERENCE_SLOTS / 2) return 0;
    memset(references, 0, sizeof references);
    for (int i = 0; i < count; i++) {
        size_t bytes = strlen(names[i]);
        uint32_t hash = hash_bytes(names[i], bytes), slot = hash % REFERENCE_SLOTS;
        while (references[slot].name != NULL) slot = (slot + 1) % REFERENCE_SLOTS;
        references[slot] = (Reference){hash, names[i], {points[i][0], points[i][1]}, (uint8_t)bytes};
        if ((int)bytes > longest_reference) longest_reference = (int)bytes;
        if (names[i][bytes - 1] != ';' && (int)bytes < shortest_bare) shortest_bare = (int)bytes;
    }
    return 1;
}

static const Reference *named(const char *at, size_t bytes) {
    uint32_t hash = hash_bytes(at, bytes), slot = hash % REFERENCE_SLOTS;
    for (; references[slot].name != NULL; slot = (slot + 1) % REFERENCE_SLOTS)
        if (references[slot].hash == hash && references[slot].bytes == bytes
            && memcmp(references[slot].name, at, bytes) == 0)
            return &references[slot];
    return NULL;
}

const uint16_t windows_1252[32] = {
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};

static size_t numeric(const char *at, const char *end, uint32_t points[2]) {
    const char *start = at;
    uint32_t value = 0;
    int base = 10, digits = 0;
    at += 2;
    if (at < end && (*at == 'x' || *at == 'X')) {
        base = 16;
        at++;
    }
    for (; at < end; at++, digits++) {
        int digit = *at >= '0' && *at <= '9' ? *at - '0'
                    : base == 16 && (*at | 32) >= 'a' && (*at | 32) <= 'f' ? (*at | 32) - 'a' + 10 : -1;
        if (digit < 0) break;
        if (value < 0x200000) value = value * (uint32_t)base + (uint32_t)digit;
    }
    if (digits == 0) return 0;
    if (at < end && *at == ';') at++;
    if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) value = 0xfffd;
    points[0] = repaired(value);
    points[1] = 0;
    return (size_t)(at - start);
}

/* Returns the length of the character reference at *at* (an ampersand), 0 if it is none. */
size_t reference(const char *at, const char *end, uint32_t points[2], int in_attribute) {
    if (end - at < 3) return 0;
    if (at[1] == '#') return numeric(at, end, points);
    const char *name = at + 1;
    size_t room = (size_t)(end - name), bytes = 0;
    if (room > (size_t)longest_reference) room = (size_t)longest_reference;
    while (bytes < room && ((name[bytes] | 32) >= 'a' ? (name[bytes] | 32) <= 'z' : name[bytes] >= '0' && name[bytes] <= '9'))
        bytes++;
    const Reference *found = NULL;
    if (bytes < room && name[bytes] == ';') found = named(name, bytes + 1);
    size_t used = bytes + 1;
    for (size_t shorter = bytes > 6 ? 6 : bytes; found == NULL && shorter >= (size_t)shortest_bare; shorter--) {
        found = named(name, shorter);   /* no name without a semicolon is longer than six letters */
        used = shorter;
        if (found != NULL && in_attribute && (shorter < bytes || (name + shorter < end && name[shorter] == '=')))
            return 0;
    }
    if (found == NULL) return 0;
    points[0] = found->points[0];
    points[1] = found->points[1];
    return used + 1;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static int is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'; }

/* Reads the attribute at or after *at*, inside a tag that ends before *end*; NULL if there is none. */
const char *next_attribute(const char *at, const char *end, Attribute *found) {
    while (at < end && (is_blank(*at) || *at == '/')) at++;
    if (at >= end) return NULL;
    found->name = at;
    if (*at == '=') at++;
    while (at < end && !is_blank(*at) && *at != '=' && *at != '/') at++;
    found->name_bytes = (uint32_t)(at - found->name);
    found->value = at;
    found->value_bytes = 0;
    const char *after = at;
    while (after < end && is_blank(*after)) after++;
    if (after >= end || *after != '=') return at;
    at = after + 1;
    while (at < end && is_blank(*at)) at++;
    if (at < end && (*at == '"' || *at == '\'')) {
        const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
        if (close == NULL) close = end;
        found->value = at + 1;
        found->value_bytes = (uint32_t)(close - at - 1);
        return close < end ? close + 1 : end;
    }
    found->value = at;
    while (at < end && !is_blank(*at)) at++;
    found->value_bytes = (uint32_t)(at - found->value);
    return at;
}

/* Returns whether bytes equal the lower-case string *lower*, ignoring the case of ASCII letters. */
int equals(const char *at, size_t bytes, const char *lower) {
    size_t i = 0;
    for (; i < bytes && lower[i]; i++) {
        char c = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 32) : at[i];
        if (c != lower[i]) return 0;
    }
    return i == bytes && lower[i] == 0;
}

/* ---- words of names and texts -------------------------------------------------------------------------------------- */

/* Splits class and id into words: at non-letters, and before a capital after a lower-case letter. */
void name_tokens(const char *at, size_t bytes, TakeToken take, void *context) {
    size_t i = 0;
    while (i < bytes) {
        uint32_t hash = 2166136261u;
        size_t start = i;
        int was_small = 0;
        while (i < bytes) {
            char c = at[i];
            int small = c >= 'a' && c <= 'z', capital = c >= 'A' && c <= 'Z';
            if (!small && !(capital && !(was_small && i > start))) break;
            hash = (hash ^ (uint8_t)(c | 32)) * 16777619u;
            was_small = small;
            i++;
        }
        if (i > start + 1) take(context, hash, at + start, i - start);
        if (i == start) i++;
    }
}

/* A hash of the beginning of a word in a name, used if the whole word is unknown: "commentbody", "sidebarleft"; 0 for a
 * short word. */
uint32_t prefix_hash(const char *at, size_t bytes) {
    if (bytes <= PREFIX_LETTERS) return 0;
    uint32_t hash = 2166136261u ^ '^';
    for (int i = 0; i < PREFIX_LETTERS; i++) hash = (hash ^ (uint8_t)(at[i] | 32)) * 16777619u;
    return hash;
}

/* Splits a text into runs of letters: ASCII ones in lower case, and all bytes of other characters. */
void word_tokens(const char *at, size_t bytes, TakeToken take, void *context) {
    size_t i = 0;
    while (i < bytes) {
        uint32_t hash = 2166136261u;
        size_t start = i;
        while (i < bytes) {
            uint8_t c = (uint8_t)at[i];
            if (c >= 'A' && c <= 'Z') c |= 32;
            if (!(c >= 'a' && c <= 'z') && c < 0x80) break;
            hash = (hash ^ c) * 16777619u;
            i++;
        }
        if (i > start) take(context, hash, at + start, i - start);
        else i++;
    }
}

int lexicon_score(const Lexicon *lexicon, uint32_t key, int *score) {
    if (lexicon == NULL || lexicon->mask == 0 || key == 0) return 0;
    for (uint32_t slot = key & lexicon->mask; lexicon->at[slot].key != 0; slot = (slot + 1) & lexicon->mask)
        if (lexicon->at[slot].key == key) {
            *score = lexicon->at[slot].score;
            return 1;
        }
    return 0;
}
