// The memory into which a scanner writes its state.
//
// A scanner hands its state over in a buffer of 1,024 bytes, and nothing holds it
// to them. The runtime's own buffer stands in the midst of the parser: behind it
// are three unused bytes, then pointers. perl's scanner writes up to two thousand
// bytes more there; bash's writes up to three more, python's and ruby's one. Here
// the buffer ends where a page ends that nobody may touch, so the first byte too
// many ends the process, before anything is damaged.
#ifndef MIRRORFLEET_STATE_H
#define MIRRORFLEET_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATE_SIZE 1024 // TREE_SITTER_SERIALIZATION_BUFFER_SIZE

static char *state;

// Makes the buffer, once. False when there is no memory.
static bool state_open(void) {
  if (state) return true;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  void *memory;
  if (posix_memalign(&memory, page, 2 * page)) return false;
  if (mprotect((char *)memory + page, page, PROT_NONE)) return false;
  state = (char *)memory + page - STATE_SIZE;
  return true;
}

// Begins a parse. A new parser's buffer is empty.
static void state_begin(void) { memset(state, 0, STATE_SIZE); }

// Takes a state of this length over into the runtime's buffer.
static inline void state_take(char *into, uint32_t length) {
  if (length > STATE_SIZE) {
    fprintf(stderr, "a scanner has a state of %u bytes, want at most %d\n", length, STATE_SIZE);
    abort();
  }
  memcpy(into, state, length);
}

// The one call of a scanner's serialize, whose result the runtime calls length. The
// runtime's sources stay as they are: their digest stands for what is computed.
#define serialize(payload, into) serialize((payload), state); state_take((into), length)

#endif
