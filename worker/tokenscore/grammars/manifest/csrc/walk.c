// Parses a text and hands back the nodes of its tree in one array.
//
// The runtime is included, not linked, so that the compiler sees it whole, and
// so that the walk reads the tree's own memory. It visits the nodes that the
// runtime's cursor visits, in its order, without keeping rows and columns.
#include "clock.h" // before the runtime, which then leaves out its own
#include "state.h" // before it too: its one call of a scanner's serialize goes there

#include "lib.c"

#include "arena.h"
#include "walk.h"

#include <locale.h>
#include <pthread.h>

// A walker keeps this many nodes' memory between calls, 3 MB.
#define NODES_KEPT (256u * 1024u)

// The children of one node that are still to be visited.
typedef struct {
  const Subtree *children;
  const TSSymbol *aliases; // by structural child; may be null
  uint32_t count, index;
  uint32_t structural; // children so far that are no extras
  uint32_t position;   // where the last child ended
} level;

struct mf_walker {
  mf_node *nodes;
  size_t count, capacity;
  level *levels;
  size_t depth, levels_capacity;
};

static void walker_close(mf_walker *self) {
  if (!self) return;
  free(self->nodes);
  free(self->levels);
  free(self);
}

static mf_walker *walker_open(void) { return state_open() ? calloc(1, sizeof(mf_walker)) : NULL; }

// Makes room for one more element.
static bool reserve(void **elements, size_t size, size_t count, size_t *capacity) {
  if (count < *capacity) return true;
  size_t wanted = *capacity ? *capacity * 2 : 1024;
  void *larger = realloc(*elements, wanted * size);
  if (!larger) return false;
  *elements = larger;
  *capacity = wanted;
  return true;
}

static bool push(mf_walker *self, const TSLanguage *language, Subtree parent, uint32_t start) {
  if (!reserve((void **)&self->levels, sizeof(level), self->depth, &self->levels_capacity)) return false;
  self->levels[self->depth++] = (level){
    .children = ts_subtree_children(parent),
    .aliases = ts_language_alias_sequence(language, parent.ptr->production_id),
    .count = ts_subtree_child_count(parent),
    .position = start,
  };
  return true;
}

// Visits one node; *descend says whether its children follow.
static inline bool visit(mf_walker *self, const TSLanguage *language, const mf_symbol *table, Subtree node,
                         TSSymbol symbol, uint32_t start, bool *descend) {
  // ERROR and _ERROR are the two highest numbers; their entries stand last.
  const mf_symbol *entry = symbol >= ts_builtin_sym_error_repeat
    ? &table[ts_language_symbol_count(language) + (ts_builtin_sym_error - symbol)]
    : &table[symbol];
  *descend = false;
  if (entry->action == MF_SKIP) return true;
  bool leaf = ts_subtree_visible_child_count(node) == 0;
  *descend = !leaf;
  if (!leaf && entry->action != MF_KEEP_ALL) return true;
  if (!reserve((void **)&self->nodes, sizeof(mf_node), self->count, &self->capacity)) return false;
  self->nodes[self->count++] = (mf_node){
    .start = start, .end = start + ts_subtree_size(node).bytes, .kind = entry->kind, .leaf = leaf,
  };
  return true;
}

static bool walk_tree(mf_walker *self, const TSTree *tree, const mf_symbol *table) {
  const TSLanguage *language = tree->language;
  bool descend;
  uint32_t start = ts_subtree_padding(tree->root).bytes;
  self->depth = 0;
  if (!visit(self, language, table, tree->root, ts_subtree_symbol(tree->root), start, &descend)) return false;
  if (descend && !push(self, language, tree->root, start)) return false;
  while (self->depth > 0) {
    level *at = &self->levels[self->depth - 1];
    if (at->index == at->count) {
      self->depth--;
      continue;
    }
    Subtree child = at->children[at->index];
    // A node starts where its first child does: that one's padding is its own.
    start = at->index == 0 ? at->position : at->position + ts_subtree_padding(child).bytes;
    at->index++;
    at->position = start + ts_subtree_size(child).bytes;
    TSSymbol alias = 0;
    if (!ts_subtree_extra(child)) {
      if (at->aliases) alias = at->aliases[at->structural];
      at->structural++;
    }
    if (alias || ts_subtree_visible(child)) {
      TSSymbol symbol = alias ? alias : ts_subtree_symbol(child);
      if (!visit(self, language, table, child, symbol, start, &descend)) return false;
    } else {
      descend = ts_subtree_visible_child_count(child) > 0; // hidden: only its children show
    }
    if (descend && !push(self, language, child, start)) return false;
  }
  return true;
}

// There is one arena, so one walk at a time.
static pthread_mutex_t walking = PTHREAD_MUTEX_INITIALIZER;

// Everything that the runtime allocates here ends with the arena: the tree is
// never taken apart. Only a scanner has memory elsewhere, which goes with its
// parser.
static int parse_and_walk(mf_walker *self, const void *language, const char *text, uint32_t length, uint64_t micros,
                          const mf_symbol *table) {
  TSParser *parser = ts_parser_new();
  int result = MF_LANGUAGE_REFUSED;
  if (ts_parser_set_language(parser, language)) {
    ts_parser_set_timeout_micros(parser, micros);
    TSTree *tree = ts_parser_parse_string_encoding(parser, NULL, text, length, TSInputEncodingUTF8);
    if (tree) result = walk_tree(self, tree, table) ? MF_OK : MF_NO_MEMORY;
    else result = clock_is_gt(clock_now(), parser->end_clock) ? MF_OUT_OF_TIME : MF_NO_TREE;
  }
  ts_parser_delete(parser);
  return result;
}

static int walker_walk(mf_walker *self, const void *language, const char *text, uint32_t length, uint64_t micros,
                       const mf_symbol *table, const mf_node **nodes, size_t *count) {
  *count = self->count = 0;
  if (self->capacity > NODES_KEPT) {
    free(self->nodes);
    self->nodes = NULL;
    self->capacity = 0;
  }
  pthread_mutex_lock(&walking);
  arena_begin();
  state_begin();
  int result = parse_and_walk(self, language, text, length, micros, table);
  arena_end();
  pthread_mutex_unlock(&walking);
  *nodes = self->nodes;
  *count = self->count;
  return result;
}

// Python, and so the validator, runs with a UTF-8 locale even where none is
// set, and some scanners ask the C library what a letter or a space is.
static bool use_utf8(void) { return setlocale(LC_CTYPE, "C.UTF-8") || setlocale(LC_CTYPE, "en_US.UTF-8"); }

static uint32_t language_abi(const void *language) { return ts_language_version(language); }

static uint32_t symbol_count(const void *language) { return ts_language_symbol_count(language); }

static const char *symbol_name(const void *language, uint16_t symbol) {
  return ts_language_symbol_name(language, symbol);
}

__attribute__((visibility("default"))) const mf_api *mirrorfleet_walk(void) {
  static const mf_api api = {
    .abi = MF_ABI, .open = walker_open, .close = walker_close, .walk = walker_walk, .use_utf8 = use_utf8,
    .language_abi = language_abi, .symbol_count = symbol_count, .symbol_name = symbol_name,
  };
  return &api;
}
