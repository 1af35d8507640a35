#include "buckets.h"

#include "sets.h"

#include <stdlib.h>
#include <string.h>

/* State of a kept member. The state of another one is the number of rounds that it waited. */
enum { KEPT = -1 };
/* A pair whose bitmaps differ in at most this share of the bits that a duplicate may differ in is a duplicate with near
 * certainty. It decides what a round compares, never a result. The share is lower for members that waited, and after two
 * rounds they are compared with all. */
static const double CERTAIN[] = {0.85, 0.6};
enum { THOROUGH = sizeof CERTAIN / sizeof *CERTAIN };
/* Members that are compared with a new one to find the nearest. It bounds the time for large buckets, never a result. */
enum { WINDOW = 1024 };
static const double TOLERANCE = 1e-6;

typedef struct {
    int64_t rank, place, size;
    size_t bitmap; /* first word in the arena */
    size_t words;
} Member;

typedef struct {
    Member *members;
    size_t count, room;
    uint64_t *arena;
    size_t used, arena_room;
} Members;

typedef struct {
    PyObject_HEAD
    double threshold;
    size_t memory_bytes;
    int64_t bucket, last_rank, last_place, component;
    int has_bucket, is_full;
    size_t component_start;
    Members leaders[2], blocked[2]; /* by whether they are late */
} Buckets;

/* Growing arrays of int64 that become the result. */
typedef struct {
    int64_t *values;
    size_t count, room;
} Column;

static int append(Column *column, const int64_t *values, size_t count) {
    if (column->count + count > column->room) {
        size_t wanted = (column->count + count) * 2;
        int64_t *more = realloc(column->values, wanted * sizeof *more);
        if (more == NULL) return 0;
        column->values = more;
        column->room = wanted;
    }
    memcpy(column->values + column->count, values, count * sizeof *values);
    column->count += count;
    return 1;
}

static int add_member(Members *to, Member member, const uint64_t *bitmap) {
    if (to->count == to->room) {
        size_t wanted = to->room ? to->room * 2 : 64;
        Member *more = realloc(to->members, wanted * sizeof *more);
        if (more == NULL) return 0;
        to->members = more;
        to->room = wanted;
    }
    if (to->used + member.words > to->arena_room) {
        size_t wanted = (to->used + member.words) * 2;
        uint64_t *more = realloc(to->arena, wanted * sizeof *more);
        if (more == NULL) return 0;
        to->arena = more;
        to->arena_room = wanted;
    }
    memcpy(to->arena + to->used, bitmap, member.words * sizeof *bitmap);
    member.bitmap = to->used;
    to->used += member.words;
    to->members[to->count++] = member;
    return 1;
}

static size_t bytes_of(const Members *members) {
    return members->count * sizeof *members->members + members->used * sizeof *members->arena;
}

static void clear(Members *members) {
    free(members->members);
    free(members->arena);
    memset(members, 0, sizeof *members);
}

/* Return whether two members may be similar by their sizes and bitmaps. *share* receives in how many bits they differ, as
 * a share of what similar ones may differ in. */
static int may_be_similar(const Members *others, const Member *other, const Member *one, const uint64_t *bitmap,
                          double threshold, double *share) {
    double size = (double)one->size, other_size = (double)other->size;
    if (other_size < threshold * size - TOLERANCE || size < threshold * other_size - TOLERANCE) return 0;
    double allowed = (size + other_size) * (1 - threshold) / (1 + threshold);
    double bits = (double)differing_bits(bitmap, one->words, others->arena + other->bitmap, other->words);
    *share = bits > 0 ? bits / allowed : 0;
    return bits <= allowed + TOLERANCE;
}

/* Append the members of *others* that may be duplicates of *one* to *pairs*. Return whether one of them certainly is, or
 * -1 if memory runs out. */
static int compare(const Members *others, Member one, const uint64_t *bitmap, double threshold, double certain,
                   Column *pairs) {
    int is_certain = 0;
    double share;
    for (size_t i = 0; i < others->count; i++) {
        const Member *other = &others->members[i];
        if (!may_be_similar(others, other, &one, bitmap, threshold, &share)) continue;
        is_certain |= certain > 0 && share <= certain;
        if (!append(pairs, (int64_t[]){one.rank, one.place, other->rank, other->place}, 4)) return -1;
    }
    return is_certain;
}

