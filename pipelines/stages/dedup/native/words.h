/* Lower-case texts and hash their words. */
#ifndef CORPUSMILL_DEDUP_WORDS_H
#define CORPUSMILL_DEDUP_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Classes of characters, as bits. */
enum { IN_WORD = 1, UNSPACED_LETTER = 2, UNSPACED_MARK = 4 };
/* In `Characters.lower`: the lower case is several characters or depends on the context. */
enum { SPECIAL = -1 };

/* Tables of the first *count* code points: the lower case of each, and the classes of each. */
typedef struct {
    const int32_t *lower;
    const uint8_t *classes;
    uint32_t count;
} Characters;

/* Memory that is reused from text to text. */
typedef struct {
    uint8_t *text;
    size_t text_room;
    uint64_t *values, *spare;
    size_t value_room, spare_room;
    size_t count; /* values in use */
} Scratch;

static inline uint64_t splitmix64(uint64_t value) {
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

/* Return whether the lower case of a text depends on more than single characters. */
int is_special(const uint8_t *text, size_t bytes, const Characters *characters);

/* Hash the words of a text in UTF-8, which is not special, into `values`. Return 0 if memory runs out. */
int hash_words(Scratch *scratch, const uint8_t *text, size_t bytes, const Characters *characters);

/* Make room for *count* values, or for as many spare ones. Return 0 if memory runs out. */
int need_values(Scratch *scratch, size_t count);
int need_spare(Scratch *scratch, size_t count);

/* Release memory above what usual texts need, or all of it. */
void shrink(Scratch *scratch);
void release(Scratch *scratch);

#endif
