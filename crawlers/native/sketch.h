/* Sketches of texts: the smallest hashes of their words. */
#ifndef SCAN_SKETCH_H
#define SCAN_SKETCH_H

#include "buffer.h"

/* Fill the tables; called once. */
void sketch_init(void);

/* Write at most *max_words* uint32 of *text* in ascending order to *sketch*, without the words of *own*. Both are in
 * lower case. Return their number, or -1 if memory ran out; the caller frees *sketch*. */
ptrdiff_t sketch_of(Slice text, Slice own, size_t max_words, uint32_t **sketch);

/* Return whether two sketches of unaligned uint32, of which the first *compared* count, share *share* of their
 * union. */
int is_alike(Slice one, Slice other, size_t compared, double share);

#endif
