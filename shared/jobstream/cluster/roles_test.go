package cluster_test

import (
	"slices"
	"testing"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
)

// TestShippedRolesHaveWhatTheyNeed: the users of the shipped settings may
// publish all that their roles publish, and nothing that a role is kept from;
// in the other's place each lacks something.
func TestShippedRolesHaveWhatTheyNeed(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t.Context(), t, cluster.Config{Settings: settings, Nodes: 1})
	for _, one := range []struct {
		user   string
		role   jobstream.Role
		denied bool
	}{
		{cluster.Producer, jobstream.RoleProducer, false},
		{cluster.Worker, jobstream.RoleWorker, false},
		{cluster.Worker, jobstream.RoleProducer, true},
	} {
		got, err := jobstream.TryRole(t.Context(), c.URL(one.user), one.role, jobstream.Files{})
		if err != nil || (len(got.Denied) > 0) != one.denied || len(got.Excess) > 0 {
			t.Errorf("user %s as %s: %+v, %v, want something denied: %v, nothing in excess", one.user, one.role, got, err, one.denied)
		}
		if purge := "publish $JS.API.STREAM.PURGE.KV_ROUNDS"; one.denied && !slices.Contains(got.Denied, purge) {
			t.Errorf("user %s as %s: denied are %q, want %q among them: old rounds are forgotten", one.user, one.role, got.Denied, purge)
		}
	}
}
