package tokenscore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// saturation is the default src_tok_saturation_scale, which the cases use.
const saturation = 58

// Every language's cases come out as the validator computed them, file by file
// and together, equal to the last bit, through real child processes.
func TestParity(t *testing.T) { //nolint:tparallel // the group of languages ends before the pools do
	t.Parallel()
	all := must.Get(readCases())(t)
	two := func(c *tokenscore.Config) { c.Children = 2 }
	loaded := setup(t, two)
	today := loaded.without(t, "csharp")
	t.Run("languages", func(t *testing.T) { // ends before the pools are closed
		for _, l := range all {
			t.Run(l.key, func(t *testing.T) {
				t.Parallel()
				b := today
				if l.key == loadedCSharp {
					b = loaded
				}
				l.check(t, b)
			})
		}
	})
	if os.Getenv(parityEnv) != "" {
		return
	}
	// The project's own cases cover every language, C# both ways.
	if got, want := len(all), len(tokens.Languages())+1; got != want {
		t.Errorf("cases of %d languages, want %d", got, want)
	}
}

func (l *languageCases) check(t *testing.T, b *bundle) {
	t.Helper()
	var files []tokens.File
	for _, c := range l.cases {
		files = append(files, c.file)
		figures := b.score(t, c.file)
		f := figures.Files[0]
		got := c.want
		got.Method = f.Method
		got.Test = f.Test
		got.Score = f.Score
		got.Nodes = f.Nodes
		got.Breakdown = f.Breakdown
		got.BaseScore = tokens.BaseScore(&figures, saturation)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	figures := b.score(t, files...)
	got := together{
		BaseScore: tokens.BaseScore(&figures, saturation), TokenScore: figures.TokenScore,
		StructuralCount: figures.StructuralCount, StructuralScore: figures.StructuralScore,
		LeafCount: figures.LeafCount, LeafScore: figures.LeafScore, TotalNodesScored: figures.TotalNodesScored,
	}
	if diff := cmp.Diff(l.together, got); diff != "" {
		t.Errorf("together (-want +got):\n%s", diff)
	}
}

// A folder of cases that is missing, empty or malformed is an error that names
// it, never a pass.
func TestParityFolderMustHoldCases(t *testing.T) {
	for name, write := range map[string]func(dir string) error{
		"missing": func(string) error { return nil },
		"empty":   func(dir string) error { return os.MkdirAll(dir, 0o755) },
		"not JSON": func(dir string) error {
			return put(dir, "expected.json", "{")
		},
		"no language": func(dir string) error {
			return put(dir, "expected.json", "{}")
		},
		"no such language": func(dir string) error {
			return put(dir, "expected.json", `{"cobol": {"files": {}, "together": {}}}`)
		},
		"no cases": func(dir string) error {
			return put(dir, "expected.json", `{"go": {"files": {}, "together": {}}}`)
		},
		"no text": func(dir string) error {
			return put(dir, "expected.json", `{"go": {"files": {"a": {"path": "a.go", "status": "added"}}, "together": {}}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			must.Do(t, write(filepath.Join(folder, "tokens")))
			t.Setenv(parityEnv, folder)
			cases, err := readCases()
			if err == nil || !strings.Contains(err.Error(), folder) {
				t.Errorf("got %d languages and error %v; want an error that names %s", len(cases), err, folder)
			}
		})
	}
}

func put(dir, name, text string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
}

// A file's figures say which node types gave them, under the grammar's own
// names, through a real child.
func TestLargestContributions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	figures := b.score(t, added("pkg/small.go", "package small\n\nfunc One() int { return 1 }\n"))
	f := figures.Files[0]
	sum := 0.0
	for _, c := range f.Largest {
		sum += c.Score
	}
	// These four types are all that give anything.
	if len(f.Largest) != 4 || sum < f.Score-1e-9 || sum > f.Score+1e-9 {
		t.Fatalf("contributions %+v give %v of %v; want four that give all of it", f.Largest, sum, f.Score)
	}
	// A function declaration weighs 2.0, at weight 2 for the language.
	if want := (tokens.Contribution{Type: "function_declaration", Added: 1, Score: 4}); f.Largest[0] != want {
		t.Errorf("the largest is %+v, want %+v", f.Largest[0], want)
	}
	if moved := b.score(t, modified("pkg/small.go", "package a\n", "package a\n")).Files[0]; moved.Largest != nil {
		t.Errorf("an unchanged file has contributions: %+v", moved.Largest)
	}
}
