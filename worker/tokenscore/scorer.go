package tokenscore

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/scoring/tokens"
)

// parseTimeout is the processor time for parsing one text. A text that takes longer has no
// nodes: docs/rules/scoring.md#tree-diff.
const parseTimeout = 2 * time.Second

// maxRemembered bounds the memory of a child's texts and their signatures, in bytes. Above
// it, the child forgets all of them.
const maxRemembered = 16 << 20

// scorer is the state of a child: the library, the current weights, and the texts of its one
// author.
type scorer struct {
	library    *library
	weights    weightsMessage
	tables     map[string]*table // by language, for these weights
	remembered int               // bytes
	timeout    time.Duration     // of one parse
}

// table is a language with the weights of its node types.
type table struct {
	language *language
	symbols  symbolTable
	weights  []tokens.KindWeights
	// seen are the signatures of the texts so far.
	seen map[string]*tokens.Signatures
}

func newScorer(l *library, timeout time.Duration) *scorer {
	if timeout == 0 {
		timeout = parseTimeout
	}
	return &scorer{library: l, tables: make(map[string]*table), timeout: timeout}
}

// setWeights replaces the weights.
func (s *scorer) setWeights(data []byte) error {
	var w weightsMessage
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("reading the weights: %w", err)
	}
	s.weights, s.remembered = w, 0
	clear(s.tables)
	return nil
}

func (s *scorer) table(name string) (*table, error) {
	if t, made := s.tables[name]; made {
		return t, nil
	}
	if s.weights.Digest == "" {
		return nil, errors.New("no weights were sent")
	}
	lang, err := s.library.language(name)
	if err != nil {
		return nil, err
	}
	t := &table{language: lang, seen: make(map[string]*tokens.Signatures)}
	t.symbols, t.weights = lang.table(s.weights.Structural, s.weights.Leaf)
	s.tables[name] = t
	return t, nil
}

// diff is the tree diff of a file, from base to head.
func (s *scorer) diff(name string, texts [2]string) (tokens.Diff, error) {
	t, err := s.table(name)
	if err != nil {
		return tokens.Diff{}, err
	}
	var found [2]*tokens.Signatures
	late := false
	for i, text := range texts {
		switch found[i], err = s.signatures(t, text); {
		case errors.Is(err, errOutOfTime):
			late = true // the rules: it has no nodes
		case err != nil:
			return tokens.Diff{}, fmt.Errorf("parsing %s: %w", name, err)
		}
	}
	d := tokens.TreeDiff(found[0], found[1], t.weights, t.language.kinds)
	d.OutOfTime = late
	return d, nil
}

// signatures returns the signatures of a text. It parses the text unless the child remembers
// it. Nil means that there are no nodes.
func (s *scorer) signatures(t *table, text string) (*tokens.Signatures, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // an empty text has no nodes
	}
	if found := t.seen[text]; found != nil {
		return found, nil
	}
	nodes, err := s.library.walk(t.language, t.symbols, text, s.timeout)
	if errors.Is(err, errNoTree) {
		return nil, nil //nolint:nilnil // the rules: a parse that fails gives no nodes
	}
	if err != nil {
		return nil, err
	}
	found := tokens.Collect(text, nodes, t.weights)
	s.remember(t, text, found)
	return found, nil
}

// remember stores the signatures of a text. If that exceeds maxRemembered, it forgets
// everything else first.
func (s *scorer) remember(t *table, text string, found *tokens.Signatures) {
	size := found.Size()
	if s.remembered += size; s.remembered > maxRemembered {
		for _, other := range s.tables {
			clear(other.seen)
		}
		s.remembered = size
	}
	t.seen[text] = found
}
