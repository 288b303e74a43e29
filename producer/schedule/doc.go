// Package schedule begins a round at each of its due times, one round after the other.
//
// A Schedule says when rounds are due: a pure function of the last turn and of
// the time. A Keeper follows it:
//
//	            ┌──────────────────────────── concluded ◀──────────────┐
//	            ▼                                                      │
//	look ▶ forget old rounds ▶ wait until due ▶ prepare ──────▶ begin ─┤
//	  │                                          ▲    │                │
//	  │                                postponed └────┘                │
//	  └─ the last turn's round has not ended ────────────────▶ resume ─┘
//
// Guarantees:
//   - A round begins only after the schedule's previous round has ended: every job has
//     ended, or the round was overdue and was concluded with the results that existed.
//   - A turn can be missed because a round took longer, no producer ran, or the inputs
//     could not be used. One round at once makes up for all missed turns, and their number
//     is noted in it. Later turns keep their times.
//   - Inputs that cannot be used postpone a round. The keeper reads them again every few
//     seconds for as long as it takes. No round begins with part of its inputs. Until then
//     the last outcome stays in force, and the next round notes why it came late.
//   - A round that no producer can resume counts as ended: the next turn comes when it is
//     due.
//   - The keeper holds no state that must last. After a producer dies, its successor reads
//     the last turn and continues with that turn's round. If the turn began and has no
//     round yet, the successor prepares one.
//   - A warm-up begins at most WarmUp before its turn, once, and ends before the turn's
//     round is prepared. It never runs beside a round of the schedule, and its result
//     changes nothing else.
//   - The operating system's time is the only clock. When that is set back, the next turn
//     is at most one interval away.
//
// Failures: when a round returns an error (in practice, one of the streams), the keeper
// logs it and looks again after a pause, which grows to a minute. Only its context ends a
// keeper.
package schedule
