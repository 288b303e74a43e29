package tokenscore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore"
)

type benchText struct{ language, text string }

// distinctTexts are the texts that have to be parsed to score these, each once,
// in the order in which scoring comes to them: both sides find the grammars'
// tables equally warm.
func distinctTexts(pulls [][]scoring.File, w *scoring.Weights) (texts []benchText, bytes int64) {
	seen := make(map[benchText]bool)
	for _, pull := range pulls {
		for _, plan := range scoring.PlanFiles(pull, w) {
			if plan.Base == plan.Head || !w.Loads(plan.Language) {
				continue
			}
			for _, text := range []string{plan.Base, plan.Head} {
				key := benchText{plan.Language, text}
				if text != "" && !seen[key] {
					seen[key] = true
					texts, bytes = append(texts, key), bytes+int64(len(text))
				}
			}
		}
	}
	return texts, bytes
}

// otherWeights differ from the default ones in a figure that no case notices:
// changing between the two makes a child forget the texts that it has seen.
func otherWeights(b *testing.B) *scoring.Weights {
	b.Helper()
	languages, tokens := scoring.DefaultWeights()
	w, err := scoring.ParseWeights(append([]byte(`{"zzz": 1, `), languages[1:]...), tokens)
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkEndToEnd scores all pairs through one child, pipes included, and
// parses their distinct texts with the same build of the parser and nothing
// else, in turns. The figures are medians; the ratio of the two is what scoring
// costs over parsing.
func BenchmarkEndToEnd(b *testing.B) {
	bundle := setup(b)
	set := readPairs(b, bundle.weights)
	texts, bytes := distinctTexts(set.pulls, bundle.weights)
	weights := []*scoring.Weights{bundle.weights, otherWeights(b)}
	parser, err := tokenscore.NewParser(grammarsDir())
	if err != nil {
		b.Fatal(err)
	}
	defer parser.Close()
	scoreAll := func(w *scoring.Weights) {
		for _, files := range set.pulls {
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
	b.Logf("%v: %d distinct texts, %.1f MB", set, len(texts), float64(bytes)/1e6)
	b.SetBytes(bytes)
	var scored, parsed stopwatch
	pids := bundle.pool.Pids()
	for b.Loop() {
		for round := range 6 { // even, so that the weights change each time
			scored.measure(b, pids, func() { scoreAll(weights[round%2]) })
			parsed.measure(b, pids, parseAll)
		}
	}
	b.ReportMetric(milliseconds(median(scored.wall)), "score-ms")
	b.ReportMetric(milliseconds(median(parsed.wall)), "parse-ms")
	b.ReportMetric(median(scored.wall).Seconds()/median(parsed.wall).Seconds(), "score/parse")
	b.ReportMetric(median(scored.cpu).Seconds()/median(parsed.cpu).Seconds(), "cpu-score/parse")
	if got := bundle.pool.Stats(); got != (tokenscore.Stats{Started: 1}) {
		b.Errorf("stats %+v; want one child and nothing lost", got)
	}
	for _, pid := range pids {
		if _, resident, err := tokenscore.MemoryOf(pid); err == nil {
			b.ReportMetric(float64(resident)/(1<<20), "child-MB")
		}
	}
}

// stopwatch measures the same work again and again, by the clock and by the
// processor time of this process and the children: what else runs on the
// machine stretches the first far more than the second.
type stopwatch struct{ wall, cpu []time.Duration }

func (s *stopwatch) measure(tb testing.TB, pids []int, work func()) {
	tb.Helper()
	began, cpu := time.Now(), cpuTime(tb, pids)
	work()
	s.wall = append(s.wall, time.Since(began))
	s.cpu = append(s.cpu, cpuTime(tb, pids)-cpu)
}

// cpuTime is what this process and these have used.
func cpuTime(tb testing.TB, pids []int) time.Duration {
	tb.Helper()
	var self unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &self); err != nil {
		tb.Fatal(err)
	}
	sum := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	for _, pid := range pids {
		// The first number is the process's time on a processor, in nanoseconds;
		// /proc/PID/schedstat tells the first thread's alone.
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			tb.Fatal(err)
		}
		for _, task := range tasks {
			data, err := os.ReadFile(task)
			if err != nil {
				continue // a thread that has ended
			}
			var ns int64
			if _, err := fmt.Sscan(string(data), &ns); err != nil {
				tb.Fatal(err)
			}
			sum += time.Duration(ns)
		}
	}
	return sum
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return (d[(len(d)-1)/2] + d[len(d)/2]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
