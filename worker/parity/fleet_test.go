package parity_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// fleetAsOf is no whole millisecond: the mirror cuts windows off there.
var fleetAsOf = time.Date(2026, 6, 1, 12, 0, 0, 123_456_789, time.UTC)

// lookbacks are the days of each of the fleet's repositories.
var lookbacks = map[string]int{"Acme/Rocket": 30, "acme/plane": 7, "beta/ship": 90}

// fleet gives 256 miners the issues of every kind that decides something, by turns.
func fleet(seed uint64) *mirrorsim.World {
	w := mirrorsim.NewWorld("fleet", fleetAsOf)
	var registry []string
	for name, days := range lookbacks {
		registry = append(registry, fmt.Sprintf(`%q: {"emission_share": 0.3, "issue_discovery_share": 0.5, "scoring": {"pr_lookback_days": %d}}`,
			name, days))
	}
	w.Registry = []byte("{" + strings.Join(registry, ",") + "}")
	g := &generator{World: w, Rand: rand.New(rand.NewPCG(seed, 256))}
	for uid := range 256 {
		id := fmt.Sprint(10_000 + uid)
		if uid%50 == 49 { // a shared account
			id = fmt.Sprint(10_000 + uid - 1)
		}
		w.Miners = append(w.Miners, input.Miner{
			UID: uid, Hotkey: fmt.Sprintf("hk%d", uid), GitHubID: id, Token: input.TokenValid, IdentityUnreachable: uid%40 == 39,
		})
		g.kinds()[uid%len(g.kinds())](id)
		for range g.IntN(3) {
			g.some(id)
		}
	}
	for n := range 40 { // nobody's, and others'
		g.issue("", "acme/rocket", "OPEN", n*24)
		g.some(fmt.Sprint(90_000 + n))
	}
	return w
}

// generator numbers the issues that it makes.
type generator struct {
	*mirrorsim.World
	*rand.Rand

	number int
}

// make is an issue of an age in hours; a closed one was closed then, and created a day before.
func (g *generator) make(id, repo, state string, hours int) mirrorsim.Issue {
	g.number++
	at := fleetAsOf.Add(-time.Duration(hours) * time.Hour)
	created := at
	i := mirrorsim.Issue{RepoFullName: repo, Number: g.number, State: state, AuthorGitHubID: &id, CreatedAt: &created}
	if state == "CLOSED" {
		created = at.Add(-24 * time.Hour)
		i.ClosedAt = &at
	}
	return i
}

func (g *generator) issue(id, repo, state string, hours int) {
	i := g.make(id, repo, state, hours)
	if id == "" {
		i.AuthorGitHubID = nil
	}
	g.AddIssue(id, i)
}

// some is any issue of anywhere.
func (g *generator) some(id string) {
	repos := []string{"Acme/Rocket", "acme/rocket", "ACME/plane", "beta/ship", "else/where"}
	g.issue(id, repos[g.IntN(len(repos))], []string{"OPEN", "CLOSED"}[g.IntN(2)], g.IntN(100*24))
}

// at puts an issue a little before or after the edge of a repository's window.
func (g *generator) at(id, repo, state string, off time.Duration) {
	i := g.make(id, repo, state, lookbacks[repo]*24)
	for _, at := range []*time.Time{i.CreatedAt, i.ClosedAt} {
		if at != nil {
			*at = at.Truncate(time.Millisecond).Add(off)
		}
	}
	g.AddIssue(id, i)
}

