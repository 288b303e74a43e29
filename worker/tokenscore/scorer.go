package tokenscore

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/scoring"
)

// parseTimeout is what one text may take to parse before it counts as without
// nodes: section 5 of the rules.
const parseTimeout = 2 * time.Second

// scorer is what a child knows: the library, and the weights that hold now.
type scorer struct {
	library *library
	weights weightsMessage
	tables  map[string]*table // by language, for these weights
	timeout time.Duration     // of one parse
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
	return &scorer{library: l, tables: make(map[string]*table), timeout: timeout}
}

// setWeights makes new weights hold.
func (s *scorer) setWeights(data []byte) error {
	var w weightsMessage
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("reading the weights: %w", err)
	}
	s.weights = w
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
	t := &table{language: lang}
	t.symbols, t.weights = lang.table(s.weights.Structural, s.weights.Leaf)
	s.tables[name] = t
	return t, nil
}

// side is the base or the head of a file.
type side struct {
	text []byte
	// known are the signatures as a child found them before; nil when the text
	// has to be parsed.
	known []byte
}

// learned are the signatures of base and head that had to be found.
type learned [2][]byte

// diff is the tree diff of a file.
func (s *scorer) diff(name string, sides [2]side) (scoring.Diff, learned, error) {
	t, err := s.table(name)
	if err != nil {
		return scoring.Diff{}, learned{}, err
	}
	var found [2]*scoring.Signatures
	var fresh learned
	for i := range sides {
		if found[i], err = s.signatures(name, t, &sides[i]); err != nil {
			return scoring.Diff{}, learned{}, err
		}
		if sides[i].known == nil && found[i] != nil {
			fresh[i] = found[i].Encode()
		}
	}
	return scoring.TreeDiffByKind(found[0], found[1], t.weights, t.language.kinds), fresh, nil
}

// signatures parses a text, unless it comes with what an earlier parse found.
// Nil means no nodes.
func (s *scorer) signatures(name string, t *table, from *side) (*scoring.Signatures, error) {
	if from.known != nil {
		signatures, err := scoring.DecodeSignatures(from.text, from.known)
		if err != nil {
			return nil, fmt.Errorf("reading what was found in a text: %w", err)
		}
		return signatures, nil
	}
	if len(from.text) == 0 {
		return nil, nil //nolint:nilnil // an empty text has no nodes
	}
	nodes, err := s.library.walk(t.language, t.symbols, from.text, s.timeout)
	if errors.Is(err, errNoTree) {
		return nil, nil //nolint:nilnil // the rules: a parse that fails or takes too long gives no nodes
	}
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", name, err)
	}
	return scoring.Collect(from.text, nodes, t.weights), nil
}
