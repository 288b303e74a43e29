package dashboard

import (
	"context"
	"sync"
	"time"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
)

// audits keeps the last audits. An audit reads every evaluation of a round. For 256 miners that
// takes about 50 ms, as long as several pages. The page says when the audit was made.
type audits struct {
	turns turns[view.OutcomeRef]

	mu   sync.Mutex
	last map[view.OutcomeRef]audited
}

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

func newAudits() *audits { return &audits{last: map[view.OutcomeRef]audited{}} }

// of returns an audit of the stored data of an outcome's round. Two viewers who ask at once
// share one audit.
func (a *audits) of(ctx context.Context, bus *jobstream.Bus, r outcome.Result, now time.Time) (audited, error) {
	at := view.OutcomeRef{Round: r.Round, Revision: r.Revision}
	done, err := a.turns.take(ctx, at)
	if err != nil {
		return audited{}, err
	}
	defer done()
	if found, kept := a.get(at); kept && now.Sub(found.At).Abs() < found.lasts() {
		return found, nil
	}
	whole, err := view.OutcomeOf(ctx, bus, r)
	if err != nil {
		return audited{}, err
	}
	made := audited{*whole.Audit, now}
	a.keep(at, made)
	return made, nil
}

func (a *audits) get(at view.OutcomeRef) (audited, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, kept := a.last[at]
	return found, kept
}

func (a *audits) keep(at view.OutcomeRef, made audited) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.last) >= auditsKept {
		clear(a.last)
	}
	a.last[at] = made
}
