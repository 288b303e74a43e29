package tokens_test

import (
	"errors"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring/tokens"
)

func parseDefaults(tb testing.TB) *tokens.Weights {
	tb.Helper()
	w, err := tokens.ParseWeights(tokens.DefaultWeights())
	if err != nil {
		tb.Fatalf("the default weights: %v", err)
	}
	return w
}

// The shipped files hold the figures in force: spot checks of each table, and
// that every language is somebody's.
func TestDefaultWeights(t *testing.T) {
	t.Parallel()
	w := parseDefaults(t)
	if got := w.Structural(); len(got) != 57 || got["class_definition"] != 2.5 || got["sym_lit"] != 0.05 {
		t.Errorf("%d structural weights, class_definition %v, sym_lit %v", len(got), got["class_definition"], got["sym_lit"])
	}
	if got := w.Leaf(); len(got) != 41 || got["super"] != 0.2 || got["comment"] != 0 {
		t.Errorf("%d leaf weights, super %v, comment %v", len(got), got["super"], got["comment"])
	}
	for ext, want := range map[string]string{"go": "go", "tsx": "tsx", "kts": "kotlin", "json": "", "erb": "", "exe": "", "": ""} {
		if got := w.Language(ext); got != want {
			t.Errorf("language of %q: %q, want %q", ext, got, want)
		}
	}
	languages, _ := tokens.DefaultWeights()
	for _, language := range tokens.Languages() {
		if !strings.Contains(string(languages), `"language": "`+language+`"`) {
			t.Errorf("no extension has language %s", language)
		}
	}
}

// The digest is that of the content: order, spacing and spelling do not matter,
// any figure does.
func TestDigest(t *testing.T) {
	t.Parallel()
	tokenFile := `{"structural_bonus": {"a": 1, "b": 2}, "leaf_tokens": {"c": 0.5}}`
	digest := func(languages, tokenFile string) string {
		t.Helper()
		w, err := tokens.ParseWeights([]byte(languages), []byte(tokenFile))
		if err != nil {
			t.Fatal(err)
		}
		return w.Digest()
	}
	first := digest(`{"go": {"weight": 2, "language": "go"}, "md": 1}`, tokenFile)
	same := digest(`{"md": {"weight": 1.0}, "go": {"language": "go", "weight": 2e0}}`,
		`{"leaf_tokens": {"c": 5e-1}, "structural_bonus": {"b": 2, "a": 1.0}}`)
	if first != same {
		t.Errorf("digests %s and %s of the same weights", first, same)
	}
	for _, other := range []string{
		digest(`{"go": {"weight": 2.5, "language": "go"}, "md": 1}`, tokenFile),
		digest(`{"go": {"weight": 2, "language": "rust"}, "md": 1}`, tokenFile),
		digest(`{"go": {"weight": 2, "language": "go"}, "md": 1}`, `{"structural_bonus": {"a": 1}, "leaf_tokens": {"b": 2, "c": 0.5}}`),
	} {
		if other == first {
			t.Errorf("digest %s of other weights too", first)
		}
	}
}

