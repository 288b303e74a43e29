package round_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func (b *bundle) leading(name string) round.Config {
	return round.Config{Bus: b.bus, Name: name, Takeover: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

// A producer that follows a dead leader learns its name, and takes over at once what it
// held. It waits for what other producers hold.
func TestWhoFollowsTakesWhatTheLeaderHeld(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, m := deadline(t), b.plan(t, four()[0])
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, m))
	hold := func(what, name string, for_ time.Duration) {
		if _, err := b.bus.Holders.Set(ctx, what, job.Holder{Name: name, For: for_, Since: time.Now()}, 0); err != nil {
			t.Fatal(err)
		}
	}
	hold(job.Schedule, "dead/1a2b3c", 300*time.Millisecond)
	hold(m.Round, "dead/4d5e6f", time.Hour)
	err := leadership.Lead(ctx, b.leading("heir").Leadership(), job.Schedule, func(ctx context.Context, follows string) error {
		if follows != "dead" {
			t.Errorf("the heir follows %q, want dead", follows)
		}
		result, err := b.runner(t, func(c *round.Config) { c.Predecessor = follows }).Resume(ctx, m.Round)
		if err == nil && result.Revision != 1 {
			t.Errorf("revision %d, want the round concluded", result.Revision)
		}
		return err
	})
	must.Do(t, err)

	other := later(m, "others")
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, other))
	hold(other.Round, "deadly/1", 300*time.Millisecond) // another producer than the dead one, so its takeover time must pass
	said := &telemetrytest.Log{}
	_, err = b.runner(t, func(c *round.Config) {
		c.Predecessor, c.Log = "dead", slog.New(slog.NewTextHandler(said, nil))
	}).Resume(ctx, other.Round)
	must.Do(t, err)
	said.Await(ctx, t, "standing by")
}
