package dashboard

import (
	"context"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// outcomes keeps the last outcomes that were read: an outcome never changes, and a person
// goes through several pages of one. Reading that of 256 miners takes a tenth of a second.
type outcomes struct{ reads[outcome.Result] }

// outcomesKept bounds the memory: an outcome of 256 miners takes some ten megabytes.
const outcomesKept = 3

// read returns an outcome. Nobody may change it. Two viewers of one outcome read it once.
func (o *outcomes) read(ctx context.Context, bus *jobstream.Bus, at view.OutcomeRef) (outcome.Result, error) {
	return o.once(ctx, at, outcomesKept,
		func(outcome.Result) bool { return true },
		func() (outcome.Result, error) { return view.Read(ctx, bus, at) })
}

// forget drops the outcomes of a round.
func (o *outcomes) forget(round string) {
	o.kept.Forget(func(at view.OutcomeRef) bool { return at.Round == round })
}