// Files that break a rule are refused with file, key, value and what would be right.
func TestParseWeightsRefuses(t *testing.T) {
	t.Parallel()
	const languages, tokenFile = `{"go": {"weight": 2, "language": "go"}}`, `{"structural_bonus": {"a": 1}, "leaf_tokens": {"c": 1}}`
	for _, tt := range []struct {
		languages, tokenFile string
		want                 []string
	}{
		{``, tokenFile, []string{"programming_languages.json", "JSON object"}},
		{`[]`, tokenFile, []string{"programming_languages.json", "JSON object"}},
		{`{}`, tokenFile, []string{"programming_languages.json", "at least one"}},
		{`{"go": 1} x`, tokenFile, []string{"programming_languages.json", "after"}},
		{`{"go": 1, "go": 2}`, tokenFile, []string{"programming_languages.json", `"go"`, "repeated"}},
		{`{"go": {"weight": "2"}}`, tokenFile, []string{`"go"`, "weight", `"2"`, "[0, 1000]"}},
		{`{"go": {"weight": true}}`, tokenFile, []string{`"go"`, "weight", "true", "[0, 1000]"}},
		{`{"go": -1}`, tokenFile, []string{`"go"`, "-1", "[0, 1000]"}},
		{`{"go": 1001}`, tokenFile, []string{`"go"`, "1001", "[0, 1000]"}},
		{`{"go": 1e999}`, tokenFile, []string{`"go"`, "1e999", "[0, 1000]"}},
		{`{"go": null}`, tokenFile, []string{`"go"`, "null", "[0, 1000]"}},
		{`{".go": 1}`, tokenFile, []string{`".go"`, "without a dot"}},
		{`{"GO": 1}`, tokenFile, []string{`"GO"`, "lower case"}},
		{`{"go": {"language": "cobol"}}`, tokenFile, []string{`"go"`, "language", `"cobol"`, "python"}},
		{`{"go": {"language": 7}}`, tokenFile, []string{`"go"`, "language", "7"}},
		{`{"go": {"wieght": 2}}`, tokenFile, []string{`"go"`, `"wieght"`, "weight or language"}},
		{languages, `{"structural_bonus": {"a": 1}}`, []string{"token_weights.json", "leaf_tokens", "absent"}},
		{languages, `{"structural_bonus": {}, "leaf_tokens": {"c": 1}}`, []string{"token_weights.json", "structural_bonus", "empty"}},
		{languages, `{"structural_bonus": {"a": -0.5}, "leaf_tokens": {"c": 1}}`, []string{"token_weights.json", "structural_bonus", `"a"`, "-0.5", "[0, 1000]"}},
		{languages, `{"structural_bonus": {"a": 1, "a": 1}, "leaf_tokens": {"c": 1}}`, []string{"structural_bonus", `"a"`, "repeated"}},
		{languages, `{"structural_bonus": {"a": 1}, "leaf_tokens": [], "x": 1}`, []string{"token_weights.json", "leaf_tokens"}},
		{languages, `{"bonus": {}}`, []string{"token_weights.json", `"bonus"`, "structural_bonus or leaf_tokens"}},
	} {
		_, err := tokens.ParseWeights([]byte(tt.languages), []byte(tt.tokenFile))
		if _, is := errors.AsType[*tokens.WeightsError](err); !is {
			t.Errorf("%s and %s: error %v, want a WeightsError", tt.languages, tt.tokenFile, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s and %s: error %q does not name %q", tt.languages, tt.tokenFile, err, want)
			}
		}
	}
}

// An absent weight is 1 and an absent language none, as in the validator.
func TestParseWeightsDefaults(t *testing.T) {
	t.Parallel()
	w, err := tokens.ParseWeights([]byte(`{"go": {"language": "go"}, "rs": {"weight": 3, "language": null}}`),
		[]byte(`{"structural_bonus": {"a": 1}, "leaf_tokens": {"c": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if w.Language("go") != "go" || w.Language("rs") != "" {
		t.Errorf("languages %q and %q, want go and none", w.Language("go"), w.Language("rs"))
	}
}

// Whatever the files hold, they are refused as a WeightsError or give weights
// in range with one digest.
func FuzzParseWeights(f *testing.F) {
	languages, tokenFile := tokens.DefaultWeights()
	f.Add(languages, tokenFile)
	f.Add([]byte(`{"go": {"weight": 2, "language": "go"}}`), []byte(`{"structural_bonus": {"a": 1}, "leaf_tokens": {"c": 1}}`))
	f.Fuzz(func(t *testing.T, languages, tokenFile []byte) {
		w, err := tokens.ParseWeights(languages, tokenFile)
		if err != nil {
			if _, is := errors.AsType[*tokens.WeightsError](err); !is {
				t.Errorf("error %v is no WeightsError", err)
			}
			return
		}
		for kind, weight := range w.Structural() {
			if !(weight >= 0 && weight <= 1000) {
				t.Errorf("%q has weight %v", kind, weight)
			}
		}
		again, err := tokens.ParseWeights(languages, tokenFile)
		if err != nil || again.Digest() != w.Digest() {
			t.Errorf("a second reading: digest %s, error %v; the first had %s", again.Digest(), err, w.Digest())
		}
	})
}

// A language that cannot be loaded changes what is computed, so it changes the
// digest; the order of the list and a repetition do not.
func TestWithout(t *testing.T) {
	t.Parallel()
	all, err := tokens.ParseWeights(tokens.DefaultWeights())
	if err != nil {
		t.Fatal(err)
	}
	digest := func(languages ...string) string {
		t.Helper()
		w, err := all.Without(languages)
		if err != nil {
			t.Fatal(err)
		}
		for _, language := range languages {
			if w.Loads(language) {
				t.Errorf("without %v, %s is still loaded", languages, language)
			}
		}
		return w.Digest()
	}
	if digest() != all.Digest() {
		t.Error("without nothing: want the same digest")
	}
	if digest("csharp") == all.Digest() {
		t.Error("without csharp: want another digest")
	}
	if digest("go", "csharp", "go") != digest("csharp", "go") {
		t.Error("the order of the list changes the digest")
	}
	if _, err := all.Without([]string{"cobol"}); err == nil || !strings.Contains(err.Error(), "cobol") {
		t.Errorf("without cobol: got %v, want an error that names it", err)
	}
}
