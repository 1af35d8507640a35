/* The Python type `Reading`: one parsed page with its blocks, records and columns. */
#include "types.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RECORD_BYTES = 2000, MAX_SCRIPT_BYTES = 500000 };

static void reading_dealloc(PyObject *object) {
    Reading *self = (Reading *)object;
    if (self->model != NULL) give_back_columns((Model *)self->model, self->columns, self->column_bytes);
    page_free(&self->page);
    free(self->scores);
    free(self->chances);
    free(self->kept);
    Py_XDECREF(self->markup);
    Py_XDECREF(self->model);
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* The most bytes up to *most* that do not split a character. */
static size_t whole(const char *at, size_t bytes, size_t most) {
    if (bytes <= most) return bytes;
    while (most && ((uint8_t)at[most] & 0xc0) == 0x80) most--;
    return most;
}

static int is_control(uint32_t c) { return (c < 0x20 && !is_space(c)) || (c >= 0x7f && c < 0xa0); }

/* Expands the character references in an attribute's value, and drops control characters. */
static PyObject *value_of(const Attribute *a, size_t most) {
    const char *at = a->value, *end = a->value + a->value_bytes;
    size_t room = a->value_bytes < most ? a->value_bytes : most, count = 0;
    char *out = malloc(room * 2 + 16);
    if (out == NULL) return PyErr_NoMemory();
    while (at < end && count + 8 < room * 2 + 16 && count < most) {
        uint32_t points[2] = {0, 0};
        size_t used = *at == '&' ? reference(at, end, points, 1) : 0;
        if (!used) used = (size_t)decode_point(at, end, points), points[0] = repaired(points[0]);
        if (!is_control(points[0])) count += (size_t)encode_point(points[0], out + count);
        if (points[1]) count += (size_t)encode_point(points[1], out + count);
        at += used;
    }
    PyObject *value = str_of(out, count);
    free(out);
    return value;
}

static PyObject *attributes_of(const Reading *self, uint32_t source, uint32_t bytes) {
    const char *at = self->page.markup + source + 1, *end = self->page.markup + source + bytes;
    if (end > at && end[-1] == '>') end--;
    while (at < end && (uint8_t)*at > ' ' && *at != '/') at++;
    PyObject *found = PyDict_New();
    Attribute a;
    int count = 0;
    while (found != NULL && count++ < 40 && (at = next_attribute(at, end, &a)) != NULL) {
        if (a.name_bytes == 0 || a.name_bytes > 100) continue;
        PyObject *raw = str_of(a.name, a.name_bytes);
        PyObject *name = raw ? PyObject_CallMethod(raw, "lower", NULL) : NULL;
        Py_XDECREF(raw);
        PyObject *value = name ? value_of(&a, MAX_RECORD_BYTES) : NULL;
        int failed = value == NULL || (!PyDict_Contains(found, name) && PyDict_SetItem(found, name, value) < 0);
        Py_XDECREF(name);
        Py_XDECREF(value);
        if (failed) {
            Py_DECREF(found);
            return NULL;
        }
    }
    return found;
}

static PyObject *record_text(const Reading *self, const Record *record) {
    if (record->tag == T_title) return str_of(self->page.title.at, (size_t)self->page.title.count);
    if (record->tag == T_html || record->text_end <= record->text) return str_of("", 0);
    const char *base = record->is_raw ? self->page.markup : self->page.text.at;
    size_t bytes = record->text_end - record->text, most = record->tag == T_script ? MAX_SCRIPT_BYTES : MAX_RECORD_BYTES;
    if (record->tag == T_script && bytes > most) return str_of("", 0);
    return str_of(base + record->text, whole(base + record->text, bytes, most));
}

static PyObject *reading_records(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(0);
    for (int32_t i = 0; found != NULL && i < self->page.records.count; i++) {
        const Record *record = &self->page.records.at[i];
        PyObject *attributes = attributes_of(self, record->source, record->source_bytes);
        PyObject *text = attributes ? record_text(self, record) : NULL;
        PyObject *row = text ? Py_BuildValue("(sNN)", tag_names[record->tag], attributes, text) : NULL;
        if (row == NULL || PyList_Append(found, row) < 0) Py_CLEAR(found);
        Py_XDECREF(row);
    }
    return found;
}

/* Counts the characters of UTF-8. */
static Py_ssize_t characters(const char *at, uint32_t bytes) {
    Py_ssize_t count = 0;
    for (uint32_t i = 0; i < bytes; i++) count += ((uint8_t)at[i] & 0xc0) != 0x80;
    return count;
}

/* A text with its characters counted before every `STRIDE` bytes: the spans of a block are located in one pass. */
enum { STRIDE = 256 };
typedef struct { const char *text; uint32_t bytes; int32_t *before; } Counted;

static int count_characters(Counted *counted, const char *text, uint32_t bytes) {
    *counted = (Counted){text, bytes, malloc((bytes / STRIDE + 1) * sizeof *counted->before)};
    if (counted->before == NULL) return 0;
    counted->before[0] = 0;
    for (uint32_t i = 0; i < bytes / STRIDE; i++)
        counted->before[i + 1] = counted->before[i] + (int32_t)characters(text + i * STRIDE, STRIDE);
    return 1;
}

static Py_ssize_t characters_before(const Counted *counted, uint32_t place) {
    if (place > counted->bytes) place = counted->bytes;
    uint32_t stride = place / STRIDE;
    return counted->before[stride] + characters(counted->text + stride * STRIDE, place - stride * STRIDE);
}

static PyObject *spans_of(const Reading *self, const Block *b) {
    static const char *const kinds[] = {"link", "code", "strong", "emphasis", "image", "sub", "sup", "formula"};
    if (b->span_begin == b->span_end) return PyTuple_New(0);
    Counted text;
    if (!count_characters(&text, self->page.text.at + b->text, b->bytes)) return PyErr_NoMemory();
    PyObject *found = PyTuple_New(b->span_end - b->span_begin);
    for (int32_t i = b->span_begin; found != NULL && i < b->span_end; i++) {
        const Span *span = &self->page.spans.at[i];
        PyObject *target = NULL, *alt = NULL;
        if (span->kind == SPAN_LINK || span->kind == SPAN_IMAGE) {
            PyObject *attributes = attributes_of(self, span->source, span->source_bytes);
            if (attributes == NULL) {
                Py_CLEAR(found);
                break;
            }
            target = PyDict_GetItemString(attributes, span->kind == SPAN_LINK ? "href" : "src");
            alt = span->kind == SPAN_IMAGE ? PyDict_GetItemString(attributes, "alt") : NULL;
            Py_XINCREF(target);
            Py_XINCREF(alt);
            Py_DECREF(attributes);
        }
        if (target == NULL) target = str_of("", 0);
        if (alt == NULL) alt = str_of("", 0);
        PyObject *row = Py_BuildValue("(snnNN)", kinds[span->kind], characters_before(&text, span->begin),
                                      characters_before(&text, span->end), target, alt);
        if (row == NULL || PyTuple_SetItem(found, i - b->span_begin, row) < 0) Py_CLEAR(found);
    }
    free(text.before);
    return found;
}

/* "body > div#content.post > p": names of one element are cut after 60 bytes. */
static PyObject *path_of(const Reading *self, int32_t element) {
    char out[1000];
    size_t end = sizeof out, used = 0;
    for (int32_t at = element; at > 0; at = self->page.elements.at[at].parent) {
        const Element *e = &self->page.elements.at[at];
        char part[128];
        size_t count = strlen(tag_names[e->tag]);
        memcpy(part, tag_names[e->tag], count);
        uint32_t bytes = e->name_bytes > 60 ? 60 : e->name_bytes;
        while (bytes && ((uint8_t)self->page.names.at[e->name + bytes - 1] & 0x80)) bytes--;
        for (uint32_t i = 0; i < bytes; i++) {
            char c = self->page.names.at[e->name + i];
            int starts = (uint8_t)c > ' ' && (i == 0 || (uint8_t)self->page.names.at[e->name + i - 1] <= ' ');
            if (starts) part[count++] = '.';
            if ((uint8_t)c > ' ') part[count++] = c;
            if (count > 120) break;
        }
        if (count + (used ? 3 : 0) > end) break;
        if (used) memcpy(out + (end -= 3), " > ", 3), used += 3;
        memcpy(out + (end -= count), part, count);
        used += count;
    }
    return str_of(out + end, used);
}

static PyObject *marker_of(const Reading *self, const Block *b) {
    const Page *page = &self->page;
    if (b->kind == ITEM && b->row >= 0 && b->group >= 0 && page->elements.at[b->group].tag == T_ol)
        return PyUnicode_FromFormat("%d.", (int)page->elements.at[b->row].number);
    if (b->kind == ITEM) return str_of("-", 1);
    for (int32_t at = b->element, steps = 0; b->kind == PRE && at >= 0 && steps < 4; at = page->elements.at[at].parent, steps++)
        if (page->elements.at[at].language_bytes)
            return str_of(page->names.at + page->elements.at[at].language, page->elements.at[at].language_bytes);
    if (b->kind == CELL)
        for (int32_t at = b->element; at >= 0; at = page->elements.at[at].parent) {
            if (page->elements.at[at].tag == T_th) return str_of("th", 2);
            if (page->elements.at[at].tag == T_td || page->elements.at[at].tag == T_table) break;
        }
    return str_of("", 0);
}

/* Whether a block has <sub> or <sup>: its text can be misleading without the marks. */
static int is_raised(const Reading *self, const Block *b) {
    for (int32_t i = b->span_begin; i < b->span_end; i++)
        if (self->page.spans.at[i].kind == SPAN_SUB || self->page.spans.at[i].kind == SPAN_SUP) return 1;
    return 0;
}

static PyObject *block_of(const Reading *self, int32_t i, int with_spans, int with_path) {
    const Block *b = &self->page.blocks.at[i];
    double chance = (double)((int)(self->chances[i] * 1000.0 / 65535.0 + 0.5)) / 1000.0;
    PyObject *spans = with_spans || is_raised(self, b) ? spans_of(self, b) : PyTuple_New(0);
    if (spans == NULL) return NULL;
    return Py_BuildValue("(sNidNNiiiNNN)", kind_names[b->kind], str_of(self->page.text.at + b->text, b->bytes), (int)b->level,
                         chance, PyBool_FromLong(self->kept[i]), with_path ? path_of(self, b->element) : str_of("", 0),
                         (int)b->group, (int)b->row, (int)b->column, marker_of(self, b), spans,
                         PyBool_FromLong((b->flags & IN_COMMENTS) != 0));
}

static PyObject *reading_blocks(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"only_kept", "spans", "paths", NULL};
    Reading *self = (Reading *)object;
    int only_kept = 1, spans = 0, paths = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ppp", names, &only_kept, &spans, &paths)) return NULL;
    PyObject *found = PyList_New(0);
    for (int32_t i = 0; found != NULL && i < self->page.blocks.count; i++) {
        if ((only_kept && !self->kept[i]) || is_unseen(&self->page.blocks.at[i])) continue;
        PyObject *block = block_of(self, i, spans, paths);
        if (block == NULL || PyList_Append(found, block) < 0) Py_CLEAR(found);
        Py_XDECREF(block);
    }
    return found;
}

