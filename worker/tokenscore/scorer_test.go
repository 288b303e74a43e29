package tokenscore //nolint:testpackage // what a child remembers is its own

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

func testScorer(t *testing.T) *scorer {
	t.Helper()
	s := newScorer(testLibrary(t), time.Hour)
	weigh(t, s, weightsMessage{
		Digest: "one", Structural: map[string]float64{"function_declaration": 2, "if_statement": 1, "block": 0.3, "return_statement": 0.35},
		Leaf: map[string]float64{"identifier": 0.1, "int_literal": 0.05},
	})
	return s
}

func weigh(t *testing.T, s *scorer, w weightsMessage) {
	t.Helper()
	data := must.Get(json.Marshal(w))(t)
	must.Do(t, s.setWeights(data))
}

// parsed scores a new file and returns what is remembered of it.
func parsed(t *testing.T, s *scorer, language, text string) *tokens.Signatures {
	t.Helper()
	must.Get(s.diff(language, [2]string{"", text}))(t)
	return s.tables[language].seen[text]
}

// Figures are the same, contributions included, whichever of a file's texts the
// child remembers.
func TestFiguresFromMemory(t *testing.T) {
	t.Parallel()
	base := "package small\n\nfunc One() int { return 1 }\n\nfunc Gone() { for {\n\t} }\n"
	head := "package small\n\nfunc One() int {\n\tif x := two(); x > 0.1 {\n\t\treturn x\n\t}\n\treturn 1\n}\n"
	var want tokens.Diff
	for _, known := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		s := testScorer(t)
		for i, text := range []string{base, head} {
			if known[i] && parsed(t, s, "go", text) == nil {
				t.Fatalf("text %d is not remembered", i)
			}
		}
		got := must.Get(s.diff("go", [2]string{base, head}))(t)
		if known == [2]bool{} {
			if want = got; len(want.Largest) != 5 || want.StructuralDeletedCount == 0 || want.LeafAddedCount == 0 {
				t.Fatalf("figures %+v; want five contributions, and nodes on both sides", want)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("base and head known: %v; figures differ (-unknown +known):\n%s", known, d)
		}
	}
}

// A text is parsed once for each language, until the weights change or more was
// found than a child remembers.
func TestATextIsParsedOnce(t *testing.T) {
	t.Parallel()
	s := testScorer(t)
	const text = "package a\n\nvar one = 1\n"
	first := parsed(t, s, "go", text)
	if again := parsed(t, s, "go", text); first == nil || again != first {
		t.Errorf("the same text: %p, then %p; want one", first, again)
	}
	if other := parsed(t, s, "python", text); other == nil || other == first {
		t.Errorf("in another language: %p, want another than %p", other, first)
	}
	large := fmt.Sprintf("package a\n\nvar all = %q\n", strings.Repeat("x", 900_000))
	for i := 0; s.tables["go"].seen[text] != nil; i++ {
		if s.remembered > maxRemembered || i > maxRemembered/len(large) {
			t.Fatalf("%d bytes are remembered after %d large texts, want at most %d", s.remembered, i, maxRemembered)
		}
		parsed(t, s, "go", fmt.Sprint(large, "// ", i))
	}
	if len(s.tables["go"].seen) != 1 || len(s.tables["python"].seen) != 0 || s.remembered > 2*len(large) {
		t.Errorf("%d texts and %d bytes are remembered after the child began anew, want the last text", len(s.tables["go"].seen), s.remembered)
	}
	weigh(t, s, weightsMessage{Digest: "two"})
	if len(s.tables) != 0 || s.remembered != 0 {
		t.Errorf("%d bytes of %d languages are remembered under other weights", s.remembered, len(s.tables))
	}
}

// A parse that ran out of time may not the next time.
func TestNoTreeIsNotRemembered(t *testing.T) {
	t.Parallel()
	s := testScorer(t)
	s.timeout = time.Microsecond
	text := strings.Repeat("a?b:", 10_000)
	if found := parsed(t, s, "go", text); found != nil {
		t.Errorf("%+v is remembered of a text past its time", found)
	}
	if _, remembered := s.tables["go"].seen[text]; remembered {
		t.Error("a text past its time is remembered as without nodes")
	}
}
