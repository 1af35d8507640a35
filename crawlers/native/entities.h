/* Character references. */
#ifndef SCAN_ENTITIES_H
#define SCAN_ENTITIES_H

#include "buffer.h"

/* Add a name without its ampersand, with or without a semicolon. It must live as long as the process. Return 0 if there
 * is no room for it. */
int add_entity(const char *name, size_t name_bytes, const char *value, size_t value_bytes);

/* Append *slice* with its references replaced: those of a text (HTML standard, 13.2.5.72), or of an attribute, in which
 * `&copy=` and `&copyright` are none. Invalid code points become U+FFFD; control characters are dropped. */
void append_text(Buffer *buffer, Slice slice);
void append_value(Buffer *buffer, Slice slice);

#endif
