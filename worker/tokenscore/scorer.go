package tokenscore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/scoring"
)

// parseTimeout is what one text may take to parse before it counts as without
// nodes: section 5 of the rules.
const parseTimeout = 2 * time.Second

// scorer is what a child knows: the library, the weights that hold now, and the
// signatures of the texts that it saw last.
type scorer struct {
	library *library
	weights weightsMessage
	tables  map[string]*table // by language, for these weights
	seen    *memo
	timeout time.Duration // of one parse
}

// table is a language with the weights of its node types.
type table struct {
	language *language
	symbols  symbolTable
	weights  []scoring.KindWeights
}

func newScorer(l *library, timeout time.Duration) *scorer {
	if timeout == 0 {
		timeout = parseTimeout
	}
	return &scorer{library: l, tables: make(map[string]*table), seen: newMemo(memoSize), timeout: timeout}
}

// setWeights makes new weights hold. Signatures depend on which types have a
// structural weight, so what was seen before is forgotten.
func (s *scorer) setWeights(data []byte) error {
	var w weightsMessage
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("reading the weights: %w", err)
	}
	s.weights = w
	clear(s.tables)
	s.seen = newMemo(memoSize)
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
	t := &table{language: lang}
	t.symbols, t.weights = lang.table(s.weights.Structural, s.weights.Leaf)
	s.tables[name] = t
	return t, nil
}

// diff is the tree diff of a file. Equal texts have equal trees: a file that
// was only moved is not parsed.
func (s *scorer) diff(name string, base, head []byte) (scoring.Diff, error) {
	t, err := s.table(name)
	if err != nil {
		return scoring.Diff{}, err
	}
	if bytes.Equal(base, head) {
		return scoring.Diff{}, nil
	}
	before, err := s.signatures(name, t, base)
	if err != nil {
		return scoring.Diff{}, err
	}
	after, err := s.signatures(name, t, head)
	if err != nil {
		return scoring.Diff{}, err
	}
	return scoring.TreeDiffByKind(before, after, t.weights, t.language.kinds), nil
}

// signatures parses a text, unless it was seen lately: the base of one pull
// request is often the head of another. Nil means no nodes.
func (s *scorer) signatures(name string, t *table, text []byte) (*scoring.Signatures, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // an empty text has no nodes
	}
	if known := s.seen.get(name, text); known != nil {
		return known, nil
	}
	nodes, err := s.library.walk(t.language, t.symbols, text, s.timeout)
	if errors.Is(err, errNoTree) {
		return nil, nil //nolint:nilnil // the rules: a parse that fails or takes too long gives no nodes
	}
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", name, err)
	}
	signatures := scoring.Collect(text, nodes, t.weights)
	s.seen.put(name, text, signatures)
	return signatures, nil
}
