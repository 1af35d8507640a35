/* The Python module `_kernel`: the loops of near-duplicate removal. Types and meaning of its functions are in
 * `_kernel.pyi`. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "buckets.h"
#include "sets.h"

#include <stdlib.h>
#include <string.h>

/* A column of texts, as Arrow stores it, and the tables of characters. */
typedef struct {
    Py_buffer data, offsets, lower, classes;
    size_t rows;
    Characters characters;
    const int32_t *starts;
} Texts;

#define TEXTS "y*y*y*y*"
#define TEXTS_AT(texts) &(texts).data, &(texts).offsets, &(texts).lower, &(texts).classes

static void open_texts(Texts *texts) {
    texts->rows = (size_t)texts->offsets.len / sizeof(int32_t);
    texts->rows -= texts->rows > 0;
    texts->starts = texts->offsets.buf;
    texts->characters = (Characters){texts->lower.buf, texts->classes.buf, (uint32_t)texts->classes.len};
}

static void close_texts(Texts *texts) {
    Py_buffer *buffers[] = {&texts->data, &texts->offsets, &texts->lower, &texts->classes};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) PyBuffer_Release(buffers[i]);
}

static const uint8_t *text_at(const Texts *texts, size_t row, size_t *bytes) {
    *bytes = (size_t)(texts->starts[row + 1] - texts->starts[row]);
    return (const uint8_t *)texts->data.buf + texts->starts[row];
}

/* Values of all rows, and the number of values of each row. */
typedef struct {
    uint64_t *values;
    size_t count, room;
    int64_t *counts;
} Ragged;

static int add_row(Ragged *ragged, size_t row, const uint64_t *values, size_t count) {
    if (ragged->count + count > ragged->room) {
        size_t wanted = (ragged->count + count) + (ragged->count + count) / 2;
        uint64_t *more = realloc(ragged->values, wanted * sizeof *more);
        if (more == NULL) return 0;
        ragged->values = more;
        ragged->room = wanted;
    }
    if (count) memcpy(ragged->values + ragged->count, values, count * sizeof *values);
    ragged->count += count;
    ragged->counts[row] = (int64_t)count;
    return 1;
}

static PyObject *ragged_as_bytes(int ok, Ragged *ragged, size_t rows) {
    PyObject *result = NULL;
    if (!ok) PyErr_NoMemory();
    else
        result = Py_BuildValue("(y#y#)", (const char *)ragged->values, (Py_ssize_t)(ragged->count * sizeof(uint64_t)),
                               (const char *)ragged->counts, (Py_ssize_t)(rows * sizeof(int64_t)));
    free(ragged->values);
    free(ragged->counts);
    return result;
}

static int start_ragged(Ragged *ragged, size_t rows) {
    memset(ragged, 0, sizeof *ragged);
    ragged->counts = calloc(rows + 1, sizeof *ragged->counts);
    ragged->values = malloc(sizeof *ragged->values);
    ragged->room = 1;
    return ragged->counts != NULL && ragged->values != NULL;
}

/* ---- functions ------------------------------------------------------------------------------------------------------ */

static PyObject *special_rows(PyObject *module, PyObject *args) {
    Texts texts;
    (void)module;
    if (!PyArg_ParseTuple(args, TEXTS, TEXTS_AT(texts))) return NULL;
    open_texts(&texts);
    PyObject *rows = PyList_New(0);
    for (size_t row = 0; rows != NULL && row < texts.rows; row++) {
        size_t bytes;
        const uint8_t *text = text_at(&texts, row, &bytes);
        if (!is_special(text, bytes, &texts.characters)) continue;
        PyObject *number = PyLong_FromSize_t(row);
        if (number == NULL || PyList_Append(rows, number) < 0) Py_CLEAR(rows);
        Py_XDECREF(number);
    }
    close_texts(&texts);
    return rows;
}

enum { WORDS = 0, SHINGLES = 1, SETS = 2 };

