/* Choose the pairs of a bucket that need an exact comparison. */
#ifndef CORPUSMILL_DEDUP_BUCKETS_H
#define CORPUSMILL_DEDUP_BUCKETS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyType_Spec buckets_spec;

#endif
