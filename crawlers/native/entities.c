#include "entities.h"

#include <string.h>

enum { SLOTS = 8192, VALUE_BYTES = 8, LONGEST = 32, LONGEST_BARE = 6 };

typedef struct {
    const char *name;
    uint8_t bytes, value_bytes;
    char value[VALUE_BYTES];
} Entity;

static Entity entities[SLOTS];
static int entity_count;

static const uint16_t windows_1252[32] = {
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
    0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d,
    0x17e, 0x178};

/* Return the slot of a name: its own, or the empty one where it belongs (FNV-1a). */
static Entity *slot_of(const char *name, size_t bytes) {
    uint32_t hash = 2166136261u;
    for (size_t at = 0; at < bytes; at++) hash = (hash ^ (uint8_t)name[at]) * 16777619u;
    for (uint32_t slot = hash % SLOTS;; slot = (slot + 1) % SLOTS) {
        Entity *entity = &entities[slot];
        if (entity->name == NULL || (entity->bytes == bytes && memcmp(entity->name, name, bytes) == 0)) return entity;
    }
}

int add_entity(const char *name, size_t name_bytes, const char *value, size_t value_bytes) {
    if (entity_count >= SLOTS / 2 || name_bytes > LONGEST || value_bytes > VALUE_BYTES) return 0;
    Entity *entity = slot_of(name, name_bytes);
    entity_count += entity->name == NULL;
    entity->name = name;
    entity->bytes = (uint8_t)name_bytes;
    entity->value_bytes = (uint8_t)value_bytes;
    memcpy(entity->value, value, value_bytes);
    return 1;
}

static int append_entity(Buffer *buffer, const char *name, size_t bytes) {
    if (bytes > LONGEST) return 0;
    const Entity *entity = slot_of(name, bytes);
    if (entity->name == NULL) return 0;
    append(buffer, entity->value, entity->value + entity->value_bytes);
    return 1;
}

/* ---- numeric references ----------------------------------------------------------------------------------------- */

static int digit_of(char byte, uint32_t base) {
    if (is_digit(byte)) return byte - '0';
    int letter = (byte | 0x20) - 'a';
    return base == 16 && letter >= 0 && letter < 6 ? letter + 10 : -1;
}

static int is_dropped(uint32_t point) {
    return (point >= 0x1 && point <= 0x8) || point == 0xb || (point >= 0xe && point <= 0x1f) || point == 0x7f
           || (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) == 0xfffe;
}

static void append_number(Buffer *buffer, uint32_t point) {
    if (point >= 0x80 && point < 0xa0) point = windows_1252[point - 0x80];
    else if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) point = 0xfffd;
    else if (is_dropped(point)) return;
    append_point(buffer, point);
}

/* Append the reference whose number sign is at *at*; return the place after it, or NULL if it is none. */
static const char *numeric(Buffer *buffer, const char *at, const char *end) {
    uint32_t value = 0, base = ++at < end && (*at | 0x20) == 'x' ? 16 : 10;
    at += base == 16;
    const char *digits = at;
    for (int digit; at < end && (digit = digit_of(*at, base)) >= 0; at++)
        if (value <= 0x10ffff) value = value * base + (uint32_t)digit;
    if (at == digits) return NULL;
    append_number(buffer, value);
    return at < end && *at == ';' ? at + 1 : at;
}

/* ---- named references ------------------------------------------------------------------------------------------- */

static const char *end_of_name(const char *at, const char *end) {
    while (at < end && (is_letter(*at) || is_digit(*at))) at++;
    return at;
}

static const char *named_in_text(Buffer *buffer, const char *name, const char *end) {
    const char *stop = end_of_name(name, end);
    size_t bytes = (size_t)(stop - name);
    if (stop < end && *stop == ';' && append_entity(buffer, name, bytes + 1)) return stop + 1;
    for (bytes = bytes < LONGEST_BARE ? bytes : LONGEST_BARE; bytes > 1; bytes--)
        if (append_entity(buffer, name, bytes)) return name + bytes;
    return NULL;
}

static const char *named_in_value(Buffer *buffer, const char *name, const char *end) {
    const char *stop = end_of_name(name, end);
    if (stop < end && *stop == '=') return NULL;
    stop += stop < end && *stop == ';';
    return stop > name && append_entity(buffer, name, (size_t)(stop - name)) ? stop : NULL;
}

typedef const char *Named(Buffer *buffer, const char *name, const char *end);

static void append_unescaped(Buffer *buffer, Slice slice, Named *named) {
    const char *at = slice.start, *end = slice.end;
    while (at < end) {
        const char *mark = memchr(at, '&', (size_t)(end - at));
        append(buffer, at, mark ? mark : end);
        if (mark == NULL) return;
        int is_numeric = mark + 1 < end && mark[1] == '#';
        const char *next = (is_numeric ? numeric : named)(buffer, mark + 1, end);
        if (next == NULL) append(buffer, mark, mark + 1);
        at = next ? next : mark + 1;
    }
}

void append_text(Buffer *buffer, Slice slice) { append_unescaped(buffer, slice, named_in_text); }
void append_value(Buffer *buffer, Slice slice) { append_unescaped(buffer, slice, named_in_value); }
