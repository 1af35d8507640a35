/* Names of elements. */
#include "page.h"

#include <string.h>

#define X(name, flags) #name,
const char *const tag_names[TAG_COUNT] = {TAGS(X)};
#undef X
#define X(name, flags) (flags),
const uint8_t tag_flags[TAG_COUNT] = {TAGS(X)};
#undef X
const char *const kind_names[KINDS] = {"paragraph", "heading", "item", "cell", "pre", "quote", "caption"};

#define SLOTS 512
static uint8_t slots[SLOTS];

void tags_init(void) {
    memset(slots, 0, sizeof slots);
    for (int tag = T_html; tag < TAG_COUNT; tag++) {
        uint32_t slot = hash_bytes(tag_names[tag], strlen(tag_names[tag])) % SLOTS;
        while (slots[slot]) slot = (slot + 1) % SLOTS;
        slots[slot] = (uint8_t)tag;
    }
}

/* Returns the tag of a name in any case. Names with a hyphen are custom elements, which are used as boxes. */
Tag tag_of(const char *name, size_t length) {
    char lower[16];
    if (length < sizeof lower) {
        for (size_t i = 0; i < length; i++) lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 32) : name[i];
        for (uint32_t slot = hash_bytes(lower, length) % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS) {
            const char *known = tag_names[slots[slot]];      /* may be shorter; comparison stops at its end */
            if (strncmp(known, lower, length) == 0 && known[length] == 0) return (Tag)slots[slot];
        }
    }
    return memchr(name, '-', length) != NULL ? T_custom : T_other;
}
