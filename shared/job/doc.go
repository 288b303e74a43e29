// Package job defines the data that producer and workers exchange: jobs, their records,
// evaluations and dead letters, with their subjects and keys.
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
//	   │   GiveUp               or GiveUp               │
//	   └────────────────────────────────────────────────┘
//	       Replan, for the next replay
//	       Reopen, when the evaluation that stands is gone or unreadable
//
// Guarantees: a transition of a running record succeeds only for the record's own claim,
// so a worker that lost its lease changes nothing (ErrFenced). done and failed are final
// for a given replay (ErrSettled), unless the evaluation is damaged: then the job runs
// again, or ends as damaged. A message of an earlier replay, or one that a later message
// has replaced, ends nothing. What counted before a replay counts until the replay
// has succeeded. The package has no clock, no network and no disk: instants are arguments.
package job
