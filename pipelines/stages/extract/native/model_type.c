/* The Python type `Model`: the trained model, with every number validated. */
#include "types.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SPARE_BYTES = 4 << 20 };

static int fill_lexicon(Lexicon *lexicon, const char *bytes, Py_ssize_t size) {
    size_t count = (size_t)size / 6, slots = 16;      /* u32 key, i16 score, little-endian */
    while (slots < 2 * count + 1) slots *= 2;
    lexicon->at = calloc(slots, sizeof(Entry));
    if (lexicon->at == NULL) return 0;
    lexicon->mask = (uint32_t)slots - 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t key;
        int16_t score;
        memcpy(&key, bytes + 6 * i, 4);
        memcpy(&score, bytes + 6 * i + 4, 2);
        if (key == 0) key = 1;
        uint32_t slot = key & lexicon->mask;
        while (lexicon->at[slot].key != 0) slot = (slot + 1) & lexicon->mask;
        lexicon->at[slot] = (Entry){key, score};
    }
    return 1;
}

static void *copied(PyObject *bytes, Py_ssize_t *size) {
    char *at;
    if (PyBytes_AsStringAndSize(bytes, &at, size) < 0) return NULL;
    void *copy = malloc((size_t)*size + 1);
    if (copy == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memcpy(copy, at, (size_t)*size);
    return copy;
}

/* (depth, bias, features, borders, leaves); every number is validated, so a damaged file is an error. */
static int fill_stage(Model *model, PyObject *given) {
    PyObject *parts[3];
    Py_ssize_t sizes[3];
    int index = model->stages;
    Stage *stage = &model->stage[index];
    if (!PyArg_ParseTuple(given, "iiSSS", &stage->depth, &stage->bias, &parts[0], &parts[1], &parts[2])) return 0;
    model->stages++;
    for (int i = 0; i < 3; i++)
        if ((model->owned[index][i] = copied(parts[i], &sizes[i])) == NULL) return 0;
    if (stage->depth < 1 || stage->depth > MAX_TREE_DEPTH || sizes[0] > 4 * MAX_TREES * stage->depth
        || stage->bias < -MAX_LEAF || stage->bias > MAX_LEAF)
        goto wrong;
    stage->trees = (int32_t)(sizes[0] / 4 / stage->depth);
    if (sizes[0] != (Py_ssize_t)stage->trees * stage->depth * 4 || sizes[1] != sizes[0]
        || sizes[2] != ((Py_ssize_t)stage->trees << stage->depth) * 4)
        goto wrong;
    stage->features = model->owned[index][0];
    stage->borders = model->owned[index][1];
    stage->leaves = model->owned[index][2];
    for (int32_t i = 0; i < stage->trees * stage->depth; i++)
        if (stage->features[i] < 0 || stage->features[i] >= (index ? FEATURE_COUNT : FIRST_COUNT)) goto wrong;
    for (int32_t i = 0; i < stage->trees << stage->depth; i++)
        if (stage->leaves[i] < -MAX_LEAF || stage->leaves[i] > MAX_LEAF) goto wrong;
    return 1;
wrong:
    PyErr_SetString(PyExc_ValueError, "a stage of the model has parts of the wrong size, or numbers out of range");
    return 0;
}

static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"names", "words", "stages", "chances", NULL};
    const char *name_bytes, *word_bytes, *chance_bytes;
    Py_ssize_t name_size, word_size, chance_size;
    PyObject *stages;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y#y#O!y#", names, &name_bytes, &name_size, &word_bytes, &word_size,
                                     &PyTuple_Type, &stages, &chance_bytes, &chance_size))
        return NULL;
    if (PyTuple_Size(stages) > MAX_STAGES || chance_size != 2 * CHANCES) {
        PyErr_SetString(PyExc_ValueError, "a model has at most two stages and a table of 4,096 chances");
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Model *self = (Model *)alloc(type, 0);
    if (self == NULL) return NULL;
    memcpy(self->chances, chance_bytes, sizeof self->chances);
    if (!fill_lexicon(&self->names, name_bytes, name_size) || !fill_lexicon(&self->words, word_bytes, word_size)) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < PyTuple_Size(stages); i++)
        if (!fill_stage(self, PyTuple_GetItem(stages, i))) {
            Py_DECREF(self);
            return NULL;
        }
    return (PyObject *)self;
}

float *take_columns(Model *model, size_t *bytes) {
    if (model->spare == NULL || *bytes > model->spare_bytes) return malloc(*bytes);
    float *columns = model->spare;
    *bytes = model->spare_bytes;
    model->spare = NULL;
    return columns;
}

void give_back_columns(Model *model, float *columns, size_t bytes) {
    if (columns == NULL || bytes > MAX_SPARE_BYTES || (model->spare != NULL && model->spare_bytes >= bytes)) {
        free(columns);
        return;
    }
    free(model->spare);
    model->spare = columns;
    model->spare_bytes = bytes;
}

static void model_dealloc(PyObject *object) {
    Model *self = (Model *)object;
    free(self->spare);
    free(self->names.at);
    free(self->words.at);
    for (int i = 0; i < MAX_STAGES; i++)
        for (int k = 0; k < 3; k++) free(self->owned[i][k]);
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyType_Slot model_slots[] = {
    {Py_tp_new, model_new}, {Py_tp_dealloc, model_dealloc},
    {Py_tp_doc, "Model(names, words, stages, chances): what the reader has learned."}, {0, NULL}};
PyType_Spec model_spec = {"corpusmill.pipelines.stages.extract._reader.Model", sizeof(Model), 0, Py_TPFLAGS_DEFAULT, model_slots};
