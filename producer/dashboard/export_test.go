package dashboard

import (
	"context"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// What the tests hold the streams to.
const MaxStreams = maxStreams

// Regions is how many regions a running round has.
var Regions = len(liveRegions)

// Linger sets how long a round is still followed when nobody looks at it any more.
func (d *Dashboard) Linger(long time.Duration) { d.shows.lingers = long }

// Wait waits until nothing is followed and no stream is open.
func (d *Dashboard) Wait() { d.shows.wait.Wait() }

// Shows is how many rounds are followed.
func (d *Dashboard) Shows() int {
	d.shows.mu.Lock()
	defer d.shows.mu.Unlock()
	return len(d.shows.byRound)
}

// Outcomes and Audits are what pages take outcomes and audits from.
type (
	Outcomes = outcomes
	Audits   = audits
)

// Read returns an outcome.
func (o *Outcomes) Read(ctx context.Context, bus *jobstream.Bus, at view.OutcomeRef) (outcome.Result, error) {
	return o.read(ctx, bus, at)
}

// Of returns an audit, and says when it was made.
func (a *Audits) Of(ctx context.Context, bus *jobstream.Bus, r outcome.Result, now time.Time) (time.Time, error) {
	made, err := a.of(ctx, bus, r, now)
	return made.At, err
}

// PaidMiners are the miners that each repository pays, as the page of a round counts them.
func PaidMiners(o *scoring.Outcome) (miners []int) {
	for _, row := range emissionOf(o) {
		miners = append(miners, row.Miners)
	}
	return miners
}
