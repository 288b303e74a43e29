package jobstream

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// Identities reads the GitHub accounts of the miners' tokens, by uid. A value that cannot
// be read is left out, as if there were none.
func (m Miners) Identities(ctx context.Context) (map[int]job.Identity, error) {
	known := map[int]job.Identity{}
	err := m.identities().List(ctx, "*", func(entry jetstream.KeyValueEntry) {
		if i, _, err := m.identity(entry.Key()).Decode(ctx, entry); err == nil {
			known[i.UID] = i
		}
	})
	return known, err
}

// PutIdentity stores an identity. It stands in when GitHub cannot be reached, until it is
// too old for that.
func (m Miners) PutIdentity(ctx context.Context, i job.Identity) error {
	return m.identity(strconv.Itoa(i.UID)).Put(ctx, i)
}
