package job_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// A sign of life is written by whoever may write signs: nothing in it can fill a page, steer
// a terminal or stand for a number that no worker has.
func TestAWorkersSignIsBounded(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J" + strings.Repeat("x", 1<<20) + "\xff"
	w := job.Worker{
		Name: hostile, Build: hostile, Host: hostile, Egress: hostile, Left: hostile, Slots: -1, Permits: -1, Share: 1e300,
		Addresses: []netip.Addr{{}, netip.MustParseAddr("fe80::1%\x1b[2J"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")},
		Of:        -time.Second, Limit: job.WorkerLimit{Trouble: hostile, Rate: 1e300, Hold: 1 << 62},
	}
	long := "\x1b[2J" + hostile[len(hostile)-4096:] // of more, the race detector takes minutes
	for range 1000 {
		w.Jobs = append(w.Jobs, job.WorkerJob{Round: "r1", UID: 1, Doing: doing.State{What: long, Why: long, Waits: long, For: -1}})
	}
	w.Jobs[0].Round = "$KV.>"
	data := must.Get(w.Encode())(t)
	got := must.Get(job.DecodeWorker(data))(t)
	texts := []string{got.Name, got.Build, got.Host, got.Egress, got.Left, got.Limit.Trouble}
	for _, j := range got.Jobs {
		texts = append(texts, j.Doing.What, j.Doing.Why, j.Doing.Waits)
		if j.Round != "r1" || j.Doing.For < 0 {
			t.Fatalf("job %+v, want one of a round that can be", j)
		}
	}
	for _, text := range texts {
		if utf8.RuneCountInString(text) > 400 || strings.Contains(text, "\x1b") || !utf8.ValidString(text) {
			t.Fatalf("%d bytes, %.20q: want it cut and cleaned", len(text), text)
		}
	}
	if len(got.Jobs) > 256 || got.Slots != 0 || got.Permits != 0 || got.Share > 100 || got.Of != 0 || got.Limit.Hold > 24*time.Hour {
		t.Errorf("got %d jobs, %+v: want values within their bounds", len(got.Jobs), got.Limit)
	}
	if len(got.Addresses) != 2 {
		t.Errorf("addresses %v, want those that a page can show, and few", got.Addresses)
	}
	for name, data := range map[string]string{"no JSON": "{", "a later version": `{"version":99}`, "no version": `{}`} {
		if _, err := job.DecodeWorker([]byte(data)); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// A producer's sign is bounded as a worker's is.
func TestAProducersSignIsBounded(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J" + strings.Repeat("x", 1<<20) + "\xff"
	data := must.Get(job.Producer{
		Name: hostile, Build: hostile, Host: hostile, Round: "$KV.>", Left: hostile, PutOff: &job.PutOff{Input: hostile, Why: hostile},
	}.Encode())(t)
	got := must.Get(job.DecodeProducer(data))(t)
	for _, text := range []string{got.Name, got.Build, got.Host, got.Left, got.PutOff.Input, got.PutOff.Why} {
		if utf8.RuneCountInString(text) > 1000 || strings.Contains(text, "\x1b") || !utf8.ValidString(text) {
			t.Errorf("%d bytes, %.20q: want it cut and cleaned", len(text), text)
		}
	}
	if got.Round != "" {
		t.Errorf("round %q, want none: it is no name of one", got.Round)
	}
	for name, data := range map[string]string{"no JSON": "{", "a later version": `{"version":99}`, "no version": `{}`} {
		if _, err := job.DecodeProducer([]byte(data)); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// Silence is judged by the server's clock alone, and the past of a worker by the worker's.
func TestSilenceIsOfOneClock(t *testing.T) {
	t.Parallel()
	stored := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	w := job.Worker{At: stored.Add(-3 * time.Hour), Started: stored.Add(-4 * time.Hour)} // its clock is three hours behind
	for after, want := range map[time.Duration]bool{-time.Second: false, 0: false, job.WorkerSilent - 1: false, job.WorkerSilent: true} {
		if silence, silent := w.Silence(stored, stored.Add(after)); silent != want || silence != max(after, 0) {
			t.Errorf("%s after its sign: silent for %s is %v, want %v", after, silence, silent, want)
		}
	}
	if got := w.Ago(w.Started); got != time.Hour {
		t.Errorf("started %s before its sign, want 1h", got)
	}
	w.Left = "drained"
	if _, silent := w.Silence(stored, stored.Add(time.Hour)); silent {
		t.Error("who has left is not silent")
	}
}
