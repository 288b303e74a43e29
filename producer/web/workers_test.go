package web_test

import (
	"net/http"
	"testing"
	"time"

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
	must.Do(t, b.bus.Presence.Show(t.Context(), "p1", sign))
	must.Do(t, b.bus.Presence.Show(t.Context(), "p2", job.Worker{Name: "w0", Left: "drained"}))
	got := into[view.Workers](t, b.ask(t, http.MethodGet, "/api/v1/workers", ""))
	if len(got.Workers) != 2 || got.Workers[0].Name != "w1" || got.Workers[0].Standing != view.Working || got.Workers[0].Jobs[0].UID != 7 ||
		got.Workers[1].LastWord != "drained" {
		t.Errorf("got %+v, want the one that works, then the one that left", got)
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/workers?name=w1", ""); got.status != http.StatusBadRequest {
		t.Errorf("a parameter that is none: %d, want 400", got.status)
	}
}
