// The clock of a parse's timeout, in place of the runtime's own clock.h: the
// processor time of the thread that parses, so that a busy machine changes no
// tree.
//
// The runtime looks at the clock after every hundred steps, and reading a
// thread's processor time is a system call. No thread works for longer than has
// passed on the wall, and reading that takes no call: it is looked at first.
#ifndef TREE_SITTER_CLOCK_H_
#define TREE_SITTER_CLOCK_H_

#define _POSIX_C_SOURCE 200112L // as the runtime has it

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// All of it is in nanoseconds.
typedef uint64_t TSDuration;

typedef struct {
  uint64_t wall;
  uint64_t worked; // of an end alone; now is read when the wall's time has passed
} TSClock;

static inline uint64_t clock_read(clockid_t id) {
  struct timespec at;
  clock_gettime(id, &at);
  return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static inline TSDuration duration_from_micros(uint64_t micros) { return micros * 1000; }

static inline uint64_t duration_to_micros(TSDuration self) { return self / 1000; }

static inline TSClock clock_null(void) { return (TSClock){0, 0}; }

static inline bool clock_is_null(TSClock self) { return !self.wall; }

static inline TSClock clock_now(void) { return (TSClock){clock_read(CLOCK_MONOTONIC), 0}; }

// The runtime asks for the end of what begins now.
static inline TSClock clock_after(TSClock now, TSDuration duration) {
  return (TSClock){now.wall + duration, clock_read(CLOCK_THREAD_CPUTIME_ID) + duration};
}

static inline bool clock_is_gt(TSClock now, TSClock end) {
  return now.wall > end.wall && clock_read(CLOCK_THREAD_CPUTIME_ID) > end.worked;
}

#endif
