/* The Python module `_reader`: pages to readings, and words for training. */
#include "types.h"

#include <stdlib.h>
#include <string.h>

static PyObject *model_type, *reading_type, *too_complex;

static int judge(Reading *self, Model *model) {
    int32_t count = self->page.blocks.count;
    size_t room = (size_t)count + 1;
    self->column_bytes = room * FEATURE_COUNT * sizeof(float);
    self->columns = take_columns(model, &self->column_bytes);
    self->scores = calloc(room, sizeof(int32_t));
    self->chances = calloc(room, sizeof(uint16_t));
    self->kept = calloc(room, 1);
    if (!self->columns || !self->scores || !self->chances || !self->kept) return 0;
    if (!measure(&self->page, self->columns)) return 0;
    memset(self->columns + (size_t)FIRST_COUNT * (size_t)count, 0, (FEATURE_COUNT - FIRST_COUNT) * (size_t)count * sizeof(float));
    for (int k = 0; k < model->stages; k++) {
        if (k && !measure_scores(&self->page, self->scores, self->chances, self->columns)) return 0;
        score_blocks(&model->stage[k], self->columns, count, self->scores);
        chances_of(model->chances, self->scores, count, self->chances);
    }
    if (!join_chances(&self->page, self->chances)) return 0;
    show_hidden_pages(&self->page, self->chances);
    return 1;
}

static PyObject *read_page(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"markup", "model", NULL};
    PyObject *markup, *model;
    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "SO", names, &markup, &model)) return NULL;
    if (!PyObject_TypeCheck(model, (PyTypeObject *)model_type)) {
        PyErr_SetString(PyExc_TypeError, "model is no Model");
        return NULL;
    }
    if (PyBytes_Size(markup) > INT32_MAX / 2) {
        PyErr_SetString(PyExc_ValueError, "a page of more than 1 GiB");
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot((PyTypeObject *)reading_type, Py_tp_alloc);
    Reading *self = (Reading *)alloc((PyTypeObject *)reading_type, 0);
    if (self == NULL) return NULL;
    self->markup = Py_NewRef(markup);
    self->model = Py_NewRef(model);
    self->page.markup = PyBytes_AsString(markup);
    self->page.bytes = (uint32_t)PyBytes_Size(markup);
    self->page.name_lexicon = &((Model *)model)->names;
    self->page.word_lexicon = &((Model *)model)->words;
    int status = page_read(&self->page);
    if (status == READ_OK && !judge(self, (Model *)model)) status = READ_NO_MEMORY;
    if (status == READ_OK) return (PyObject *)self;
    Py_DECREF(self);
    if (status == READ_NO_MEMORY) return PyErr_NoMemory();
    PyErr_Format(too_complex, "more than %d blocks of text, or %d elements around them", MAX_BLOCKS, MAX_ELEMENTS);
    return NULL;
}

/* ---- a quick look ----------------------------------------------------------------------------------------------------- */

static int is_math(const char *p) { return (p[0] == 'm') & (p[1] == 'a') & (p[2] == 't') & (p[3] == 'h'); }
static int is_latex(const char *p) { return (p[0] == 'l') & (p[1] == 'a') & (p[2] == 't') & (p[3] == 'e') & (p[4] == 'x'); }

/* Whether "math" or "latex" occurs in a page. It compares 64 positions at once without branches, which compilers
vectorize
 * by 16 or 32. This takes a fifth of the time of two searches, which would be a tenth of the time for a page. */
static PyObject *speaks_of_formulas(PyObject *module, PyObject *args) {
    enum { STEP = 64, LONGEST = 5 };
    const char *at;
    Py_ssize_t bytes, i = 0;
    int found = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "y#", &at, &bytes)) return NULL;
    for (; !found && i + STEP + LONGEST <= bytes; i += STEP)
        for (int k = 0; k < STEP; k++) found |= is_math(at + i + k) | is_latex(at + i + k);
    for (; !found && i + 4 <= bytes; i++) found = is_math(at + i) || (i + LONGEST <= bytes && is_latex(at + i));
    return PyBool_FromLong(found);
}

/* ---- the words of names and texts, for training ----------------------------------------------------------------------- */

