package tokenscore_test

import (
	"context"
	"strconv"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/tokens"
)

// BenchmarkScore scores the parity cases, a language's as a pull request, in one
// child. Each time round they are another author's, so that the child is a new
// one and remembers nothing.
func BenchmarkScore(b *testing.B) {
	bundle := setup(b)
	cases := must.Get(readCases())(b)
	var pulls [][]tokens.File
	bytes := 0
	for _, l := range cases {
		var pull []tokens.File
		for _, c := range l.cases {
			pull = append(pull, c.file)
			bytes += len(*c.file.Head)
			if c.file.Base != nil {
				bytes += len(*c.file.Base)
			}
		}
		pulls = append(pulls, pull)
	}
	b.SetBytes(int64(bytes))
	for author := 0; b.Loop(); author++ {
		for _, files := range pulls {
			must.Get(bundle.pool.Score(context.Background(), strconv.Itoa(author), bundle.weights, files, nil))(b)
		}
	}
}