// kinds are what a miner may have, each by itself.
func (g *generator) kinds() []func(id string) {
	raw := func(repo string, open bool, hours int, text string) func(string) {
		return func(id string) {
			g.number++
			text := strings.NewReplacer("{id}", id, "{n}", fmt.Sprint(g.number)).Replace(text)
			g.AddRawIssue(id, repo, g.number, open, fleetAsOf.Add(-time.Duration(hours)*time.Hour), []byte(text))
		}
	}
	return []func(string){
		func(string) {}, // none
		func(id string) { g.at(id, "acme/plane", "OPEN", 0) },
		func(id string) { g.at(id, "acme/plane", "OPEN", -time.Microsecond) },
		func(id string) { g.at(id, "acme/plane", "OPEN", time.Millisecond) },
		func(id string) { g.at(id, "Acme/Rocket", "CLOSED", 0) },
		func(id string) { g.at(id, "Acme/Rocket", "CLOSED", -time.Millisecond) },
		func(id string) { g.at(id, "beta/ship", "CLOSED", time.Second) },
		func(id string) { g.issue(id, "ACME/ROCKET", "OPEN", 60*24); g.issue(id, "acme/rocket", "OPEN", 61*24) },
		func(id string) { g.issue(id, "else/where", "OPEN", 1); g.issue(id, "else/where", "CLOSED", 1) }, // unknown repository
		func(id string) { // closed, and nobody knows when
			i := g.make(id, "acme/rocket", "CLOSED", 1)
			i.ClosedAt = nil
			g.AddIssue(id, i)
		},
		func(id string) { // transferred
			i := g.make(id, "beta/ship", "CLOSED", 48)
			i.IsTransferred = true
			g.AddIssue(id, i)
		},
		func(id string) { // nobody's, and yet in a miner's list
			i := g.make(id, "beta/ship", "OPEN", 48)
			i.AuthorGitHubID = nil
			g.AddIssue(id, i)
		},
		func(id string) { // solved by somebody whose files are unknown
			i := g.make(id, "beta/ship", "CLOSED", 48)
			solver := 7
			reason := "COMPLETED"
			i.SolvedByPR, i.StateReason = &solver, &reason
			i.SolvingPR = &mirrorsim.SolvingPR{Number: solver, AuthorGitHubID: "9", State: "MERGED", MergedAt: i.ClosedAt}
			g.AddIssue(id, i)
		},
		func(id string) { // more than a page
			for range 230 {
				g.issue(id, "acme/rocket", "OPEN", 40*24)
			}
		},
		raw("acme/rocket", true, 50*24, `{"repo_full_name":"acme/rocket","issue_number":"x{n}","author_github_id":"{id}","state":"OPEN"}`),
		raw("acme/rocket", true, 50*24, `{"repo_full_name":"acme/rocket","issue_number":"{n}","author_github_id":{id},"state":"OPEN"}`),
		raw("acme/rocket", false, 50*24, `{"repo_full_name":null,"issue_number":{n},"author_github_id":"{id}","state":"CLOSED"}`),
		raw("acme/rocket", false, 50*24, `{"repo_full_name":"acme/rocket","issue_number":{n},"author_github_id":"{id}","state":"MERGED"}`),
		raw("acme/rocket", true, 50*24, `{"repo_full_name":"acme/rocket","issue_number":{n},"author_github_id":"{id}","state":"OPEN","created_at":"soon"}`),
	}
}

// A fleet of 256 miners with every kind of issue comes to the same bytes with the one
// answer as without it, for less than a request and a half for issues a miner, and 1.95
// requests a miner of a warm round.
func TestOneAnswerOfAFleet(t *testing.T) {
	t.Parallel()
	parser := startScorer(t)
	parser.seen = map[string]*tokens.Figures{}
	seeds := uint64(2)
	if allReal() {
		seeds = 4
	}
	for seed := range seeds {
		w := fleet(seed)
		r := round{
			asOf: w.AsOf, registry: must.Get(input.ParseRegistry(w.Registry))(t), miners: w.Miners, mirror: w,
		}
		each := playRound(t, parser, r, nil, untold)
		one := playRound(t, parser, r, nil, asking(t))
		if one.all.Unused != "" || one.all.Unreadable == 0 || len(one.all.Miners) < 150 {
			t.Fatalf("seed %d: the one answer: unused %q, %d unreadable rows, %d miners; want it used, some, and most",
				seed, one.all.Unused, one.all.Unreadable, len(one.all.Miners))
		}
		got, want := encode(t, one.outcome), encode(t, each.outcome)
		if got != want {
			t.Errorf("seed %d: another outcome\n%s", seed, firstDifference(got, want))
		}
		evaluated(t, one.input.Evaluations, each.input.Evaluations)
		one.fewer(t, int(seed), each)
		// Without files, which a warm round has: a request for pull requests, and those for issues.
		asked := one.byRoute[mirrorsim.RoutePulls] + one.issues()
		if most := 1.95*float64(len(w.Miners)) + 10; float64(asked) > most {
			t.Errorf("seed %d: %d requests of a warm round, want at most %.0f", seed, asked, most)
		}
		t.Logf("seed %d: a warm round makes %.2f requests a miner, without the one answer %.2f", seed,
			float64(asked)/float64(len(w.Miners)), float64(each.byRoute[mirrorsim.RoutePulls]+each.issues())/float64(len(w.Miners)))
		t.Logf("seed %d: %d requests for issues with the one answer, %d without, %d miners", seed, one.issues(), each.issues(), len(w.Miners))
		if maximum := 3 * len(w.Miners) / 2; one.issues() > maximum {
			t.Errorf("seed %d: %d requests for issues, want at most %d", seed, one.issues(), maximum)
		}
	}
}

// evaluated compares what the workers made of the miners.
func evaluated(t *testing.T, got, want map[int]scoring.Evaluation) {
	t.Helper()
	for uid := range want {
		if a, b := string(encodeAny(t, got[uid])), string(encodeAny(t, want[uid])); a != b {
			t.Errorf("miner %d: another evaluation\n%s", uid, firstDifference(a, b))
		}
	}
}
