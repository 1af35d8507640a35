/* What the `meta` and `link` tags of a page declare. */
#include "links.h"

/* Return the name of an attribute in lower case, as far as its letters are ASCII. */
static PyObject *lowered(Buffer *scratch, Slice name) {
    scratch->size = 0;
    append(scratch, name.start, name.end);
    if (scratch->failed) return PyErr_NoMemory();
    for (char *at = scratch->data; at < scratch->data + scratch->size; at++)
        if ((uint8_t)(*at - 'A') < 26) *at |= 0x20;
    return str_of((Slice){scratch->data, scratch->data + scratch->size});
}

static int add_attribute(PyObject *attributes, Buffer *scratch, const Attribute *attribute) {
    PyObject *name = lowered(scratch, attribute->name);
    int ok = name != NULL, is_known = ok ? PyDict_Contains(attributes, name) : -1;
    if (is_known == 0) {
        PyObject *value = str_of_value(scratch, attribute->value);
        ok = value != NULL && !scratch->failed && PyDict_SetItem(attributes, name, value) == 0;
        if (scratch->failed && !PyErr_Occurred()) PyErr_NoMemory();
        Py_XDECREF(value);
    }
    Py_XDECREF(name);
    return ok && is_known >= 0;
}

static PyObject *declaration_of(const Token *tag, Buffer *scratch) {
    PyObject *attributes = PyDict_New();
    Attribute attribute;
    for (const char *at = tag->start; attributes != NULL && next_attribute(&at, tag->end, &attribute);)
        if (!add_attribute(attributes, scratch, &attribute)) Py_CLEAR(attributes);
    if (attributes == NULL) return NULL;
    const char *name = tag->element == META ? "meta" : "link";
    return Py_BuildValue("(sNN)", name, attributes, str_of((Slice){tag->start, tag->end}));
}

PyObject *declarations_of(Slice markup) {
    Tokens tokens = {.at = markup.start, .end = markup.end, .raw = OTHER};
    Buffer scratch = {0};
    int64_t templates = 0;
    PyObject *list = PyList_New(0);
    for (Token token = next_token(&tokens); list != NULL && token.kind != END; token = next_token(&tokens)) {
        if (passes_template(&token, &templates) || templates || token.kind != TAG || token.is_end) continue;
        if (token.element != META && token.element != LINK) continue;
        PyObject *declaration = declaration_of(&token, &scratch);
        if (declaration == NULL || PyList_Append(list, declaration) < 0) Py_CLEAR(list);
        Py_XDECREF(declaration);
    }
    release_buffer(&scratch);
    return list;
}
