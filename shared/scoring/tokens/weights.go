package tokens

import (
	"crypto/sha256"
	_ "embed" // the default weights
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Names of the two weights files in the validator's checkout.
const (
	LanguagesFile = "programming_languages.json"
	TokensFile    = "token_weights.json"
)

// lineWeight is the weight of a line-scored extension that the weights do not list.
const lineWeight = 0.12

//go:embed weights/programming_languages.json
var defaultLanguages []byte

//go:embed weights/token_weights.json
var defaultTokens []byte

// Weights are the weights of extensions and node types. They never change once parsed
// and are safe for concurrent use.
type Weights struct {
	extensions map[string]extension
	structural map[string]float64
	leaf       map[string]float64
	// maxStructural and maxLeaf are the largest of each, for Diff.Possible.
	maxStructural, maxLeaf float64
	// unloadable are the languages that give no nodes, sorted.
	unloadable []string
	digest     string
}

// extension is one entry of the language weights; language is "" for an
// extension that is scored by lines.
type extension struct {
	weight   float64
	language string
}

// DefaultWeights returns the built-in files, in the validator's own format.
func DefaultWeights() (languages, tokens []byte) {
	return slices.Clone(defaultLanguages), slices.Clone(defaultTokens)
}

// Digest identifies the weights by their content. Files that differ only in order,
// spacing or the spelling of a number have the same digest. It is part of the key of
// cached token scores.
func (w *Weights) Digest() string { return w.digest }

// Structural returns a copy of the structural weights by node type.
func (w *Weights) Structural() map[string]float64 { return maps.Clone(w.structural) }

// Leaf returns a copy of the leaf weights by node type.
func (w *Weights) Leaf() map[string]float64 { return maps.Clone(w.leaf) }

// Language is the language whose grammar parses files of an extension, or ""
// when they are not scored by their trees.
func (w *Weights) Language(ext string) string {
	if IsLineScored(ext) {
		return ""
	}
	return w.extensions[ext].language
}

// Without returns the weights with languages that give no nodes: the languages whose
// grammars the validator's installation cannot load. Their files keep the method
// tree-diff, and score 0 because both trees are empty.
func (w *Weights) Without(languages []string) (*Weights, error) {
	left := slices.Compact(slices.Sorted(slices.Values(languages)))
	for _, language := range left {
		if !KnownLanguage(language) {
			return nil, fmt.Errorf("unloadable language %q: want some of %s", language, strings.Join(Languages(), ", "))
		}
	}
	without := *w
	without.unloadable = left
	without.digest = digestOf(&without)
	return &without, nil
}

// Loads says whether a language's grammar is used.
func (w *Weights) Loads(language string) bool { return !slices.Contains(w.unloadable, language) }

// weight is an extension's weight, or fallback when no file lists it.
func (w *Weights) weight(ext string, fallback float64) float64 {
	if e, listed := w.extensions[ext]; listed {
		return e.weight
	}
	return fallback
}

// digestOf hashes the content in a canonical form. Floats are written by their bits,
// so that no two different weights have the same text.
func digestOf(w *Weights) string {
	h := sha256.New()
	number := func(f float64) string { return strconv.FormatUint(math.Float64bits(f), 16) }
	for _, ext := range slices.Sorted(maps.Keys(w.extensions)) {
		e := w.extensions[ext]
		// Quoted, so that no key can imitate a separator.
		h.Write([]byte("extension " + strconv.Quote(ext) + " " + number(e.weight) + " " + e.language + "\n"))
	}
	for _, table := range []struct {
		name    string
		weights map[string]float64
	}{{structuralKey, w.structural}, {leafKey, w.leaf}} {
		for _, kind := range slices.Sorted(maps.Keys(table.weights)) {
			h.Write([]byte(table.name + " " + strconv.Quote(kind) + " " + number(table.weights[kind]) + "\n"))
		}
	}
	for _, language := range w.unloadable {
		h.Write([]byte("unloadable " + language + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
