package dashboard_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// A read to which NATS does not answer keeps nobody waiting but those who want the same, and
// these only as long as their own time lasts. Once all viewers waited for it, without an end.
func TestASlowReadKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	b := servers(t)
	b.Work(t)
	first, second := b.Concluded(t, now), b.Concluded(t, now.AddDate(0, 0, 1))
	relay := nettest.NewRelay(t, b.NATS)
	stalled, _ := jobstreamtest.Open(t, relay.URL(), jobstream.Config{})
	refs := []view.OutcomeRef{{Round: first.Round, Revision: 1}, {Round: second.Round, Revision: 1}}

	outcomes := &dashboard.Outcomes{}
	audits := &dashboard.Audits{}
	for _, reads := range []struct {
		what, request string
		read          func(ctx context.Context, bus *jobstream.Bus, i int) error
	}{
		{"an outcome", "$JS.API.STREAM.MSG.GET.KV_ROUNDS", func(ctx context.Context, bus *jobstream.Bus, i int) error {
			_, err := outcomes.Read(ctx, bus, refs[i])
			return err
		}},
		{"an audit", "$JS.API.STREAM.MSG.GET.KV_ROUNDS", func(ctx context.Context, bus *jobstream.Bus, i int) error {
			_, err := audits.Of(ctx, bus, []outcome.Result{first, second}[i], now)
			return err
		}},
	} {
		nc, _ := jobstreamtest.Connect(t, b.NATS, nil)
		asked := make(chan *nats.Msg, 1000)
		must.Get(nc.ChanSubscribe(reads.request, asked))(t)
		must.Do(t, nc.Flush())
		relay.Hold(nettest.Down)
		ctx, giveUp := context.WithCancel(roundtest.Deadline(t))
		over := make(chan error, 1)
		go func() { over <- reads.read(ctx, stalled, 0) }()
		select {
		case <-asked: // it waits for the answer now
		case err := <-over:
			t.Fatalf("%s: the read that is not answered ended: %v", reads.what, err)
		}
		if err := reads.read(roundtest.Deadline(t), b.Bus, 1); err != nil {
			t.Errorf("%s of another round: %v", reads.what, err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := reads.read(gone, b.Bus, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("%s of the same round, for a viewer who has left: %v, want that it is over", reads.what, err)
		}
		giveUp()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the read that is not answered ended with %v", reads.what, err)
		}
		relay.Release()
		if err := reads.read(roundtest.Deadline(t), b.Bus, 0); err != nil {
			t.Errorf("%s of the same round, after the one who waited for it has left: %v", reads.what, err)
		}
	}
}
