package jobstream

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Load reads the producer that runs a round, with the revision that Set needs. The
// revision comes also with a damaged value (*ValueError); it is 0 for a round that no
// producer has ever run.
func (h Holders) Load(ctx context.Context, round string) (job.Holder, uint64, error) {
	holder, stored, err := h.holder(round).Find(ctx)
	return holder, stored.Revision, err
}

// LastBeat reads the producer that runs a round, and the time of its last heartbeat by the
// server's clock. The time is zero if no producer has ever run the round. A value that
// cannot be read names no producer.
func (h Holders) LastBeat(ctx context.Context, round string) (job.Holder, time.Time, error) {
	holder, stored, err := h.holder(round).Find(ctx)
	if Damaged(err) {
		err = nil
	}
	return holder, stored.At.UTC(), err
}

// Leadership is what a producer holds, or held: a round, or the schedule.
type Leadership struct {
	job.Holder

	Round    string
	Revision uint64
}

// List lists what producers hold, or held. A value that cannot be read is left out: it
// names no producer.
func (h Holders) List(ctx context.Context) ([]Leadership, error) {
	var all []Leadership
	err := h.rounds().List(ctx, job.HolderKey("*"), func(entry jetstream.KeyValueEntry) {
		round := strings.TrimSuffix(entry.Key(), job.HolderKey(""))
		if holder, stored, err := h.holder(round).Decode(ctx, entry); err == nil {
			all = append(all, Leadership{Holder: holder, Round: round, Revision: stored.Revision})
		}
	})
	return all, err
}

// Set writes the producer that runs a round if the value still has the given revision, and
// returns the new revision; ErrConflict if it has another.
func (h Holders) Set(ctx context.Context, round string, holder job.Holder, revision uint64) (uint64, error) {
	return h.holder(round).Swap(ctx, holder, revision)
}
