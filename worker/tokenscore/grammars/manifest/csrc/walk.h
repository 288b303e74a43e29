// The one call by which texts become nodes. Compiled together with the
// tree-sitter runtime into a shared object of its own; the Go side opens it at
// run time, so that building the product needs neither runtime nor grammars.
#ifndef MIRRORFLEET_WALK_H
#define MIRRORFLEET_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Changes with every change of the types below. A shared object of another
// version is refused.
#define MF_ABI 3

// What a walk does with the nodes of a symbol.
enum {
  MF_KEEP_LEAVES = 0, // hand back the node when it has no children
  MF_KEEP_ALL = 1,    // hand it back in any case
  MF_SKIP = 2,        // leave it out with everything under it
};

// The number of a symbol's type, and what to do with its nodes. A table has one
// entry per symbol of the language, then one for ERROR and one for _ERROR.
typedef struct {
  uint16_t kind;
  uint16_t action;
} mf_symbol;

// One node. The layout is that of the Go type scoring.Node.
typedef struct {
  uint32_t start, end; // bytes of the text
  uint16_t kind;
  uint8_t leaf;
  uint8_t unused;
} mf_node;

// How a walk ended.
enum {
  MF_OK = 0,
  MF_NO_TREE = 1,          // the time ran out, or the parser gave up
  MF_LANGUAGE_REFUSED = 2, // the runtime does not take the language's ABI
  MF_NO_MEMORY = 3,
};

typedef struct mf_walker mf_walker;

typedef struct {
  uint32_t abi; // MF_ABI
  mf_walker *(*open)(void);
  void (*close)(mf_walker *);
  // Parses a text and walks its tree depth first, a node before its children.
  // The nodes belong to the walker and stay until its next call. The micros are
  // of wall clock.
  int (*walk)(mf_walker *, const void *language, const char *text, uint32_t length, uint64_t micros,
              const mf_symbol *table, const mf_node **nodes, size_t *count);
  // Makes the process's character classes those of Unicode; to be called once,
  // before any walk. False when the system has no such locale.
  bool (*use_utf8)(void);
  uint32_t (*language_abi)(const void *language);
  uint32_t (*symbol_count)(const void *language);
  const char *(*symbol_name)(const void *language, uint16_t symbol);
} mf_api;

#define MF_ENTRY "mirrorfleet_walk"
typedef const mf_api *(*mf_entry)(void);

#endif
