/* The Python module `_scan`: pages to links, and texts to sketches. Types and meaning of its functions are in
 * `_scan.pyi`. */
#include "entities.h"
#include "links.h"
#include "sketch.h"

#include <stdlib.h>

/* Return the characters of *text*, which *owner* keeps alive. A lone surrogate becomes a question mark. */
static int utf8_of(PyObject *text, Slice *slice, PyObject **owner) {
    Py_ssize_t bytes;
    const char *at = PyUnicode_AsUTF8AndSize(text, &bytes);
    *owner = NULL;
    if (at == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return 0;
        PyErr_Clear();
        *owner = PyUnicode_AsEncodedString(text, "utf-8", "replace");
        if (*owner == NULL) return 0;
        at = PyBytes_AsString(*owner);
        bytes = PyBytes_Size(*owner);
    }
    *slice = (Slice){at, at + bytes};
    return 1;
}

static PyObject *scan(PyObject *module, PyObject *args) {
    PyObject *text, *owner;
    const char *agent;
    Py_ssize_t max_characters;
    Slice markup;
    (void)module;
    if (!PyArg_ParseTuple(args, "Usn", &text, &agent, &max_characters) || !utf8_of(text, &markup, &owner)) return NULL;
    PyObject *result = scan_page(markup, agent, (size_t)max_characters);
    Py_XDECREF(owner);
    return result;
}

static PyObject *declarations(PyObject *module, PyObject *args) {
    PyObject *text, *owner;
    Slice markup;
    (void)module;
    if (!PyArg_ParseTuple(args, "U", &text) || !utf8_of(text, &markup, &owner)) return NULL;
    PyObject *result = declarations_of(markup);
    Py_XDECREF(owner);
    return result;
}

static PyObject *sketch(PyObject *module, PyObject *args) {
    PyObject *text, *own, *owners[2] = {NULL, NULL}, *result = NULL;
    Py_ssize_t max_words;
    Slice slices[2];
    (void)module;
    if (!PyArg_ParseTuple(args, "UUn", &text, &own, &max_words)) return NULL;
    if (utf8_of(text, &slices[0], &owners[0]) && utf8_of(own, &slices[1], &owners[1])) {
        uint32_t *values = NULL;
        ptrdiff_t count = sketch_of(slices[0], slices[1], (size_t)max_words, &values);
        if (count < 0) PyErr_NoMemory();
        else result = PyBytes_FromStringAndSize((const char *)values, (Py_ssize_t)sizeof *values * count);
        free(values);
    }
    Py_XDECREF(owners[0]);
    Py_XDECREF(owners[1]);
    return result;
}

static PyObject *same(PyObject *module, PyObject *args) {
    PyObject *others;
    const char *at;
    Py_ssize_t bytes, compared;
    double share;
    (void)module;
    if (!PyArg_ParseTuple(args, "y#O!nd", &at, &bytes, &PyList_Type, &others, &compared, &share)) return NULL;
    for (Py_ssize_t row = 0; row < PyList_Size(others); row++) {
        char *other;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyList_GetItem(others, row), &other, &size) < 0) return NULL;
        if (is_alike((Slice){at, at + bytes}, (Slice){other, other + size}, (size_t)compared, share)) Py_RETURN_TRUE;
    }
    Py_RETURN_FALSE;
}

static PyMethodDef functions[] = {
    {"scan", scan, METH_VARARGS, NULL},
    {"declarations", declarations, METH_VARARGS, NULL},
    {"sketch", sketch, METH_VARARGS, NULL},
    {"same", same, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_scan", "The crawler's scan of a page.", -1, functions,
                                        NULL, NULL, NULL, NULL};

/* The names of character references are the keys of `html.entities.html5`, to which a reference is kept. */
static int load_entities(void) {
    PyObject *module = PyImport_ImportModule("html.entities");
    PyObject *table = module ? PyObject_GetAttrString(module, "html5") : NULL, *name, *value;
    Py_XDECREF(module);
    if (table == NULL) return 0;
    for (Py_ssize_t place = 0; PyDict_Next(table, &place, &name, &value);) {
        Py_ssize_t bytes, value_bytes;
        const char *at = PyUnicode_AsUTF8AndSize(name, &bytes), *text = PyUnicode_AsUTF8AndSize(value, &value_bytes);
        if (at == NULL || text == NULL) return 0;
        if (!add_entity(at, (size_t)bytes, text, (size_t)value_bytes)) {
            PyErr_SetString(PyExc_ImportError, "html.entities.html5 has more or longer names than expected");
            return 0;
        }
    }
    return 1;
}

PyMODINIT_FUNC PyInit__scan(void) {
    sketch_init();
    return load_entities() ? PyModule_Create(&definition) : NULL;
}
