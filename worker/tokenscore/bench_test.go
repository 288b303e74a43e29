package tokenscore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore"
)

// chunk is a part of the work that both sides do before the next one: what else
// runs on the machine then comes and goes for both.
type chunk struct {
	pulls [][]scoring.File
	texts []benchText // those to be parsed for them that no chunk before had
}

// benchChunks cuts pull requests into chunks of about a megabyte of texts.
func benchChunks(pulls [][]scoring.File, w *scoring.Weights) (chunks []chunk, texts, bytes int) {
	type text struct{ language, text string }
	seen := make(map[text]bool)
	var now chunk
	size := 0
	for i, pull := range pulls {
		now.pulls = append(now.pulls, pull)
		for _, plan := range scoring.PlanFiles(pull, w) {
			if plan.Base == plan.Head || !w.Loads(plan.Language) {
				continue
			}
			for _, content := range []string{plan.Base, plan.Head} {
				if key := (text{plan.Language, content}); content != "" && !seen[key] {
					seen[key] = true
					now.texts = append(now.texts, benchText{plan.Language, []byte(content)})
					size += len(content)
				}
			}
		}
		if size > 1<<20 || i == len(pulls)-1 {
			chunks, texts, bytes = append(chunks, now), texts+len(now.texts), bytes+size
			now, size = chunk{}, 0
		}
	}
	return chunks, texts, bytes
}

// eachOthers gives weights that differ from the default ones, and from each
// other, in a figure that no case notices: with new ones a pool remembers none
// of the texts that it has seen, however few they are.
func eachOthers(b *testing.B) func() *scoring.Weights {
	b.Helper()
	languages, tokens := scoring.DefaultWeights()
	n := 0
	return func() *scoring.Weights {
		n++
		w, err := scoring.ParseWeights(append(fmt.Appendf(nil, `{"zzz": %d, `, n), languages[1:]...), tokens)
		if err != nil {
			b.Fatal(err)
		}
		return w
	}
}

// rounds are what the medians are over.
const rounds = 6

// BenchmarkEndToEnd scores all pairs through one child, pipes included, and
// parses their distinct texts with the same build of the parser and nothing
// else, in turns. The figures are medians; the ratio of the two is what scoring
// costs over parsing.
func BenchmarkEndToEnd(b *testing.B) {
	bundle := setup(b)
	set := readPairs(b, bundle.weights)
	chunks, texts, bytes := benchChunks(set.pulls, bundle.weights)
	b.Logf("%v: %d distinct texts, %.1f MB", set, texts, float64(bytes)/1e6)
	b.SetBytes(int64(rounds * bytes))
	parser := startParsing(b, chunks)
	pids := bundle.pool.Pids()
	next := eachOthers(b)
	round := func(scored, parsed *stopwatch) {
		w := next()
		scored.begin()
		parsed.begin()
		for i := range chunks {
			scored.measure(b, pids, func() {
				for _, files := range chunks[i].pulls {
					if _, err := bundle.pool.Score(context.Background(), w, files); err != nil {
						b.Fatal(err)
					}
				}
			})
			parsed.add(parser.parse(b, i))
		}
	}
	round(new(stopwatch), new(stopwatch)) // opens every grammar
	var scored, parsed stopwatch
	for b.Loop() {
		for range rounds {
			round(&scored, &parsed)
		}
	}
	b.ReportMetric(milliseconds(median(scored.Wall)), "score-ms")
	b.ReportMetric(milliseconds(median(parsed.Wall)), "parse-ms")
	b.ReportMetric(median(scored.Wall).Seconds()/median(parsed.Wall).Seconds(), "score/parse")
	b.ReportMetric(median(scored.CPU).Seconds()/median(parsed.CPU).Seconds(), "cpu-score/parse")
	if got := bundle.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		b.Errorf("stats %+v; want one child and nothing lost", got)
	}
	for _, pid := range pids {
		if _, resident, err := tokenscore.MemoryOf(pid); err == nil {
			b.ReportMetric(float64(resident)/(1<<20), "child-MB")
		}
	}
}

// BenchmarkChildren scores the same pairs with one child and with two, in turns:
// speedup is how much faster two are, cpu-two/one how much more they work for it
// (a text that both get at once is parsed by both). Two need two processors to
// themselves.
func BenchmarkChildren(b *testing.B) {
	one := setup(b)
	two := setup(b, func(c *tokenscore.Config) { c.Children = 2 })
	set := readPairs(b, one.weights)
	b.Logf("%v", set)
	next := eachOthers(b)
	run := func(pool *tokenscore.Pool, w *scoring.Weights, s *stopwatch) {
		s.begin()
		s.measure(b, pool.Pids(), func() { scoreConcurrently(b, pool, w, set.pulls) })
	}
	w := next()
	run(one.pool, w, new(stopwatch)) // opens every grammar
	run(two.pool, w, new(stopwatch))
	var ones, twos stopwatch
	for b.Loop() {
		for range rounds {
			w := next()
			run(one.pool, w, &ones)
			run(two.pool, w, &twos)
		}
	}
	b.ReportMetric(milliseconds(median(ones.Wall)), "one-ms")
	b.ReportMetric(milliseconds(median(twos.Wall)), "two-ms")
	b.ReportMetric(median(ones.Wall).Seconds()/median(twos.Wall).Seconds(), "speedup")
	b.ReportMetric(median(twos.CPU).Seconds()/median(ones.CPU).Seconds(), "cpu-two/one")
}

// scoreConcurrently has as many callers as a worker that holds its default
// number of pull requests at once.
func scoreConcurrently(b *testing.B, pool *tokenscore.Pool, w *scoring.Weights, pulls [][]scoring.File) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(pulls)); i = next.Add(1) - 1 {
				if _, err := pool.Score(context.Background(), w, pulls[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
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
