// The memory of one parse: parser and tree live and die together in it.
//
// A tree is some ten thousand small blocks. The C library's allocator finds a
// place for each among what earlier trees left, all over the heap; freeing them
// one by one costs as much again. Here blocks follow each other in memory that
// the last text has just used, and all of them are dropped at once. What is
// freed within a parse is used again by blocks of its size, so that a parse
// needs little more than what it holds at its peak.
//
// One parse at a time in a process may use it: see the lock in walk.c. Outside
// of one, allocations are the C library's.
#ifndef MIRRORFLEET_ARENA_H
#define MIRRORFLEET_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define ARENA_CHUNK ((size_t)1 << 20) // how much is taken at a time
#define ARENA_KEPT 8                  // chunks kept from one parse to the next
#define ARENA_STEP ((size_t)16)       // small blocks come in multiples of this, up to
#define ARENA_SMALL ((size_t)1024)    // this size; larger ones in powers of two
#define ARENA_SIZES (ARENA_SMALL / ARENA_STEP + 1 + 64)

// A block's size stands before it. While it is free, the next free one of its
// size stands in it.
typedef struct arena_block {
  size_t size;
  struct arena_block *next;
} arena_block;

#define ARENA_HEADER offsetof(arena_block, next)

typedef struct arena_chunk {
  struct arena_chunk *next;
  size_t size;
} arena_chunk;

static struct {
  bool active;
  char *free, *end;    // what is left of the chunk in use
  arena_chunk *used;   // the chunk in use, and those that are full
  arena_chunk *spare;  // kept ones that are empty
  size_t spares;
  arena_block *freed[ARENA_SIZES];
} arena;

static _Noreturn void arena_exhausted(size_t size) {
  fprintf(stderr, "no memory for %zu bytes of a tree\n", size);
  abort();
}

// The size of the block that holds this much, and its list.
static inline size_t arena_round(size_t size, unsigned *list) {
  size += ARENA_HEADER;
  if (size <= ARENA_SMALL) {
    size = (size + ARENA_STEP - 1) & ~(ARENA_STEP - 1);
    *list = (unsigned)(size / ARENA_STEP);
    return size;
  }
  if (size > SIZE_MAX / 4) arena_exhausted(size);
  unsigned bits = 64 - (unsigned)__builtin_clzll((unsigned long long)size - 1);
  *list = (unsigned)(ARENA_SMALL / ARENA_STEP) + bits;
  return (size_t)1 << bits;
}

// Takes a block that the chunk in use has no room for. What is left of that
// chunk stays unused until the parse ends.
static void *arena_refill(size_t size) {
  arena_chunk *chunk = arena.spare;
  if (chunk && size + ARENA_STEP <= ARENA_CHUNK) {
    arena.spare = chunk->next;
    arena.spares--;
  } else {
    size_t wanted = size + ARENA_STEP > ARENA_CHUNK ? size + ARENA_STEP : ARENA_CHUNK;
    chunk = malloc(wanted);
    if (!chunk) arena_exhausted(wanted);
    chunk->size = wanted;
  }
  chunk->next = arena.used;
  arena.used = chunk;
  char *block = (char *)chunk + ARENA_STEP;
  if (chunk->size > ARENA_CHUNK) {
    // A chunk for one block: go on with the rest of the one before.
    return block;
  }
  arena.free = block + size;
  arena.end = (char *)chunk + chunk->size;
  return block;
}

static void *arena_malloc(size_t wanted) {
  if (!arena.active) return ts_malloc_default(wanted);
  unsigned list;
  size_t size = arena_round(wanted, &list);
  arena_block *block = arena.freed[list];
  if (block) {
    arena.freed[list] = block->next;
    return &block->next;
  }
  if ((size_t)(arena.end - arena.free) >= size) {
    block = (arena_block *)arena.free;
    arena.free += size;
  } else {
    block = arena_refill(size);
  }
  block->size = size;
  return &block->next;
}

static inline arena_block *arena_block_of(void *memory) { return (arena_block *)((char *)memory - ARENA_HEADER); }

static void arena_free(void *memory) {
  if (!arena.active) {
    free(memory);
    return;
  }
  if (!memory) return;
  arena_block *block = arena_block_of(memory);
  unsigned list;
  arena_round(block->size - ARENA_HEADER, &list);
  block->next = arena.freed[list];
  arena.freed[list] = block;
}

static void *arena_calloc(size_t count, size_t size) {
  if (!arena.active) return ts_calloc_default(count, size);
  if (size && count > SIZE_MAX / size) arena_exhausted(SIZE_MAX);
  return memset(arena_malloc(count * size), 0, count * size);
}

static void *arena_realloc(void *memory, size_t wanted) {
  if (!arena.active) return ts_realloc_default(memory, wanted);
  if (!memory) return arena_malloc(wanted);
  arena_block *block = arena_block_of(memory);
  size_t room = block->size - ARENA_HEADER;
  unsigned list;
  if (wanted <= room && arena_round(wanted, &list) == block->size) return memory;
  void *moved = arena_malloc(wanted);
  memcpy(moved, memory, wanted < room ? wanted : room);
  arena_free(memory);
  return moved;
}

// Begins a parse.
static void arena_begin(void) {
  ts_set_allocator(arena_malloc, arena_calloc, arena_realloc, arena_free);
  arena.active = true;
}

// Drops everything that was allocated since the parse began. What is more than a
// usual text needs goes back to the system.
static void arena_end(void) {
  arena.active = false;
  arena.free = arena.end = NULL;
  memset(arena.freed, 0, sizeof arena.freed);
  bool dropped = false;
  while (arena.used) {
    arena_chunk *chunk = arena.used;
    arena.used = chunk->next;
    if (chunk->size == ARENA_CHUNK && arena.spares < ARENA_KEPT) {
      chunk->next = arena.spare;
      arena.spare = chunk;
      arena.spares++;
    } else {
      free(chunk);
      dropped = true;
    }
  }
#ifdef __GLIBC__
  if (dropped) malloc_trim(0);
#endif
  (void)dropped;
}

#endif
