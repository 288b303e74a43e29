package roundtest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// Live is a round whose producer is alive but does nothing. A test changes its records, as
// workers would.
type Live struct {
	Round string
	// Worker is the name of the worker that has all jobs.
	Worker string

	fleet *Fleet
	tb    testing.TB
}

// Begin begins a round with this number of miners, from uid 1.
func (f *Fleet) Begin(tb testing.TB, name string, miners int) *Live {
	tb.Helper()
	l := &Live{
		Round:  name,
		Worker: "w1",
		fleet:  f,
		tb:     tb,
	}
	if f.Text != "" {
		l.Worker += "<script>alert(1)</script>" // a name is short
	}
	raw := json.RawMessage(`{}`)
	m := job.Manifest{
		Round:     name,
		Registry:  raw,
		Languages: raw,
		Tokens:    raw,
		PlannedAt: time.Now(),
		Mirror:    "http://mirror" + f.Text,
	}
	for uid := 1; uid <= miners; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(100 + uid)})
		must.Get(f.Bus.Records.Plan(tb.Context(), job.Plan(name, uid, "")))(tb)
	}
	must.Do(tb, f.Bus.Rounds.CreateManifest(tb.Context(), m))
	must.Get(f.Bus.Holders.Set(tb.Context(), name, job.Holder{Name: "p1", For: time.Hour}, 0))(tb)
	return l
}

// Step takes a miner's job one step further, as a worker would. Every third miner fails.
func (l *Live) Step(uid int) {
	l.tb.Helper()
	ctx := context.WithoutCancel(l.tb.Context())
	record, revision, err := l.fleet.Bus.Records.Load(ctx, l.Round, uid)
	must.Do(l.tb, err)
	switch claim := fmt.Sprint("c", record.Deliveries); {
	case record.Phase == job.Planned:
		claim = fmt.Sprint("c", record.Deliveries+1)
		record = must.Get(record.Claimed(job.Claim{
			ID:       claim,
			Worker:   l.Worker,
			Sequence: 1,
			Delivery: 1,
			Since:    time.Now(),
		}))(l.tb)
	case record.Phase == job.Running && uid%3 == 0:
		failure := job.Failure{Class: job.Permanent, Error: "status 404 " + l.fleet.Text, At: time.Now()}
		record = must.Get(record.Buried(claim, 1, "", failure))(l.tb)
	case record.Phase == job.Running:
		record = must.Get(record.Committed(claim, 1, job.EvaluationKey(l.Round, uid, claim), false, time.Now()))(l.tb)
	default:
		return
	}
	must.Get(l.fleet.Bus.Records.Update(ctx, record, revision))(l.tb)
}

// WorksAt lets a worker take the jobs of miners, and end all but the last eight of them.
func (l *Live) WorksAt(first, last int) {
	l.tb.Helper()
	for uid := first; uid <= last; uid++ {
		l.Step(uid)
		if uid <= last-8 {
			l.Step(uid)
		}
	}
}

// Shows lets a worker process say what it does.
func (l *Live) Shows(what doing.State, uids ...int) {
	l.tb.Helper()
	w := job.Worker{
		Version: job.Version,
		Name:    l.Worker,
		Build:   "v1" + l.fleet.Text,
		Host:    "h" + l.fleet.Text,
		Egress:  "e",
		Slots:   4,
		Started: time.Now(),
		At:      time.Now(),
	}
	for _, uid := range uids {
		w.Jobs = append(w.Jobs, job.WorkerJob{
			Round: l.Round,
			UID:   uid,
			Since: time.Now(),
			Doing: what,
		})
	}
	must.Do(l.tb, l.fleet.Bus.Presence.Show(l.tb.Context(), "p-1", w))
}

// Ends lets the producer leave the round, which ends it for whoever follows it.
func (l *Live) Ends() {
	l.tb.Helper()
	_, revision, err := l.fleet.Bus.Holders.Load(l.tb.Context(), l.Round)
	must.Do(l.tb, err)
	must.Get(l.fleet.Bus.Holders.Set(l.tb.Context(), l.Round, job.Holder{Name: "p1", For: time.Hour, Released: true}, revision))(l.tb)
}
