package evaluate_test

import (
	"errors"
	"strings"
	"testing"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/evaluate"
)

// A worker sends while its egress is one of the fleet's, and notices with its next
// job when it is none any more.
func TestTheEgressIsHeldAgainstTheFleets(t *testing.T) {
	t.Parallel()
	b := setup(t, world(1), func(c *evaluate.Config) { c.Egress = "eu-2" })
	revision := uint64(0)
	declare := func(names ...string) {
		t.Helper()
		must.Do(t, b.bus.Egresses.Set(t.Context(), job.Egresses{Names: names, By: "p"}, revision))
		var err error
		_, revision, err = b.bus.Egresses.Load(t.Context())
		must.Do(t, err)
	}
	evaluated := func() error { _, err := b.evaluator.Evaluate(t.Context(), one(), job.Attempt{}); return err }
	must.Do(t, evaluated()) // nobody has declared any
	declare("eu-1", "eu-2")
	must.Do(t, evaluated())
	declare("eu-1")
	before := b.server.Stats().Requests
	err := evaluated()
	if !errors.Is(err, job.ErrUndeclared) || b.server.Stats().Requests != before {
		t.Errorf("%v after %d requests, want ErrUndeclared after none", err, b.server.Stats().Requests-before)
	}
	for _, want := range []string{"eu-2", "eu-1 (declared by producer p", "--egresses eu-1,eu-2"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}
