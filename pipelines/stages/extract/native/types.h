/* The two types of the Python module. */
#ifndef CORPUSMILL_TYPES_H
#define CORPUSMILL_TYPES_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "features.h"
#include "model.h"

enum { MAX_STAGES = 2 };

typedef struct {
    PyObject_HEAD
    Lexicon names, words;
    int stages;
    Stage stage[MAX_STAGES];
    void *owned[MAX_STAGES][3];
    uint16_t chances[CHANCES];
    float *spare;                 /* unused columns */
    size_t spare_bytes;
} Model;

typedef struct {
    PyObject_HEAD
    PyObject *markup, *model;
    Page page;
    float *columns;
    size_t column_bytes;
    int32_t *scores;
    uint16_t *chances;
    uint8_t *kept;
} Reading;

extern PyType_Spec model_spec, reading_spec;

/* A model keeps the columns of its last page for the next one, because allocating memory of this size takes longer than
 * filling it. `take_columns` returns at least *bytes* and their number; NULL if memory runs out. */
float *take_columns(Model *model, size_t *bytes);
void give_back_columns(Model *model, float *columns, size_t bytes);

static inline PyObject *str_of(const char *at, size_t bytes) {
    return PyUnicode_DecodeUTF8(at, (Py_ssize_t)bytes, "replace");
}
#endif
