package jobstream

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Load reads who runs a round, with the revision that Set wants, also
// when the value is damaged (*ValueError); the revision is 0 when nobody ever has.
func (h Holders) Load(ctx context.Context, round string) (job.Holder, uint64, error) {
	holder, stored, err := h.holder(round).Find(ctx)
	return holder, stored.Revision, err
}

// LastBeat is who runs a round, and when it was last heard of, by the server's
// clock; the zero time when nobody ever has. A value that cannot be read names
// nobody.
func (h Holders) LastBeat(ctx context.Context, round string) (job.Holder, time.Time, error) {
	holder, stored, err := h.holder(round).Find(ctx)
	if Damaged(err) {
		err = nil
	}
	return holder, stored.At.UTC(), err
}

// Hold is what a producer holds, or held: a round, or the schedule.
type Hold struct {
	job.Holder

	Round    string
	Revision uint64
}

// List lists what producers hold, or held. A value that cannot be read is left out: it
// names no producer.
func (h Holders) List(ctx context.Context) ([]Hold, error) {
	var all []Hold
	err := h.rounds().List(ctx, job.HolderKey("*"), func(entry jetstream.KeyValueEntry) {
		round := strings.TrimSuffix(entry.Key(), job.HolderKey(""))
		if holder, stored, err := h.holder(round).Decode(ctx, entry); err == nil {
			all = append(all, Hold{Holder: holder, Round: round, Revision: stored.Revision})
		}
	})
	return all, err
}

// Set says who runs a round if that still is at the given revision, and
// returns the new one; ErrConflict if it is not.
func (h Holders) Set(ctx context.Context, round string, holder job.Holder, revision uint64) (uint64, error) {
	return h.holder(round).Swap(ctx, holder, revision)
}
