package tokenscore_test

import (
	"context"
	"testing"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore"
)

type benchText struct{ language, text string }

// benchFiles are the parity cases as pull requests of one language each, and
// their distinct texts in the same order: both sides find the grammars' tables
// equally warm.
func benchFiles(b *testing.B) (pulls [][]scoring.File, texts []benchText, bytes int64) {
	b.Helper()
	all, err := readCases()
	if err != nil {
		b.Fatal(err)
	}
	seen := make(map[benchText]bool)
	for _, l := range all {
		var pull []scoring.File
		for _, c := range l.cases {
			pull = append(pull, c.file)
			for _, text := range []*string{c.file.Head, c.file.Base} {
				if text == nil || seen[benchText{l.language, *text}] {
					continue
				}
				seen[benchText{l.language, *text}] = true
				texts = append(texts, benchText{l.language, *text})
				bytes += int64(len(*text))
			}
		}
		pulls = append(pulls, pull)
	}
	return pulls, texts, bytes
}

// otherWeights differ from the default ones in a figure that no case notices:
// changing between the two makes a child forget the texts that it has seen.
func otherWeights(b *testing.B) *scoring.Weights {
	b.Helper()
	languages, _ := scoring.DefaultWeights()
	_, tokens := scoring.DefaultWeights()
	w, err := scoring.ParseWeights(append([]byte(`{"zzz": 1, `), languages[1:]...), tokens)
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkEndToEnd scores all cases through one child, pipes included, and
// parses their distinct texts with the same build of the parser, in turns; the
// ratio of the two is what scoring costs over parsing.
func BenchmarkEndToEnd(b *testing.B) {
	pulls, texts, bytes := benchFiles(b)
	bundle := setup(b)
	weights := []*scoring.Weights{bundle.weights, otherWeights(b)}
	parser, err := tokenscore.NewParser(grammarsDir())
	if err != nil {
		b.Fatal(err)
	}
	defer parser.Close()
	scoreAll := func(w *scoring.Weights) {
		for _, files := range pulls {
			if _, err := bundle.pool.Score(context.Background(), w, files); err != nil {
				b.Fatal(err)
			}
		}
	}
	parseAll := func() {
		for _, t := range texts {
			if err := parser.Parse(t.language, []byte(t.text)); err != nil {
				b.Fatal(err)
			}
		}
	}
	scoreAll(weights[1]) // opens every grammar
	parseAll()
	b.SetBytes(bytes)
	var scoring, parsing time.Duration
	round := 0
	for b.Loop() {
		began := time.Now()
		scoreAll(weights[round%2])
		scored := time.Now()
		parseAll()
		scoring, parsing = scoring+scored.Sub(began), parsing+time.Since(scored)
		round++
	}
	b.ReportMetric(float64(scoring.Microseconds())/1000/float64(round), "score-ms")
	b.ReportMetric(float64(parsing.Microseconds())/1000/float64(round), "parse-ms")
	b.ReportMetric(scoring.Seconds()/parsing.Seconds(), "score/parse")
	for _, pid := range bundle.pool.Pids() {
		if _, resident, err := tokenscore.MemoryOf(pid); err == nil {
			b.ReportMetric(float64(resident)/(1<<20), "child-MB")
		}
	}
}

// BenchmarkStart is what a restart costs: process, runtime, greeting, and the
// first file with its grammar.
func BenchmarkStart(b *testing.B) {
	cfg := config(b)
	w := defaultWeights(b)
	file := added("a.go", "package a\n")
	for b.Loop() {
		pool, err := tokenscore.New(context.Background(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := pool.Score(context.Background(), w, []scoring.File{file}); err != nil {
			b.Fatal(err)
		}
		if err := pool.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
