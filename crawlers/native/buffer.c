#include "buffer.h"

#include <stdlib.h>
#include <string.h>

static int has_room(Buffer *buffer, size_t more) {
    if (buffer->failed) return 0;
    size_t wanted = buffer->size + more;
    if (wanted <= buffer->room) return 1;
    wanted += wanted / 2 + 64;
    char *moved = realloc(buffer->data, wanted);
    if (moved == NULL) {
        buffer->failed = 1;
        return 0;
    }
    buffer->data = moved;
    buffer->room = wanted;
    return 1;
}

void append(Buffer *buffer, const char *start, const char *end) {
    size_t bytes = (size_t)(end - start);
    if (bytes == 0 || !has_room(buffer, bytes)) return;
    memcpy(buffer->data + buffer->size, start, bytes);
    buffer->size += bytes;
}

void append_point(Buffer *buffer, uint32_t point) {
    static const uint8_t first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    int bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    char text[4];
    for (int at = bytes - 1; at > 0; at--, point >>= 6) text[at] = (char)(0x80 | (point & 0x3F));
    text[0] = (char)(first[bytes] | point);
    append(buffer, text, text + bytes);
}

void release_buffer(Buffer *buffer) {
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

uint32_t point_at(const char *at, const char **next) {
    uint8_t first = (uint8_t)*at;
    int bytes = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t point = bytes == 1 ? first : first & (0x7Fu >> bytes);
    for (int more = 1; more < bytes; more++) point = point << 6 | ((uint8_t)at[more] & 0x3Fu);
    *next = at + bytes;
    return point;
}

size_t characters_of(const char *start, const char *end) {
    size_t count = 0;
    for (const char *at = start; at < end; at++) count += (*at & 0xC0) != 0x80;
    return count;
}

int is_name(Slice slice, const char *name) {
    const char *at = slice.start;
    for (; at < slice.end && *name; at++, name++) {
        char byte = (uint8_t)(*at - 'A') < 26 ? (char)(*at | 0x20) : *at;
        if (byte != *name) return 0;
    }
    return at == slice.end && *name == 0;
}

Slice trimmed(Slice slice) {
    while (slice.start < slice.end && is_blank(*slice.start)) slice.start++;
    while (slice.start < slice.end && is_blank(slice.end[-1])) slice.end--;
    return slice;
}
