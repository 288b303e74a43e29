package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// The API lists the worker processes by their signs of life.
func TestWorkersAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := into[view.Workers](t, b.ask(t, http.MethodGet, "/api/v1/workers", "")); len(got.Workers) != 0 {
		t.Errorf("got %+v before any worker has shown itself", got)
	}
	sign := job.Worker{Name: "w1", Build: "v1", Started: time.Now(), At: time.Now(), Jobs: []job.WorkerJob{{Round: "r1", UID: 7, Since: time.Now()}}}
	must.Do(t, b.Bus.Presence.Show(t.Context(), "p1", sign))
	must.Do(t, b.Bus.Presence.Show(t.Context(), "p2", job.Worker{Name: "w0", Left: "drained"}))
	got := into[view.Workers](t, b.ask(t, http.MethodGet, "/api/v1/workers", ""))
	if len(got.Workers) != 2 || got.Workers[0].Name != "w1" || got.Workers[0].Standing != view.Working || got.Workers[0].Jobs[0].UID != 7 ||
		got.Workers[1].LastWord != "drained" {
		t.Errorf("got %+v, want the one that works, then the one that left", got)
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/workers?name=w1", ""); got.status != http.StatusBadRequest {
		t.Errorf("a parameter that is none: %d, want 400", got.status)
	}
}

// The schedule says which producers there are by their signs of life, and who leads by the
// stored holds: a sign claims nothing. What puts off the turn is the leader's word, and counts
// as long as the sign is fresh.
func TestProducersAreListed(t *testing.T) {
	t.Parallel()
	b := servers(t)
	b.serve(t, func(s *settings) { s.Now = time.Now })
	ask := func() view.Schedule { return into[view.Schedule](t, b.ask(t, http.MethodGet, "/api/v1/schedule", "")) }
	if got := ask(); got.Producers == nil || len(got.Producers) != 0 || got.PutOff != nil {
		t.Errorf("got %+v before any producer has shown itself, want an empty list", got)
	}
	at := time.Now()
	const round = "20260601t000000z-010203"
	show := func(p job.Producer) {
		p.At, p.Started = at, at.Add(-time.Minute)
		if p.PutOff != nil {
			p.PutOff.Since = at.Add(-time.Minute)
		}
		must.Do(t, b.Bus.Presence.ShowProducer(t.Context(), p.Name, p))
	}
	hold := func(of, name string) {
		_, revision, err := b.Bus.Holders.Load(t.Context(), of)
		must.Do(t, err)
		must.Get(b.Bus.Holders.Set(t.Context(), of, job.Holder{Name: name + "/x", For: time.Minute}, revision))(t)
	}
	show(job.Producer{Name: "a", PutOff: &job.PutOff{Input: "metagraph", Why: "it is not the leader's"}})
	show(job.Producer{Name: "b", PutOff: &job.PutOff{Input: "tokens", Why: "they break off"}})
	show(job.Producer{Name: "c", Round: round})
	show(job.Producer{Name: "d", Round: round})
	show(job.Producer{Name: "e", Left: "stopped"})
	hold(job.Schedule, "b")
	hold(round, "d")
	stand := func(s view.Schedule) map[string]view.ProducerStanding {
		all := map[string]view.ProducerStanding{}
		for _, p := range s.Producers {
			all[p.Name] = p.Standing
		}
		return all
	}
	got := ask()
	want := map[string]view.ProducerStanding{
		"a": view.ProducerStandsBy, "b": view.ProducerLeads, "c": view.ProducerStandsBy, "d": view.ProducerLeads, "e": view.ProducerLeft,
	}
	if diff := cmp.Diff(want, stand(got)); diff != "" || got.Producers[4].LastWord != "stopped" || got.Producers[0].Round+got.Producers[1].Round != round {
		t.Errorf("producers (-want +got):\n%s\nof %+v", diff, got.Producers)
	}
	if off := got.PutOff; off == nil || off.Input != "tokens" || got.Producer != "b" || got.Producers[0].Seen.Sub(off.Since).Round(time.Second) != time.Minute {
		t.Errorf("put off by %+v of %q, want the leader's word, for a minute by the clock of NATS", off, got.Producer)
	}
	hold(job.Schedule, "a")
	if got := ask(); got.Producer != "a" || stand(got)["a"] != view.ProducerLeads || stand(got)["b"] != view.ProducerStandsBy || got.PutOff.Input != "metagraph" {
		t.Errorf("after a takeover: %+v", got)
	}
}
