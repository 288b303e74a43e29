package parity_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// startMirror serves a round of a case to a client.
func startMirror(tb testing.TB, world *mirrorsim.World) (*mirrorsim.Server, *mirror.Client) {
	tb.Helper()
	server := must.Get(mirrorsim.Start(tb.Context(), mirrorsim.Config{World: world}))(tb)
	tb.Cleanup(func() { must.Check(tb, server.Close()) })
	client := must.Get(mirror.New(mirror.Config{BaseURL: server.URL, Meter: unmetered{tb}, Log: slog.New(slog.DiscardHandler)}))(tb)
	tb.Cleanup(client.Close)
	return server, client
}

// unmetered grants every permit: what is tested here is what answers mean.
type unmetered struct{ t testing.TB }

func (unmetered) Permit(context.Context) (time.Time, error) { return time.Now().Add(time.Hour), nil }

func (u unmetered) CoolDown(context.Context, time.Duration) error {
	u.t.Error("the client cooled down, but nothing throttled it")
	return nil
}