static PyObject *reading_choose(PyObject *object, PyObject *args) {
    Reading *self = (Reading *)object;
    double beta;
    if (!PyArg_ParseTuple(args, "d", &beta)) return NULL;
    if (!choose_blocks(&self->page, self->chances, beta, self->kept)) return PyErr_NoMemory();
    if (beta >= 1) keep_announced(&self->page, self->kept);
    Py_RETURN_NONE;
}

static PyObject *reading_elements(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(self->page.elements.count);
    for (int32_t i = 0; found != NULL && i < self->page.elements.count; i++) {
        const Element *e = &self->page.elements.at[i];
        PyObject *row = Py_BuildValue("(isN)", (int)e->parent, tag_names[e->tag],
                                      str_of(self->page.names.at + e->name, e->name_bytes));
        if (row == NULL || PyList_SetItem(found, i, row) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *reading_lines(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(self->page.blocks.count);
    for (int32_t i = 0; found != NULL && i < self->page.blocks.count; i++) {
        const Block *b = &self->page.blocks.at[i];
        PyObject *text = str_of(self->page.text.at + b->text, is_unseen(b) ? 0 : b->bytes);
        if (text == NULL || PyList_SetItem(found, i, text) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *reading_record_places(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(self->page.records.count);
    for (int32_t i = 0; found != NULL && i < self->page.records.count; i++) {
        const Record *record = &self->page.records.at[i];
        PyObject *place = Py_BuildValue("(iN)", (int)record->block, path_of(self, record->element));
        if (place == NULL || PyList_SetItem(found, i, place) < 0) Py_CLEAR(found);
    }
    return found;
}

/* Only for the first blocks: the paths of all blocks of a hostile page can take 100 MB. */
enum { MAX_PATHS = 5000 };

static PyObject *reading_paths(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    int32_t count = self->page.blocks.count < MAX_PATHS ? self->page.blocks.count : MAX_PATHS;
    PyObject *found = PyList_New(count);
    for (int32_t i = 0; found != NULL && i < count; i++) {
        PyObject *path = path_of(self, self->page.blocks.at[i].element);
        if (path == NULL || PyList_SetItem(found, i, path) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *reading_texts(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(self->page.blocks.count);
    for (int32_t i = 0; found != NULL && i < self->page.blocks.count; i++) {
        const Block *b = &self->page.blocks.at[i];
        PyObject *text = str_of(self->page.text.at + b->text, b->bytes);
        if (text == NULL || PyList_SetItem(found, i, text) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *reading_places(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    PyObject *found = PyList_New(self->page.blocks.count);
    for (int32_t i = 0; found != NULL && i < self->page.blocks.count; i++) {
        PyObject *place = PyLong_FromLong(self->page.blocks.at[i].element);
        if (place == NULL || PyList_SetItem(found, i, place) < 0) Py_CLEAR(found);
    }
    return found;
}

static PyObject *reading_columns(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    return PyBytes_FromStringAndSize((const char *)self->columns,
                                     (Py_ssize_t)((size_t)self->page.blocks.count * FEATURE_COUNT * sizeof(float)));
}

static PyObject *reading_scores(PyObject *object, void *unused) {
    Reading *self = (Reading *)object;
    (void)unused;
    return PyBytes_FromStringAndSize((const char *)self->scores, (Py_ssize_t)((size_t)self->page.blocks.count * sizeof(int32_t)));
}

/* Sets the first scores and measures the columns of the second stage, for training with other scores. */
static PyObject *reading_rescore(PyObject *object, PyObject *args) {
    Reading *self = (Reading *)object;
    const char *bytes;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "y#", &bytes, &size)) return NULL;
    int32_t count = self->page.blocks.count;
    if (size != (Py_ssize_t)count * 4) {
        PyErr_SetString(PyExc_ValueError, "one int32 a block");
        return NULL;
    }
    memcpy(self->scores, bytes, (size_t)size);
    chances_of(((Model *)self->model)->chances, self->scores, count, self->chances);
    if (!measure_scores(&self->page, self->scores, self->chances, self->columns)) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyGetSetDef reading_getset[] = {
    {"records", reading_records, NULL, "What the page says about itself: (tag, attributes, text).", NULL},
    {"record_places", reading_record_places, NULL, "Of each record: the block in which it begins, and the path around it.", NULL},
    {"lines", reading_lines, NULL, "The text of every block, empty for those that no reader sees.", NULL},
    {"paths", reading_paths, NULL, "The path around each of the first 5,000 blocks.", NULL},
    {"elements", reading_elements, NULL, "Elements that hold blocks: (parent, tag, class and id).", NULL},
    {"texts", reading_texts, NULL, "The text of every block, in the order of the page.", NULL},
    {"places", reading_places, NULL, "The element of each block.", NULL},
    {"columns", reading_columns, NULL, "float32, one column a feature.", NULL},
    {"scores", reading_scores, NULL, "int32, ten-thousandths of log odds.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyMethodDef reading_methods[] = {
    {"blocks", (PyCFunction)(void (*)(void))reading_blocks, METH_VARARGS | METH_KEYWORDS, "The blocks, in the order of the page."},
    {"choose", reading_choose, METH_VARARGS, "Keep the blocks with the largest expected F-score of *beta*."},
    {"rescore", reading_rescore, METH_VARARGS, "Set first scores and measure what follows from them."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot reading_slots[] = {{Py_tp_dealloc, reading_dealloc}, {Py_tp_getset, reading_getset},
                                      {Py_tp_methods, reading_methods}, {Py_tp_doc, "One page as it was read."}, {0, NULL}};
PyType_Spec reading_spec = {"corpusmill.pipelines.stages.extract._reader.Reading", sizeof(Reading), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, reading_slots};