static PyObject *hashes(PyObject *module, PyObject *args) {
    Texts texts;
    Py_ssize_t ngram;
    int form;
    (void)module;
    if (!PyArg_ParseTuple(args, TEXTS "ni", TEXTS_AT(texts), &ngram, &form)) return NULL;
    open_texts(&texts);
    Scratch scratch = {0};
    Ragged ragged;
    int ok = start_ragged(&ragged, texts.rows);
    for (size_t row = 0; ok && row < texts.rows; row++) {
        size_t bytes;
        const uint8_t *text = text_at(&texts, row, &bytes);
        ok = hash_words(&scratch, text, bytes, &texts.characters) && (form == WORDS || make_shingles(&scratch, (size_t)ngram))
             && (form != SETS || make_set(&scratch)) && add_row(&ragged, row, scratch.values, scratch.count);
    }
    release(&scratch);
    PyObject *result = ragged_as_bytes(ok, &ragged, texts.rows);
    close_texts(&texts);
    return result;
}

/* Write the set of a text as its number of shingles and 128 bits of hash. */
static void describe_set(const Scratch *scratch, int64_t *to) {
    uint64_t sum = 0, mixed = 0;
    for (size_t i = 0; i < scratch->count; i++) {
        sum += scratch->values[i];
        mixed += splitmix64(scratch->values[i]);
    }
    to[0] = (int64_t)scratch->count;
    to[1] = (int64_t)splitmix64(sum);
    to[2] = (int64_t)splitmix64(mixed);
}

static int add_bitmap(Ragged *bitmaps, size_t row, const Scratch *scratch) {
    uint64_t bitmap[MAX_BITS / 64];
    size_t words = bitmap_words(scratch->count);
    fill_bitmap(scratch->values, scratch->count, bitmap, words);
    return add_row(bitmaps, row, bitmap, words);
}

static PyObject *sign(PyObject *module, PyObject *args) {
    Texts texts;
    Py_buffer permutations, minima, keys, sets;
    Py_ssize_t ngram, bands, rows;
    (void)module;
    if (!PyArg_ParseTuple(args, TEXTS "ny*nnw*w*w*", TEXTS_AT(texts), &ngram, &permutations, &bands, &rows, &minima, &keys, &sets))
        return NULL;
    open_texts(&texts);
    size_t count = (size_t)(bands * rows);
    size_t stride = (size_t)minima.len / sizeof(uint32_t) < texts.rows * count ? 0 : count; /* one row: not wanted */
    const uint32_t *a = permutations.buf, *b = a + count;
    Scratch scratch = {0};
    Ragged bitmaps;
    int ok = start_ragged(&bitmaps, texts.rows);
    for (size_t row = 0; ok && row < texts.rows; row++) {
        size_t bytes;
        const uint8_t *text = text_at(&texts, row, &bytes);
        uint32_t *least = (uint32_t *)minima.buf + row * stride;
        ok = hash_words(&scratch, text, bytes, &texts.characters) && make_shingles(&scratch, (size_t)ngram);
        if (!ok) break;
        take_minima(scratch.values, scratch.count, a, b, count, least);
        hash_bands(least, (size_t)bands, (size_t)rows, (int64_t *)keys.buf + row * (size_t)bands);
        ok = make_set(&scratch);
        if (!ok) break;
        describe_set(&scratch, (int64_t *)sets.buf + row * 3);
        ok = add_bitmap(&bitmaps, row, &scratch);
        shrink(&scratch);
    }
    release(&scratch);
    PyObject *result = ragged_as_bytes(ok, &bitmaps, texts.rows);
    close_texts(&texts);
    Py_buffer *buffers[] = {&permutations, &minima, &keys, &sets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) PyBuffer_Release(buffers[i]);
    return result;
}

