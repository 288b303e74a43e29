package parity_test

import (
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/openissues"
	"mirrorfleet/shared/scoring/input"
)

// asking asks for the one answer as a producer that plans the round now does.
func asking(tb testing.TB) func(round, *mirror.Client) job.AllIssues {
	tb.Helper()
	return func(r round, client *mirror.Client) job.AllIssues {
		return must.Get(openissues.Ask(tb.Context(), openissues.Question{
			Mirror: client, Manifest: job.Manifest{AsOf: r.asOf, PlannedAt: time.Now(), Miners: r.miners},
			Registry: r.registry, Bytes: openissues.DefaultBytes, Log: slog.New(slog.DiscardHandler),
		}))(tb)
	}
}

// Every round of every case comes to the same bytes with the one answer as without
// it, with the fewer requests that the simulator counts itself.
func TestOneAnswer(t *testing.T) {
	parser := startScorer(t)
	files := must.Get(caseFiles(casesDir()))(t)
	var used, rounds, without, with atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, file := range files {
			t.Run(caseName(file), func(t *testing.T) {
				t.Parallel()
				w, each := roundsOf(t, parser, file)
				for i, one := range play(t, parser, w, asking(t)) {
					got, want := encode(t, one.outcome), encode(t, each[i].outcome)
					if got != want {
						t.Errorf("round %d: another outcome\n%s", i, firstDifference(got, want))
					}
					one.fewer(t, i, each[i])
					one.warm(t, i)
					rounds.Add(1)
					without.Add(int64(each[i].issues()))
					with.Add(int64(one.issues()))
					if one.all.Unused == "" {
						used.Add(1)
					} else {
						t.Logf("round %d: %s", i, one.all.Unused)
					}
				}
			})
		}
	})
	t.Logf("the one answer was used in %d of %d rounds; %d requests for issues with it, %d without",
		used.Load(), rounds.Load(), with.Load(), without.Load())
	if casesDir() == ownCases && used.Load() < rounds.Load()/3 {
		t.Errorf("the one answer was used in %d of %d rounds, want a third at least", used.Load(), rounds.Load())
	}
}

// issues counts the requests for issues.
func (c concluded) issues() int {
	return c.byRoute[mirrorsim.RouteIssues] + c.byRoute[mirrorsim.RouteOpenIssues] + c.byRoute[mirrorsim.RouteAllIssues]
}

// fewer compares the requests with those without the one answer: it is asked for once,
// and leaves out what it answers, nothing else.
func (c concluded) fewer(t *testing.T, i int, each concluded) {
	t.Helper()
	known := 0
	pages := 0
	quiet := 0
	for _, m := range c.input.Miners {
		if issues, ok := c.all.Miners[m.GitHubID]; ok && input.FailureOf(m) == input.NoFailure {
			known++
			if pages++; issues.Open["acme/rocket"] > 200 { // the fleet's one list of two pages
				pages++
			}
			if !issues.Inside {
				quiet++
			}
		}
	}
	want := maps.Clone(each.byRoute)
	want[mirrorsim.RouteAllIssues] = 1
	want[mirrorsim.RouteOpenIssues] -= pages
	want[mirrorsim.RouteIssues] -= quiet
	for route, n := range want {
		if c.byRoute[route] != n {
			t.Errorf("round %d: %d requests %s, want %d: %d miners known, %d of them with nothing to list",
				i, c.byRoute[route], route, n, known, quiet)
		}
	}
	if c.all.Requests != 1 {
		t.Errorf("round %d: %d requests for the one answer, want 1", i, c.all.Requests)
	}
}

// warm bounds what a round asks for that has all files in the score cache: one thing of a
// miner, or two if issues of it lie inside the windows. A miner of whom the one answer does
// not tell has three. Further pages come on top, and ten requests for all miners.
func (c concluded) warm(t *testing.T, i int) {
	t.Helper()
	want := map[string]int{}
	for _, m := range c.input.Miners {
		if input.FailureOf(m) != input.NoFailure {
			continue
		}
		known, told := c.all.Miners[m.GitHubID]
		if !m.IdentityUnreachable {
			want[mirrorsim.RoutePulls]++
		}
		if !told || known.Inside {
			want[mirrorsim.RouteIssues]++
		}
		if !told {
			want[mirrorsim.RouteOpenIssues]++
		}
	}
	rest := 0
	for route, n := range c.byRoute {
		switch most, listed := want[route]; {
		case listed && n > most:
			t.Errorf("round %d: %d requests %s, want at most %d", i, n, route, most)
		case !listed && route != mirrorsim.RouteFiles:
			rest += n
		}
	}
	if rest > 10 {
		t.Errorf("round %d: %d requests for all miners, want at most 10", i, rest)
	}
}
