// Included before every grammar's sources. It makes two faults of theirs give
// the same on every machine and every time.
//
// One scanner (cmake's) reads a field of its state that nobody has set. In the
// validator, whose heap has been used before, it finds garbage that is none of
// the values that it knows; in a fresh process it would find zeros, which are
// one, and read another tree. Filling what is allocated makes such a read give
// what it gives in the validator.
//
// Three scanners (bash's, d's, v's) ask <ctype.h> about whole characters, and
// glibc answers from a table of 384 entries without looking how far it goes. Up
// to MIRRORFLEET_MAPPED they read on in the locale's file: wrong, but the same
// as in the validator, whose C library has that file too. Beyond it they read
// whatever the process has mapped there, or crash; the validator's own answer
// changes with what it has loaded. Those characters are in no class here.
#ifndef MIRRORFLEET_SCANNER_H
#define MIRRORFLEET_SCANNER_H

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static inline void *mirrorfleet_malloc(size_t size) {
  void *memory = malloc(size);
  if (memory) memset(memory, 0xa5, size);
  return memory;
}

#define malloc mirrorfleet_malloc

#ifdef __GLIBC__
// How many characters the file of C.UTF-8 holds behind its table (glibc 2.36).
#define MIRRORFLEET_MAPPED 0x2b6ca

static inline int mirrorfleet_is(int character, int class) {
  return character < MIRRORFLEET_MAPPED && ((*__ctype_b_loc())[character] & class);
}

#undef isalpha
#undef isdigit
#undef isspace
#define isalpha(c) mirrorfleet_is((c), _ISalpha)
#define isdigit(c) mirrorfleet_is((c), _ISdigit)
#define isspace(c) mirrorfleet_is((c), _ISspace)
#endif

#endif
