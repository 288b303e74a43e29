package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// sabotage takes the jobs of a round before any worker can. It makes some fail for good,
// hands the others back, and returns.
func sabotage(t *testing.T, address string, dead map[int]bool) {
	t.Helper()
	bus, nc := jobstreamtest.Open(t, address, jobstream.Config{})
	defer nc.Close()
	ended := make(chan int, len(dead))
	runner := must.Get(lease.New(lease.Config{
		Worker: "saboteur", Bus: bus, Slots: 16, Grace: time.Millisecond, FetchWait: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Handler: func(ctx context.Context, j job.Job, _ job.Attempt) (job.Evaluation, error) {
			if dead[j.UID] {
				ended <- j.UID
				return job.Evaluation{}, job.WithClass(job.Permanent, errors.New("the mirror refuses this miner"))
			}
			<-ctx.Done() // until the drain
			return job.Evaluation{}, ctx.Err()
		},
	}))(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan error, 1)
	go func() { running <- runner.Run(ctx) }()
	for range dead {
		<-ended
	}
	stop()
	must.Do(t, <-running)
}

// A standby takes over after a killed producer. The failed miners are listed. Two
// terminals replay them at once. The outcome equals, byte for byte, that of a round
// without failures.
func TestKilledResumedReplayed(t *testing.T) {
	t.Parallel()
	nats, redis, world, _, _ := servers(t)
	reads := []string{"--nats", nats}
	common := append(slices.Clone(reads), "--redis", redis, "--mirror", world.URL, "--limit-horizon", "1s", "--takeover", "1s")
	inputs := []string{"--miners", world.Miners, "--registry", world.Registry, "--as-of", world.AsOf}
	producer := func(args ...string) []string { return append(args, common...) }

	first := start(t, producer(append([]string{"run", "--json"}, inputs...)...)...)
	sabotage(t, nats, map[int]bool{3: true, 58: true})
	standing := watch("standing by")
	second := beginWatched(t, standing, "producer", producer("run", "--json", "--resume", "latest")...)
	<-standing.seen
	waits := untilScheduled(t, nats, "the second shows that it stands by", func(s *view.Schedule) bool {
		return slices.Equal(standings(s), []view.ProducerStanding{view.ProducerStandsBy})
	}).Producers[0]
	must.Do(t, first.Process.Kill())
	<-first.ended
	untilScheduled(t, nats, "the second shows that it leads the round", func(s *view.Schedule) bool {
		return len(s.Producers) == 1 && s.Producers[0].Standing == view.ProducerLeads && s.Producers[0].Round == waits.Round
	})
	stop := work(t, "first", nil, "--nats", nats, "--redis", redis, "--mirror", world.URL, "--limit-horizon", "1s").stop
	defer stop()
	e := second.end(t)
	failing := decode(t, e)
	if e.code != 1 || failing.Complete || failing.Planned != failing.Done+2 {
		t.Errorf("after the takeover: exit %d, complete %v, planned %d, done %d; want all but two done\n%s",
			e.code, failing.Complete, failing.Planned, failing.Done, e.stderr)
	}
	name := failing.Round

	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{append([]string{"failed"}, reads...), 0, []string{"2 failed, 0 degraded", "permanent", "saboteur", "the mirror refuses this miner"}},
		{append([]string{"failed", name, "--json"}, reads...), 0, []string{`"uid": 3`, `"uid": 58`, `"class": "permanent"`, `"attempts": 1`}},
		{append([]string{"failed", "never"}, reads...), 2, []string{"never", name}},
		{append([]string{"replay", name, "--dry-run", "--uid", "58"}, reads...), 0, []string{"1 would run again", "58"}},
		{append([]string{"replay", name, "--dry-run", "--class", "poison"}, reads...), 2, []string{"poison", "3 (permanent), 58 (permanent)"}},
		{append([]string{"show", name, "--compare"}, reads...), 2, []string{"the first"}},
		{append([]string{"show", name, "--revision", "7"}, reads...), 2, []string{"no revision 7", "there is: 1"}},
		{producer("replay", name, "--uid", "43"), 2, []string{"miner 43", "3 (permanent), 58 (permanent)"}},
		{producer("replay", name, "--uid", "x"), 2, []string{"--uid", "x"}},
		{producer("replay", name, "--class", "bad"), 2, []string{"bad", "transient permanent poison"}},
		{producer("replay", "never"), 2, []string{"never", name}},
		{producer("replay"), 2, []string{"which round"}},
		{
			producer("run", "--resume", name, "--registry", other(t), "--as-of", "2020-01-01T00:00:00Z", "--unloadable", ""), 2,
			[]string{"another registry", "as_of", "2020-01-01", "unloadable"},
		},
	} {
		got := run(t, "producer", c.args...)
		for _, want := range c.want {
			if !strings.Contains(got.stdout+got.stderr, want) {
				t.Errorf("%v does not say %q:\n%s%s", c.args[:3], want, got.stdout, got.stderr)
			}
		}
		if got.code != c.code {
			t.Errorf("%v: exit %d, want %d\n%s", c.args[:3], got.code, c.code, got.stderr)
		}
	}

	one := begin(t, "producer", producer("replay", name, "--json")...)
	two := begin(t, "producer", producer("replay", "latest", "--json")...)
	var outcomes []roundJSON
	for _, r := range []*running{one, two} {
		e := r.end(t)
		o := decode(t, e)
		if e.code != 0 || !o.Complete {
			t.Errorf("replay: exit %d, complete %v\n%s", e.code, o.Complete, e.stderr)
		}
		outcomes = append(outcomes, o)
	}
	clean := decode(t, run(t, "producer", producer(append([]string{"run", "--json"}, inputs...)...)...))
	for _, o := range outcomes {
		if !bytes.Equal(o.Outcome, clean.Outcome) {
			t.Error("a replay has another outcome than the round in which nothing failed")
		}
	}
	shown := run(t, "producer", append([]string{"show", name, "--compare"}, reads...)...)
	if !strings.Contains(shown.stdout, "was dead (permanent), healed") {
		t.Errorf("the comparison does not say what was healed:\n%s%s", shown.stdout, shown.stderr)
	}
	whole(t, name, reads)
}

// other is a registry that no round of the test uses.
func other(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.json")
	must.Do(t, os.WriteFile(path, []byte(`{"a/b": {"emission_share": 0.5}}`), 0o600))
	return path
}

// whole wants the audit in a round's JSON to hold.
func whole(t *testing.T, name string, reads []string) {
	t.Helper()
	shown := run(t, "producer", append([]string{"show", name, "--json"}, reads...)...)
	var audited view.Outcome
	if err := json.Unmarshal([]byte(shown.stdout), &audited); err != nil {
		t.Fatalf("%v\n%s", err, shown.stderr)
	}
	if !audited.Audit.Holds() || audited.Audit.Outstanding > 0 || len(audited.Revisions) != 2 {
		t.Errorf("revisions %v, audit %s: %v", audited.Revisions, audited.Audit, audited.Audit.Discrepancies)
	}
}
