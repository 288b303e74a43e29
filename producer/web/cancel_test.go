package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
)

// A cancel is answered when its order is stored. Where nobody runs the round, the process
// concludes it after the answer; the round tells of the order, and a second one is safe.
func TestACancelIsCarriedOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.Plan(t, now)
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	post := func(path, body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/rounds/"+m.Round+path, body, "Authorization", "bearer "+token)
	}
	one := post("/cancel", `{"uids": [2], "reason": "its mirror is away"}`)
	answer := into[view.Cancel](t, one)
	if one.status != http.StatusAccepted || len(answer.UIDs) != 1 || answer.UIDs[0] != 2 || answer.By != "ann" ||
		answer.Whole || one.header.Get("Location") != "/api/v1/rounds/"+m.Round {
		t.Errorf("%d %s, Location %q; want 202, an order for miner 2 by the token, and the round", one.status, one.body, one.header.Get("Location"))
	}
	if again := into[view.Cancel](t, post("/cancel", `{"uids": [2]}`)); len(again.UIDs) != 0 || len(again.Already) != 1 {
		t.Errorf("the same again: %v, already %v; want nothing new", again.UIDs, again.Already)
	}
	if whole := post("/cancel", `{"by": "bob"}`); whole.status != http.StatusAccepted {
		t.Errorf("%d %s, want 202", whole.status, whole.body)
	}
	var last outcome.Result
	must.Until(t.Context(), t, "the round is concluded", func() bool {
		last = must.Get(outcome.Latest(t.Context(), b.Bus, m.Round))(t)
		return last.Revision > 0
	})
	if last.Cancelled != last.Planned || len(last.CancelOrders) != 2 {
		t.Errorf("%d of %d cancelled, orders %v; want all of them by two orders", last.Cancelled, last.Planned, last.CancelOrders)
	}
	stands := b.ask(t, http.MethodGet, "/api/v1/rounds/"+m.Round, "")
	for _, want := range []string{`"cancel_orders":[{"uids":[2],"by":"ann"`, `"reason":"its mirror is away"`, `{"by":"bob"`, `"class":"cancelled"`} {
		if !strings.Contains(stands.body, want) {
			t.Errorf("the round does not say %s: %s", want, stands.body)
		}
	}
}

// So many orders are followed at once, and no more is stored than can be.
func TestOrdersToCancelAreBounded(t *testing.T) {
	t.Parallel()
	b, h := servers(t), &hand{begun: make(chan outcome.Selection, 1), finish: make(chan error)}
	follows := make(chan struct{}, 32)
	server := b.serve(t, func(c *settings) { c.orders.Replay, c.orders.Cancel = h.replay, hanging(follows) })
	m := b.Plan(t, now)
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	for i := range 17 {
		got := b.ask(t, http.MethodPost, "/api/v1/rounds/"+m.Round+"/cancel", "", "Authorization", "bearer "+token)
		if want := map[bool]int{true: http.StatusAccepted, false: http.StatusServiceUnavailable}[i < 16]; got.status != want {
			t.Errorf("order %d: %d %s, want %d", i+1, got.status, got.body, want)
		}
	}
	must.Check(t, server.Close())
	if len(follows) != 16 {
		t.Errorf("%d orders were followed, want 16, each to the end", len(follows))
	}
	if stored, err := b.Bus.Rounds.Cancel(t.Context(), m.Round, 0); err != nil || len(stored.Orders) != 1 {
		t.Errorf("%v, %v is stored, want the one order", stored, err)
	}
}

// A rescore runs the miners that are named, whatever their jobs came to.
func TestARescoreIsBegun(t *testing.T) {
	t.Parallel()
	b, h := servers(t), &hand{begun: make(chan outcome.Selection, 1), finish: make(chan error)}
	b.serve(t, func(c *settings) { c.orders.Replay = h.replay })
	b.Work(t)
	result := b.Concluded(t, now)
	post := func(body string) said {
		t.Helper()
		return b.ask(t, http.MethodPost, "/api/v1/rounds/"+result.Round+"/rescore", body, "Authorization", "bearer "+token)
	}
	if dry := post(`{"uids": [1], "dry_run": true}`); dry.status != http.StatusOK || !strings.Contains(dry.body, `"chosen":[{"uid":1,"class":"done"`) {
		t.Errorf("a dry run: %d %s, want 200 with miner 1", dry.status, dry.body)
	}
	if got := post(`{"uids": [1]}`); got.status != http.StatusAccepted {
		t.Fatalf("%d %s, want 202", got.status, got.body)
	}
	if s := <-h.begun; !s.Rescore || len(s.UIDs) != 1 || s.UIDs[0] != 1 {
		t.Errorf("it is to run %+v, want a rescore of miner 1", s)
	}
	h.finish <- nil
	b.awaitReplay(t, result.Round, "ended")
}

// hanging follows an order until its context ends, and says so.
func hanging(ended chan<- struct{}) steering.Canceller {
	return func(ctx context.Context, _ round.Cancelled) error {
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}
}
