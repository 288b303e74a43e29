package page

import (
	"fmt"
	"strings"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// failedRound is a round with so many failed miners.
func failedRound(n int, fail func(uid int) outcome.Failed) view.Round {
	r := view.Round{
		Summary: view.Summary{Round: "20260601t000000z-010203", State: view.Concluded, Failed: n}, Revisions: []int{1}, Replaying: []int{},
		PlannedRules: scoring.RulesVersion, FailedLookUps: []job.Missing{}, Damaged: []outcome.Lost{}, CancelOrders: []job.CancelOrder{},
	}
	for uid := range n {
		one := fail(uid)
		one.UID, one.Attempts = uid, 4
		one.Worker, one.Trace = "worker-of-a-host-with-a-long-name-17", strings.Repeat("4b", 16)
		r.Failures = append(r.Failures, one)
	}
	r.Groups = outcome.Groups(r.Failures)
	return r
}

// The pages of failures that have something in common, and of as many that have nothing.
func TestFailurePages(t *testing.T) {
	t.Parallel()
	outage := failedRound(40, func(uid int) outcome.Failed {
		switch {
		case uid%10 == 3:
			return outcome.Failed{Class: job.Permanent, Error: fmt.Sprintf("listing the pull requests of miner %d: mirror POST /api/v1/miners/%d/pulls: status 404: \x1b[2Jno such miner", uid, 1000+uid)}
		case uid%5 == 1:
			return outcome.Failed{Class: outcome.ClassDegraded, Error: fmt.Sprintf("lacks files acme/widgets#%d: mirror GET /api/v1/pulls/acme/widgets/%d/files: status 503 (tries: 3)", uid, uid)}
		}
		return outcome.Failed{Class: job.Transient, Error: fmt.Sprintf("listing the pull requests of miner %d: mirror POST /api/v1/miners/%d/pulls: status 500 (tries: 3)", uid, 1000+uid)}
	})
	goldenPage(t, "failures/outage", "Round", outage, Failures)
	apart := failedRound(256, func(uid int) outcome.Failed {
		return outcome.Failed{Class: job.Transient, Error: "the answer is " + strings.Repeat(string(rune('a'+uid%26)), uid+1)}
	})
	goldenPage(t, "failures/apart", "Round", apart, Failures)
	one, err := outage.Like(outage.Groups[2].Key)
	if err != nil || len(one.Failures) != 4 {
		t.Fatalf("%d miners (%v), want the 4 of the smallest group", len(one.Failures), err)
	}
	one.PlannedRules = scoring.FirstRules
	goldenPage(t, "failures/like", "Round", one, FailuresLike)
}
