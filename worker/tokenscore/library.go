package tokenscore

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "grammars/manifest/csrc/walk.h"

static const mf_api *enter(void *function) { return ((mf_entry)function)(); }

static const void *language_of(void *function) { return ((const void *(*)(void))function)(); }

static bool use_utf8(const mf_api *api) { return api->use_utf8(); }

static mf_walker *open_walker(const mf_api *api) { return api->open(); }

static void close_walker(const mf_api *api, mf_walker *walker) { api->close(walker); }

static uint32_t abi_of(const mf_api *api, const void *language) { return api->language_abi(language); }

static uint32_t symbols_of(const mf_api *api, const void *language) { return api->symbol_count(language); }

static const char *name_of(const mf_api *api, const void *language, uint16_t symbol) {
  return api->symbol_name(language, symbol);
}

static int walk(const mf_api *api, mf_walker *walker, const void *language, const char *text, uint32_t length,
                uint64_t micros, const mf_symbol *table, const mf_node **nodes, size_t *count) {
  return api->walk(walker, language, text, length, micros, table, nodes, count);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// Why a text gave no nodes: the parser gave up, the text's processor time ran out,
// or the child's memory did.
var (
	errNoTree    = errors.New("no tree")
	errOutOfTime = errors.New("no tree in time")
	errNoMemory  = errors.New("no memory for the nodes")
)

// library is the runtime with one walker, and the grammars opened so far. Everything that is
// opened stays open until the process ends. Only one goroutine at a time may use it.
type library struct {
	dir       string
	manifest  *manifest.Manifest
	there     *manifest.Files // as they lay there when the parent had checked them
	api       *C.mf_api
	walker    *C.mf_walker
	languages map[string]*language
}

// language is one opened grammar.
type language struct {
	pointer unsafe.Pointer
	// kinds are the names of the node types, each once. kindOf maps a symbol to its type.
	// Several symbols may share a type, such as an alias, or a keyword with a rule's name.
	kinds  []string
	kindOf []uint16
}

// symbolTable says what to do with each symbol of a language; see walk.h.
type symbolTable []C.mf_symbol

// openLibrary opens the runtime. The caller has checked the directory's files.
func openLibrary(dir string, m *manifest.Manifest) (*library, error) {
	there, err := m.Files(dir)
	if err != nil {
		return nil, err
	}
	function, err := open(filepath.Join(dir, m.Runtime.File), C.MF_ENTRY)
	if err != nil {
		return nil, err
	}
	l := &library{
		dir:       dir,
		manifest:  m,
		there:     there,
		api:       C.enter(function),
		languages: make(map[string]*language),
	}
	if l.api.abi != C.MF_ABI {
		return nil, fmt.Errorf("%s has walk version %d, this build needs %d", m.Runtime.File, l.api.abi, C.MF_ABI)
	}
	if !C.use_utf8(l.api) {
		return nil, errors.New("the system has no locale C.UTF-8 (Debian's libc-bin has it), by which some grammars tell letters from others")
	}
	if l.walker = C.open_walker(l.api); l.walker == nil {
		return nil, errors.New("no memory for a parser")
	}
	return l, nil
}

// files are the paths that opening the grammars reads: the directory, and the targets of
// symbolic links in it. The sandbox must allow them.
func (l *library) files() []string {
	paths := []string{l.dir}
	for _, g := range l.manifest.Languages {
		path := filepath.Join(l.dir, g.File)
		if _, err := os.Readlink(path); err != nil {
			continue // a file of its own
		}
		if target, err := filepath.EvalSymlinks(path); err == nil {
			paths = append(paths, target)
		}
	}
	return paths
}

// close frees the walker. The shared objects stay open.
func (l *library) close() {
	C.close_walker(l.api, l.walker)
	l.walker = nil
}

// open opens a shared object and finds a function in it.
func open(path, symbol string) (unsafe.Pointer, error) {
	cPath, cSymbol := C.CString(path), C.CString(symbol)
	defer C.free(unsafe.Pointer(cPath))
	defer C.free(unsafe.Pointer(cSymbol))
	// RTLD_LOCAL, because the scanners of two grammars may have functions of the same name.
	handle := C.dlopen(cPath, C.RTLD_NOW|C.RTLD_LOCAL)
	if handle == nil {
		return nil, fmt.Errorf("opening %s: %s", path, C.GoString(C.dlerror()))
	}
	function := C.dlsym(handle, cSymbol)
	if function == nil {
		return nil, fmt.Errorf("%s has no function %s", path, symbol)
	}
	return function, nil
}

// language returns a grammar, and opens it first if needed.
func (l *library) language(name string) (*language, error) {
	if lang, opened := l.languages[name]; opened {
		return lang, nil
	}
	g, known := l.manifest.Grammar(name)
	if !known {
		return nil, fmt.Errorf("there is no grammar of language %q", name)
	}
	function, err := open(filepath.Join(l.dir, g.File), g.Symbol)
	if err != nil {
		return nil, err
	}
	if replaced := l.there.Replaced(g.File); replaced != "" {
		return nil, fmt.Errorf("%s was replaced since this process started", replaced)
	}
	lang := &language{pointer: C.language_of(function)}
	if abi := int(C.abi_of(l.api, lang.pointer)); abi != g.ABI {
		return nil, fmt.Errorf("%s has language ABI %d, the manifest says %d", g.File, abi, g.ABI)
	}
	lang.intern(l.api)
	l.languages[name] = lang
	return lang, nil
}

// intern numbers the node types by their names.
func (lang *language) intern(api *C.mf_api) {
	count := int(C.symbols_of(api, lang.pointer))
	numbers := make(map[string]uint16)
	add := func(name string) {
		number, known := numbers[name]
		if !known {
			number = uint16(len(lang.kinds))
			numbers[name] = number
			lang.kinds = append(lang.kinds, name)
		}
		lang.kindOf = append(lang.kindOf, number)
	}
	for symbol := range count {
		add(C.GoString(C.name_of(api, lang.pointer, C.uint16_t(symbol))))
	}
	// The last two entries of a table: see walk.h.
	add("ERROR")
	add("_ERROR")
}

// isComment says whether the walk skips nodes of this type, with everything below them.
func isComment(kind string) bool {
	switch kind {
	case "comment", "line_comment", "block_comment", "documentation_comment", "doc_comment":
		return true
	}
	return false
}

// table looks up the weights of a language's node types, once per set of weights.
func (lang *language) table(structural, leaf map[string]float64) (symbolTable, []tokens.KindWeights) {
	weights := make([]tokens.KindWeights, len(lang.kinds))
	for i, kind := range lang.kinds {
		weights[i] = tokens.KindWeights{Structural: structural[kind], Leaf: leaf[kind]}
	}
	table := make(symbolTable, len(lang.kindOf))
	for symbol, kind := range lang.kindOf {
		table[symbol] = C.mf_symbol{kind: C.uint16_t(kind), action: C.MF_KEEP_LEAVES}
		switch {
		case isComment(lang.kinds[kind]):
			table[symbol].action = C.MF_SKIP
		case weights[kind].Structural > 0:
			table[symbol].action = C.MF_KEEP_ALL
		}
	}
	return table, weights
}

// The C type stands for the Go one: this does not compile if their sizes differ.
var _ = [1]struct{}{}[unsafe.Sizeof(C.mf_node{})-unsafe.Sizeof(tokens.Node{})]

// walk parses a text, and returns the nodes that have signatures. They belong to the
// library, and are valid until its next walk. timeout is processor time for the parse.
func (l *library) walk(lang *language, table symbolTable, text string, timeout time.Duration) ([]tokens.Node, error) {
	var nodes *C.mf_node
	var count C.size_t
	//nolint:unconvert,gocritic // the linters see through cgo's types and checks, the compiler does not
	status := C.walk(l.api, l.walker, lang.pointer, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.uint32_t(len(text)),
		C.uint64_t(timeout.Microseconds()), (*C.mf_symbol)(unsafe.SliceData(table)), &nodes, &count)
	switch status {
	case C.MF_OK:
		return unsafe.Slice((*tokens.Node)(unsafe.Pointer(nodes)), int(count)), nil
	case C.MF_NO_TREE:
		return nil, errNoTree
	case C.MF_OUT_OF_TIME:
		return nil, errOutOfTime
	case C.MF_LANGUAGE_REFUSED:
		return nil, errors.New("the runtime refuses the language's ABI")
	default:
		return nil, fmt.Errorf("%w of a text of %d bytes", errNoMemory, len(text))
	}
}