/* Compare a member with *others*, but no late one with another late one. Return as `compare` does. */
static int compare_with(const Members others[2], Member one, const uint64_t *bitmap, int is_late, double threshold,
                        double certain, Column *pairs) {
    int with_early = compare(&others[0], one, bitmap, threshold, certain, pairs);
    if (is_late || with_early < 0) return with_early;
    int with_late = compare(&others[1], one, bitmap, threshold, certain, pairs);
    return with_late < 0 ? -1 : with_early | with_late;
}

/* Add the next member, in the order of their ranks. Return 0 if memory runs out. */
static int add(Buckets *self, Member member, const uint64_t *bitmap, int state, int is_late, Column *pairs, Column *open) {
    if (member.rank == self->last_rank) return 1; /* two buckets with the same members have one number */
    self->last_rank = member.rank;
    Members *leaders = &self->leaders[is_late], *blocked = &self->blocked[is_late];
    if (state == KEPT) return add_member(leaders, member, bitmap);
    double certain = state < THOROUGH ? CERTAIN[state] : 0;
    int is_open = compare_with(self->leaders, member, bitmap, is_late, self->threshold, certain, pairs);
    if (is_open < 0) return 0;
    if (is_open) {
        if (bytes_of(self->blocked) + bytes_of(self->blocked + 1) >= self->memory_bytes) self->is_full = 1;
        else if (!add_member(blocked, member, bitmap)) return 0;
    } else {
        if (compare_with(self->blocked, member, bitmap, is_late, self->threshold, certain, pairs) < 0) return 0;
        is_open = self->is_full;
        if (!add_member(leaders, member, bitmap)) return 0;
    }
    return !is_open || append(open, (int64_t[]){member.rank, member.place}, 2);
}

/* Add the next member, in the order of (component, place), and append the pairs with members of other components that may
 * be similar: all of them, or only the nearest one. Return 0 if memory runs out. */
static int add_link(Buckets *self, Member member, const uint64_t *bitmap, int64_t component, int is_thorough,
                    Column *pairs) {
    Members *others = &self->leaders[0];
    if (member.place == self->last_place) return 1; /* two buckets with the same members have one number */
    self->last_place = member.place;
    if (!others->count || component != self->component) self->component_start = others->count;
    self->component = component;
    size_t end = self->component_start, nearest = end;
    double least = 0, share;
    for (size_t i = is_thorough || end < WINDOW ? 0 : end - WINDOW; i < end; i++) {
        const Member *other = &others->members[i];
        if (!may_be_similar(others, other, &member, bitmap, self->threshold, &share)) continue;
        if (is_thorough && !append(pairs, (int64_t[]){member.place, other->place}, 2)) return 0;
        if (nearest < end && share >= least) continue;
        nearest = i;
        least = share;
    }
    if (!is_thorough && nearest < end
        && !append(pairs, (int64_t[]){member.place, others->members[nearest].place}, 2))
        return 0;
    return add_member(others, member, bitmap);
}

static void begin(Buckets *self, int64_t bucket) {
    if (self->has_bucket && self->bucket == bucket) return;
    self->bucket = bucket;
    self->last_rank = self->last_place = -1;
    self->has_bucket = 1;
    self->is_full = 0;
    for (int late = 0; late < 2; late++) {
        Members *leaders = &self->leaders[late], *blocked = &self->blocked[late];
        if (bytes_of(leaders) + bytes_of(blocked) > 1 << 20) {
            clear(leaders);
            clear(blocked);
        }
        leaders->count = leaders->used = blocked->count = blocked->used = 0;
    }
}

static PyObject *as_bytes(const Column *column) {
    return PyBytes_FromStringAndSize((const char *)column->values, (Py_ssize_t)(column->count * sizeof(int64_t)));
}

/* Return the bitmap of a row as aligned words, in a buffer that grows; NULL if memory runs out. */
static const uint64_t *aligned_bitmap(Column *buffer, const char *bitmaps, const int32_t *starts, size_t row, size_t *words) {
    *words = (size_t)(starts[row + 1] - starts[row]) / sizeof(uint64_t);
    if (*words > buffer->room) {
        int64_t *more = realloc(buffer->values, *words * sizeof *more);
        if (more == NULL) return NULL;
        buffer->values = more;
        buffer->room = *words;
    }
    return memcpy(buffer->values, bitmaps + starts[row], *words * sizeof(uint64_t));
}

