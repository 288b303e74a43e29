package jobstream

import (
	"context"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Identities reads the GitHub accounts of the miners' tokens, by uid. A value that cannot
// be read costs only its own miner: it is named in the log and left out, as if GitHub had
// never answered for that token.
func (m Miners) Identities(ctx context.Context) (map[int]job.Identity, error) {
	known := map[int]job.Identity{}
	err := m.identities().List(ctx, "*", func(entry jetstream.KeyValueEntry) {
		i, _, err := m.identity(entry.Key()).Decode(ctx, entry)
		if err == nil {
			known[i.UID] = i
			return
		}
		// An identity is one small value and has no parts to fetch, so Decode fails only
		// for damage. The error names bucket and key; it repeats nothing of the value.
		if m.damagedIdentities.isNew(entry.Key(), entry.Revision()) {
			m.cfg.Log.WarnContext(ctx, "a stored identity cannot be read and counts as absent", "uid", entry.Key(), "error", err)
		}
	})
	return known, err
}

// PutIdentity stores an identity. It stands in when GitHub cannot be reached, until it is
// too old for that.
func (m Miners) PutIdentity(ctx context.Context, i job.Identity) error {
	return m.identity(strconv.Itoa(i.UID)).Put(ctx, i)
}

// told remembers which damaged values this process has already named in its log. Each round
// and each warm-up lists all identities, and a value stays damaged until GitHub answers for
// its token, which may take days.
type told struct {
	mu       sync.Mutex
	revision map[string]uint64
}

// isNew says whether the value of a key at this revision has not been named yet, and
// remembers it as named.
func (t *told) isNew(key string, revision uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.revision[key] == revision { // a stream's revisions start at 1
		return false
	}
	if t.revision == nil {
		t.revision = map[string]uint64{}
	}
	t.revision[key] = revision
	return true
}
