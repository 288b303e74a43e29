package dashboard

import (
	"context"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// audits keeps the last audits. An audit reads every evaluation of a round. For 256 miners that
// takes about 50 ms, as long as several pages. The page says when the audit was made.
type audits struct{ reads[audited] }

type audited struct {
	audit.Report

	At time.Time
}

// How long an audit is shown before it is repeated. What is stored of a concluded round changes
// only by damage, or by a replay, which makes another outcome. An audit that found something is
// soon repeated, because workers are still settling when a round has just been concluded.
const (
	auditAge = 5 * time.Minute
	foundAge = 10 * time.Second
)

func (a audited) lasts() time.Duration {
	if len(a.Discrepancies) > 0 {
		return foundAge
	}
	return auditAge
}

// auditsKept bounds their number. An audit is small: it names what does not fit.
const auditsKept = 100

// of returns an audit of the stored data of an outcome's round. Two viewers who ask at once
// share one audit.
func (a *audits) of(ctx context.Context, bus *jobstream.Bus, r outcome.Result, now time.Time) (audited, error) {
	return a.once(ctx, view.OutcomeRef{Round: r.Round, Revision: r.Revision}, auditsKept,
		func(found audited) bool { return now.Sub(found.At).Abs() < found.lasts() },
		func() (audited, error) {
			whole, err := view.OutcomeOf(ctx, bus, r)
			if err != nil {
				return audited{}, err
			}
			return audited{*whole.Audit, now}, nil
		})
}