static PyObject *pairs_of(PyObject *object, PyObject *args) {
    Buckets *self = (Buckets *)object;
    Py_buffer bucket, rank, place, size, state, late, bitmaps, offsets;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*y*y*", &bucket, &rank, &place, &size, &state, &late, &bitmaps, &offsets))
        return NULL;
    const int64_t *buckets = bucket.buf, *ranks = rank.buf, *places = place.buf, *sizes = size.buf, *states = state.buf;
    const int64_t *are_late = late.buf;
    const int32_t *starts = offsets.buf;
    size_t rows = (size_t)bucket.len / sizeof(int64_t);
    Column pairs = {0}, open = {0}, buffer = {0};
    int ok = 1;
    for (size_t row = 0; ok && row < rows; row++) {
        size_t words;
        const uint64_t *bitmap = aligned_bitmap(&buffer, bitmaps.buf, starts, row, &words);
        begin(self, buckets[row]);
        Member member = {ranks[row], places[row], sizes[row], 0, words};
        ok = bitmap != NULL && add(self, member, bitmap, (int)states[row], are_late[row] != 0, &pairs, &open);
    }
    PyObject *result = ok ? Py_BuildValue("(NN)", as_bytes(&pairs), as_bytes(&open)) : PyErr_NoMemory();
    free(buffer.values);
    free(pairs.values);
    free(open.values);
    Py_buffer *buffers[] = {&bucket, &rank, &place, &size, &state, &late, &bitmaps, &offsets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) PyBuffer_Release(buffers[i]);
    return result;
}

static PyObject *links_of(PyObject *object, PyObject *args) {
    Buckets *self = (Buckets *)object;
    Py_buffer bucket, component, place, size, bitmaps, offsets;
    int is_thorough;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*p", &bucket, &component, &place, &size, &bitmaps, &offsets, &is_thorough))
        return NULL;
    const int64_t *buckets = bucket.buf, *components = component.buf, *places = place.buf, *sizes = size.buf;
    size_t rows = (size_t)bucket.len / sizeof(int64_t);
    Column pairs = {0}, buffer = {0};
    int ok = 1;
    for (size_t row = 0; ok && row < rows; row++) {
        size_t words;
        const uint64_t *bitmap = aligned_bitmap(&buffer, bitmaps.buf, offsets.buf, row, &words);
        begin(self, buckets[row]);
        Member member = {places[row], places[row], sizes[row], 0, words};
        ok = bitmap != NULL && add_link(self, member, bitmap, components[row], is_thorough, &pairs);
    }
    PyObject *result = ok ? as_bytes(&pairs) : PyErr_NoMemory();
    free(buffer.values);
    free(pairs.values);
    Py_buffer *buffers[] = {&bucket, &component, &place, &size, &bitmaps, &offsets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) PyBuffer_Release(buffers[i]);
    return result;
}

static PyObject *new_buckets(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"threshold", "memory_bytes", NULL};
    double threshold;
    Py_ssize_t memory_bytes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "dn", names, &threshold, &memory_bytes)) return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Buckets *self = (Buckets *)alloc(type, 0);
    if (self == NULL) return NULL;
    self->threshold = threshold;
    self->memory_bytes = (size_t)memory_bytes;
    return (PyObject *)self;
}

static void drop_buckets(PyObject *object) {
    Buckets *self = (Buckets *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (int late = 0; late < 2; late++) {
        clear(&self->leaders[late]);
        clear(&self->blocked[late]);
    }
    freefunc release_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release_object(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {{"pairs", pairs_of, METH_VARARGS, "Choose pairs to compare; see _kernel.pyi."},
                                {"links", links_of, METH_VARARGS, "Choose pairs that may link components; see _kernel.pyi."},
                                {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_new, new_buckets},
                              {Py_tp_dealloc, drop_buckets},
                              {Py_tp_methods, methods},
                              {Py_tp_doc, "Chooses the pairs of each bucket that need an exact comparison."},
                              {0, NULL}};
PyType_Spec buckets_spec = {"corpusmill.pipelines.stages.dedup._kernel.Buckets", sizeof(Buckets), 0, Py_TPFLAGS_DEFAULT, slots};
