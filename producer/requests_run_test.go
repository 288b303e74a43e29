package main_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/mirrorsim/gitworld"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// history writes a git history with so many authors, each of whom merged so many pull
// requests in recent weeks.
func history(t *testing.T, authors, pulls int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "history")
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "-b", "main", dir).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	var stream strings.Builder
	at := time.Now().AddDate(0, 0, -20)
	for n := range authors*pulls + 1 { // the first commit changes nothing: it is no pull request
		title := fmt.Sprintf("change %d (#%d)", n, n)
		if n == 0 {
			title = "begin"
		}
		text := fmt.Sprintf("package p\n\nfunc f%d(x int) int { return x*%d + 1 }\n", n, n)
		who := fmt.Sprintf("author%d <author%[1]d@example.org> %d +0000", n%authors, at.Add(time.Duration(n)*time.Minute).Unix())
		fmt.Fprintf(&stream, "commit refs/heads/main\nauthor %s\ncommitter %[1]s\ndata %d\n%s\n", who, len(title), title)
		fmt.Fprintf(&stream, "M 644 inline f%d.go\ndata %d\n%s\n", n, len(text), text)
	}
	load := exec.CommandContext(t.Context(), "git", "-C", dir, "fast-import", "--quiet")
	load.Stdin = strings.NewReader(stream.String())
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v: %s", err, out)
	}
	return dir
}

// byRoute are the requests since the last reset, as the mirror counted them.
func byRoute(sim *mirrorsim.Server) map[string]int {
	routes := map[string]int{}
	for route, seen := range sim.Stats().ByRoute {
		if seen.Requests > 0 {
			routes[route] = seen.Requests
		}
	}
	sim.Reset()
	return routes
}

// The mirror counts, by route, the requests of 40 miners with one pull request each, from
// a git history: of a cold round, of a warm one, of a warm-up, and of the round after it.
// A warm round sends one request for each miner, and one for all of them.
func TestRequestsByRoute(t *testing.T) {
	t.Parallel()
	const authors, pulls = 40, 1
	world := must.Get(gitworld.New(t.Context(), gitworld.Config{Dirs: []string{history(t, authors, pulls)}, Pulls: authors * pulls}))(t)
	sim := must.Get(mirrorsim.Start(t.Context(), mirrorsim.Config{World: world}))(t)
	t.Cleanup(func() { _, _ = sim.Close(), world.Close() })
	miners, registry, err := world.Write(t.TempDir())
	must.Do(t, err)
	inputs := []string{"--miners", miners, "--registry", registry, "--mirror", sim.URL}
	limit := []string{"--limit-horizon", "1s", "--limit-requests", "100000"}
	round := []string{"run", "--json", "--as-of", world.AsOf.Format(time.RFC3339Nano)}

	lists := map[string]int{mirrorsim.RoutePulls: authors, mirrorsim.RouteAllIssues: 1, mirrorsim.RouteHealth: 1}
	cold := maps.Clone(lists)
	cold[mirrorsim.RouteFiles] = authors * pulls
	ahead := map[string]int{mirrorsim.RoutePulls: authors, mirrorsim.RouteIssues: authors, mirrorsim.RouteFiles: authors * pulls}
	var outcomes []outcome.Result
	for _, fleet := range [][]struct {
		name string
		args []string
		want map[string]int
	}{
		{{"a cold round", round, cold}, {"a warm round", round, lists}},
		{{"a warm-up", []string{"warm", "--warm-up-share", "1"}, ahead}, {"the round after it", round, lists}},
	} {
		address, bus := leased(t, 30*time.Second)
		common := slices.Concat([]string{"--nats", address}, inputs)
		redis := append([]string{"--redis", redistest.Start(t).URL()}, limit...)
		worker := work(t, "server", nil, slices.Concat([]string{"--nats", address, "--mirror", sim.URL}, redis)...)
		rounds := 0
		for _, one := range fleet {
			args := slices.Concat(one.args, common)
			if one.args[0] == "run" {
				args = append(args, redis...)
			}
			if e := run(t, "producer", args...); e.code != 0 {
				t.Errorf("%s: exit %d\n%s", one.name, e.code, e.stderr)
			}
			got := byRoute(sim)
			if diff := cmp.Diff(one.want, got); diff != "" {
				t.Errorf("%s: requests by route (-want +got):\n%s", one.name, diff)
			}
			t.Logf("%s: %v", one.name, got)
			if one.args[0] == "run" {
				rounds++
				result := concluded(t, bus, rounds)
				outcomes = append(outcomes, result)
			}
		}
		worker.stop()
	}
	for _, other := range outcomes[1:] {
		sameOutcome(t, "by route", outcomes[0], other)
	}
}
