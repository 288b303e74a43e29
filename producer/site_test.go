package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"mirrorfleet/producer/access"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/session"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// Those who follow rounds, over the API and on the dashboard, take no connection from the others:
// 128 that stayed kept a validator from its rewards.
func TestViewersLeaveConnections(t *testing.T) {
	t.Parallel()
	s := must.Get(startSite(t.Context(), api{
		flag:   "api",
		addr:   "127.0.0.1:0",
		access: access.Config{},
		doctor: func(context.Context) (doctor.Diagnosis, error) { return doctor.Diagnosis{}, nil },
	}, &fleet.Fleet{Bus: new(jobstream.Bus)}, session.Orders{
		Replay: func(context.Context, string, outcome.Selection) (r outcome.Result, p outcome.Replayed, err error) {
			return r, p, nil
		},
		Cancel: func(context.Context, round.Cancelled) error { return nil },
	}, slog.New(slog.DiscardHandler)))(t)
	defer func() { must.Check(t, s.Close()) }()
	for range 2 * view.MaxViewers {
		stays := must.Get(new(net.Dialer).DialContext(t.Context(), "tcp", s.server.Addr()))(t)
		defer stays.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a header may take 5 s: then the others would leave
	defer cancel()
	r := must.Get(http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"api/v1/openapi.json", http.NoBody))(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	must.Do(t, err)
	must.Check(t, answer.Body.Close())
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the answer is %s", answer.Status)
	}
}
