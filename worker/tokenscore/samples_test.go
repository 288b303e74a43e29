package tokenscore_test

import (
	"context"
	"slices"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// The samples are the validator's: each is a case, text and figures, and every
// language has one.
func TestSamplesAreTheValidators(t *testing.T) {
	t.Parallel()
	samples := must.Get(tokenscore.Samples())(t)
	files := must.Get(unpackCases("testdata/tokens.tar.gz"))(t)
	all := must.Get(parseCases(files))(t)
	var languages []string
	for _, s := range samples {
		languages = append(languages, s.Language)
		known := slices.ContainsFunc(all, func(l languageCases) bool {
			return l.language == s.Language && slices.ContainsFunc(l.cases, func(c tokenCase) bool {
				return c.name == s.Case && c.file.Head != nil && *c.file.Head == s.Text && c.want.Path == s.Path && c.want.Status == "added" &&
					c.want.Changes == s.Changes && c.want.Score == s.Score && c.want.Nodes == s.Nodes
			})
		})
		if !known || s.Nodes == 0 {
			t.Errorf("the sample of %s is no case of the validator's with nodes", s.Language)
		}
	}
	want := tokens.Languages()
	slices.Sort(want)
	if !slices.Equal(languages, want) {
		t.Errorf("samples of %v, want %v", languages, want)
	}
}

// Check scores each sample in a real child; a child that finds nothing is found
// out.
func TestCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	checked, wrong, err := b.pool.Check(t.Context())
	if err != nil || checked != len(tokens.Languages()) || len(wrong) != 0 {
		t.Errorf("%d checked, wrong %+v, %v, want every language and none wrong", checked, wrong, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.pool.Check(ended); err == nil {
		t.Error("Check under an ended context returns nil")
	}
}
