/* Bytes that grow. */
#ifndef SCAN_BUFFER_H
#define SCAN_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* *failed* says that memory ran out; later calls then have no effect. */
typedef struct {
    char *data;
    size_t size, room;
    int failed;
} Buffer;

typedef struct {
    const char *start, *end;
} Slice;

void append(Buffer *buffer, const char *start, const char *end);
void append_point(Buffer *buffer, uint32_t point);
void release_buffer(Buffer *buffer);

/* Return the code point at *at*, of valid UTF-8, and set *next* to the character after it. */
uint32_t point_at(const char *at, const char **next);
size_t characters_of(const char *start, const char *end);

static inline int is_blank(char byte) { /* ASCII whitespace of the HTML standard */
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\f';
}

static inline int is_letter(char byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }
static inline int is_digit(char byte) { return (uint8_t)(byte - '0') < 10; }

/* Return whether *slice* is *name*, which is in lower case, regardless of the case of ASCII letters. */
int is_name(Slice slice, const char *name);
Slice trimmed(Slice slice);

#endif
