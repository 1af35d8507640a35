#ifndef SCAN_LINKS_H
#define SCAN_LINKS_H

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "tokens.h"

PyObject *str_of(Slice slice);

/* Return the value of an attribute with its character references replaced. */
PyObject *str_of_value(Buffer *scratch, Slice value);

/* Return whether *token* is a tag of a template, and count those that are open. */
int passes_template(const Token *token, int64_t *templates);

/* See `scan` in `_scan.pyi`. *agent* is the name of our directives, besides "robots", in lower case. */
PyObject *scan_page(Slice markup, const char *agent, size_t max_characters);

/* See `declarations` in `_scan.pyi`. */
PyObject *declarations_of(Slice markup);

#endif
