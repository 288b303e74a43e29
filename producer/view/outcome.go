package view

import (
	"context"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/jobstream"
)

// Outcome is a concluded round, whole: every miner with its reasons.
type Outcome struct {
	outcome.Result

	// Revisions are those of the round. Audit is what its jobs look like now; an
	// earlier revision's counts them as they had ended then.
	Revisions []int         `json:"revisions,omitempty"`
	Audit     *audit.Report `json:"audit,omitempty"`
	// SignedBy is the key that has signed the outcome, absent for none. Verified says
	// that the process that answers has the public key and has verified it.
	SignedBy string `json:"signed_by,omitempty"`
	Verified bool   `json:"verified,omitempty"`
	// Simulated is what the mirror saw of a round just run, if it was a simulated
	// one.
	Simulated *Simulated `json:"simulated_mirror,omitempty"`
}

// Simulated is what a simulated mirror counted.
type Simulated struct {
	Requests    int         `json:"requests"`
	Connections Connections `json:"connections"`
	LimitUsed   float64     `json:"limit_used"`
	OverLimit   int         `json:"over_limit"`
	Worst       Worst       `json:"worst"`
}

// Connections are those that a simulated mirror had.
type Connections struct {
	Used    int `json:"used"`
	MaxOpen int `json:"max_open"`
}

// Worst is the highest number of requests in any ten seconds, by three ways of
// counting.
type Worst struct {
	Fixed     int     `json:"fixed"`
	Sliding   int     `json:"sliding"`
	TwoWindow float64 `json:"two_window"`
}

// OutcomeOf is a round's outcome with its audit, which reads every evaluation.
func OutcomeOf(ctx context.Context, bus *jobstream.Bus, r outcome.Result) (Outcome, error) {
	held, err := bus.InventoryDigests(ctx, r.Round)
	if err != nil {
		return Outcome{}, err
	}
	report := audit.Of(held)
	if n := len(held.Outcomes); n > 0 && r.Revision < held.Outcomes[n-1] { // a replay has changed its records since
		report.Planned = r.Planned
		report.Done = r.Done
		report.Failed = r.Failed
		report.Outstanding = 0
	}
	return Outcome{
		Result:    r,
		Revisions: held.Outcomes,
		Audit:     &report,
		SignedBy:  r.SignedBy,
		Verified:  bus.Verifies(),
	}, nil
}

// Signature says which key has signed an outcome, and whether that was verified; unverified is
// why not. With --verify-key an outcome that none of its keys has signed is refused where it
// is read.
func Signature(by string, verified bool, unverified string) string {
	switch {
	case by == "":
		return "Unsigned: anybody who can write to NATS as a producer can change it without a trace."
	case verified:
		return "Signed by key " + by + ", verified."
	}
	return "Signed by key " + by + ", not verified: " + unverified + "."
}