static PyObject *similarities(PyObject *module, PyObject *args) {
    Py_buffer one, values, counts;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*y*y*", &one, &values, &counts)) return NULL;
    size_t rows = (size_t)counts.len / sizeof(int64_t), size = (size_t)one.len / sizeof(uint64_t);
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(rows * sizeof(double)));
    if (result != NULL) {
        double *to = (double *)PyBytes_AsString(result);
        const uint64_t *set = values.buf;
        for (size_t row = 0; row < rows; row++) {
            size_t count = (size_t)((const int64_t *)counts.buf)[row];
            size_t shared = shared_values(one.buf, size, set, count);
            to[row] = (double)shared / (double)(size + count - shared);
            set += count;
        }
    }
    PyBuffer_Release(&one);
    PyBuffer_Release(&values);
    PyBuffer_Release(&counts);
    return result;
}

/* ---- decisions ------------------------------------------------------------------------------------------------------ */

enum { FATE_OPEN = 0, FATE_KEPT = 1, FATE_REMOVED = 2 };    /* of a vertex */
enum { ROW_VERTEX = 0, ROW_INCOMPLETE = 1, ROW_EDGE = 2 }; /* what a row says about a vertex */

/* Read the rows of one vertex from *row* on: return the row after them. */
static size_t decide_one(uint8_t *fates, size_t row, size_t rows, const int64_t *ranks, const int64_t *kinds,
                         const int64_t *others, const double *values, int64_t *kept, double *similarity) {
    int64_t rank = ranks[row];
    int must_wait = 0;
    *kept = -1;
    *similarity = 0;
    for (; row < rows && ranks[row] == rank; row++) {
        if (kinds[row] == ROW_VERTEX) {
            *kept = others[row];
            *similarity = values[row];
        } else if (kinds[row] == ROW_INCOMPLETE || fates[others[row]] == FATE_OPEN) {
            must_wait = 1;
        } else if (fates[others[row]] == FATE_KEPT && (*kept < 0 || (*kept != rank && values[row] > *similarity))) {
            *kept = others[row];
            *similarity = values[row];
        }
    }
    if (*kept < 0 && !must_wait) *kept = rank;
    fates[rank] = *kept < 0 ? FATE_OPEN : *kept == rank ? FATE_KEPT : FATE_REMOVED;
    return row;
}

static PyObject *decide(PyObject *module, PyObject *args) {
    Py_buffer fates, rank, kind, other, value, kept, similarity;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*y*y*y*y*w*w*", &fates, &rank, &kind, &other, &value, &kept, &similarity)) return NULL;
    size_t rows = (size_t)rank.len / sizeof(int64_t), vertex = 0;
    for (size_t row = 0; row < rows; vertex++)
        row = decide_one(fates.buf, row, rows, rank.buf, kind.buf, other.buf, value.buf, (int64_t *)kept.buf + vertex,
                         (double *)similarity.buf + vertex);
    Py_buffer *buffers[] = {&fates, &rank, &kind, &other, &value, &kept, &similarity};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) PyBuffer_Release(buffers[i]);
    return PyLong_FromSize_t(vertex);
}

static PyMethodDef functions[] = {
    {"special_rows", special_rows, METH_VARARGS, NULL},
    {"hashes", hashes, METH_VARARGS, NULL},
    {"sign", sign, METH_VARARGS, NULL},
    {"similarities", similarities, METH_VARARGS, NULL},
    {"decide", decide, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernel", "The loops of near-duplicate removal.", -1, functions,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) {
    PyObject *module = PyModule_Create(&definition);
    PyObject *buckets = module ? PyType_FromSpec(&buckets_spec) : NULL;
    if (buckets == NULL || PyModule_AddObjectRef(module, "Buckets", buckets) < 0
        || PyModule_AddIntConstant(module, "WORDS", WORDS) < 0 || PyModule_AddIntConstant(module, "SHINGLES", SHINGLES) < 0
        || PyModule_AddIntConstant(module, "SETS", SETS) < 0)
        Py_CLEAR(module);
    Py_XDECREF(buckets);
    return module;
}
