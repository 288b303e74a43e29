// Included before every grammar's sources.
//
// One scanner (cmake's) reads a field of its state that nobody has set. In the
// validator, whose heap has been used before, it finds garbage that is none of
// the values that it knows; in a fresh process it would find zeros, which are
// one, and read another tree. Filling what is allocated makes such a read give
// the same on every machine and every time, and what it gives in the validator.
#ifndef MIRRORFLEET_SCANNER_H
#define MIRRORFLEET_SCANNER_H

#include <stdlib.h>
#include <string.h>

static inline void *mirrorfleet_malloc(size_t size) {
  void *memory = malloc(size);
  if (memory) memset(memory, 0xa5, size);
  return memory;
}

#define malloc mirrorfleet_malloc

#endif
