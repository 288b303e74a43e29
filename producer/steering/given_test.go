package steering_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
)

// An order that was stored is logged as given, also if how the schedule stands after it cannot be
// read. That is another error, which the log of orders does not have.
func TestAGivenOrderIsLoggedAsGiven(t *testing.T) {
	t.Parallel()
	b := roundtest.Start(t)
	cfg := b.Orders(t)
	cfg.Log = b.Logger()
	o := must.Get(steering.NewOperator(t.Context(), cfg))(t)
	defer o.Close()
	late, cancel := context.WithCancel(t.Context())
	cancel()
	did, err := steering.After(late, b.Bus, view.Steered{Order: view.SteerPause, Changed: true})
	did, err = o.Answer(t.Context(), steering.Giver{Name: "ann"}, did, err)
	if !errors.Is(err, context.Canceled) || !steering.Given(err) || steering.Logged(err) || !did.Changed {
		t.Errorf("%+v, %v: want a pause that was given, and an error that is not logged yet", did, err)
	}
	if log := b.Log.String(); !strings.Contains(log, "an operator gave an order") || strings.Contains(log, "was not followed") {
		t.Errorf("the log is %s, want that the order was given", log)
	}
	if _, err := o.Answer(t.Context(), steering.Giver{Name: "ann"}, did, errors.ErrUnsupported); steering.Given(err) || !steering.Logged(err) {
		t.Errorf("%v: want an order that was not followed, which is logged", err)
	}
}