static void append_token(void *context, uint32_t hash, const char *at, size_t bytes) {
    PyObject **list = context;
    if (*list == NULL) return;
    PyObject *row = Py_BuildValue("(kN)", (unsigned long)(hash ? hash : 1), str_of(at, bytes));
    if (row == NULL || PyList_Append(*list, row) < 0) Py_CLEAR(*list);
    Py_XDECREF(row);
}

static void append_name(void *context, uint32_t hash, const char *at, size_t bytes) {
    append_token(context, hash, at, bytes);
    uint32_t prefix = prefix_hash(at, bytes);
    if (prefix) append_token(context, prefix, at, PREFIX_LETTERS);
}

static PyObject *tokens(PyObject *args, void (*cut)(const char *, size_t, TakeToken, void *), TakeToken take) {
    const char *at;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "s#", &at, &bytes)) return NULL;
    PyObject *list = PyList_New(0);
    cut(at, (size_t)bytes, take, &list);
    return list;
}

static PyObject *name_words(PyObject *module, PyObject *args) {
    (void)module;
    return tokens(args, name_tokens, append_name);
}

static PyObject *text_words(PyObject *module, PyObject *args) {
    (void)module;
    return tokens(args, word_tokens, append_token);
}

static PyMethodDef functions[] = {
    {"read", (PyCFunction)(void (*)(void))read_page, METH_VARARGS | METH_KEYWORDS, "Read a page: markup in UTF-8 to a Reading."},
    {"speaks_of_formulas", speaks_of_formulas, METH_VARARGS, "Tell whether \"math\" or \"latex\" stands in a page."},
    {"name_words", name_words, METH_VARARGS, "Words of a class or id, as (hash, word)."},
    {"text_words", text_words, METH_VARARGS, "Words of a text, as (hash, word)."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_reader", "Markup to judged blocks.", -1, functions,
                                        NULL, NULL, NULL, NULL};

/* The names of character references come from `html.entities`; they live as long as the process. */
static int load_references(void) {
    PyObject *module = PyImport_ImportModule("html.entities");
    PyObject *table = module ? PyObject_GetAttrString(module, "html5") : NULL;
    Py_XDECREF(module);
    if (table == NULL) return 0;
    Py_ssize_t count = PyDict_Size(table), place = 0;
    int at = 0;
    const char **names = malloc((size_t)count * sizeof *names);
    uint32_t(*points)[2] = malloc((size_t)count * sizeof *points);
    PyObject *name, *value;
    while (names && points && PyDict_Next(table, &place, &name, &value)) {
        names[at] = PyUnicode_AsUTF8AndSize(name, NULL);
        points[at][0] = PyUnicode_ReadChar(value, 0);
        points[at][1] = PyUnicode_GetLength(value) > 1 ? PyUnicode_ReadChar(value, 1) : 0;
        at++;
    }
    int ok = names && points && references_init(at, names, (const uint32_t(*)[2])points);
    free(names);
    free(points);
    return ok;       /* *table* keeps a reference: the names are its keys' */
}

static PyObject *names_tuple(const char *const *names, int count) {
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple != NULL && i < count; i++) PyTuple_SetItem(tuple, i, PyUnicode_FromString(names[i]));
    return tuple;
}

PyMODINIT_FUNC PyInit__reader(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || !load_references()) return NULL;
    reader_init();
    model_type = PyType_FromSpec(&model_spec);
    reading_type = PyType_FromSpec(&reading_spec);
    too_complex = PyErr_NewException("corpusmill.pipelines.stages.extract._reader.TooComplex", PyExc_ValueError, NULL);
    PyObject *features = names_tuple(feature_names, FEATURE_COUNT), *groups = names_tuple(feature_groups, FEATURE_COUNT);
    int failed = PyModule_AddObjectRef(module, "Model", model_type) < 0
                 || PyModule_AddObjectRef(module, "Reading", reading_type) < 0
                 || PyModule_AddObjectRef(module, "TooComplex", too_complex) < 0
                 || PyModule_AddObjectRef(module, "FEATURES", features) < 0
                 || PyModule_AddObjectRef(module, "GROUPS", groups) < 0
                 || PyModule_AddIntConstant(module, "FIRST_COUNT", FIRST_COUNT) < 0
                 || PyModule_AddIntConstant(module, "VERSION", READER_VERSION) < 0;
    Py_XDECREF(features);
    Py_XDECREF(groups);
    if (failed) Py_CLEAR(module);
    return module;
}
