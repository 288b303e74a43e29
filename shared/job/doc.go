// Package job is what crosses the wire between producer and workers: jobs,
// their records, evaluations and dead letters, with their subjects and keys.
//
// A job is one miner of one round. Its record is the truth about it and is
// changed only by compare-and-set, along the transitions of this package:
//
//	            Claim                 Commit
//	planned ────────────▶ running ────────────▶ done ───┐
//	   ▲ │                │  │  ▲│                      │
//	   │ │ ┌──────────────┘  │  └┘ Claim by a later     │
//	   ├─│─┘ HandBack,       │     delivery             │
//	   │ │   FailAttempt     │     (the lease was lost) │
//	   │ │                   └─────────────▶ failed ────┤
//	   │ └─────────────────────────────────────▲        │
//	   │   Exhaust,             Bury, Exhaust,          │
//	   │   end overdue          end overdue             │
//	   └────────────────────────────────────────────────┘
//	       Replan, for the next replay
//	       Reopen, when the evaluation that stands is gone or unreadable
//
// Guarantees: a transition of a running record succeeds only for the claim
// that the record holds, so whoever lost its lease changes nothing (ErrFenced);
// done and failed are final for a given replay (ErrSettled), unless what they stand
// on is damaged: then the job runs again, or ends as damaged. What belongs to an
// earlier replay, or to a message that a later one took over from, ends
// nothing. A degraded evaluation is kept until a replay has bettered it. The
// package has no clock, no network and no disk: instants come in as arguments.
package job
