package redistest

import (
	"context"
	"net"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// Pair is a primary with a replica. Clients come by Front, which leads to the
// primary until Failover; the replica hears of the primary by Link.
type Pair struct {
	Primary, Replica *Server
	Front, Link      *nettest.Relay
}

// StartPair starts both and waits until the replica is up to date.
func StartPair(tb testing.TB) *Pair {
	tb.Helper()
	// A second primary would grant twice; that is the operator's to prevent, with
	// min-replicas-to-write. Here clients lose the old one before they see the new.
	primary := Start(tb, "--repl-diskless-sync-delay", "0")
	link := nettest.NewRelay(tb, primary.Address)
	host, port, err := net.SplitHostPort(link.Address)
	must.Do(tb, err)
	replica := Start(tb, "--replicaof", host+" "+port)
	rdb := replica.Client(tb)
	await(tb, "the replica to be up to date", func(ctx context.Context) bool {
		return strings.Contains(rdb.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	return &Pair{
		Primary: primary,
		Replica: replica,
		Front:   nettest.NewRelay(tb, primary.Address),
		Link:    link,
	}
}

// Failover makes the replica a primary, as far as it has come, and leads the
// clients to it.
func (p *Pair) Failover(tb testing.TB) {
	tb.Helper()
	p.Front.Cut()
	must.Do(tb, p.Replica.Client(tb).Do(tb.Context(), "REPLICAOF", "NO", "ONE").Err())
	p.Front.Redirect(p.Replica.Address)
}
