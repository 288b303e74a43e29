package leadership_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is what producers that lead have in common: real NATS.
type bundle struct{ bus *jobstream.Bus }

func setup(t *testing.T) *bundle {
	t.Helper()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	return &bundle{bus: bus}
}

func (b *bundle) leading(name string) leadership.Config {
	return leadership.Config{Bus: b.bus, Name: name, Takeover: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 60*time.Second, errors.New("nobody has led in time"))
	t.Cleanup(cancel)
	return ctx
}
