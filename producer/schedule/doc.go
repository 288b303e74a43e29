// Package schedule begins rounds when they are due, one after the other, for
// months.
//
// A Schedule says when rounds are due: a pure function of the last turn and of
// the time. A Keeper follows it:
//
//	            ┌──────────────────────────── concluded ◀──────────────┐
//	            ▼                                                      │
//	look ▶ forget old rounds ▶ wait until due ▶ prepare ──────▶ begin ─┤
//	  │                                          ▲    │                │
//	  │                              put off ────┴────┘                │
//	  └─ the last turn's round has not ended ────────────────▶ resume ─┘
//
// Guarantees:
//   - A round begins only when the last one of the schedule has ended: concluded
//     with everything, or when it was overdue with what there was.
//   - Turns that were missed, because a round took longer, no producer lived, or
//     the inputs could not be used, are made up for by one round at once, and are
//     counted. The turns after it are where they always were.
//   - Inputs that cannot be used put a round off: they are read again every few
//     seconds, as long as it takes. No round begins with half of them; the last
//     outcome stays in force, and the next round says why it came late.
//   - A round that nobody can go on with counts as ended: the next turn comes when
//     it is due.
//   - The keeper holds nothing that must last. Whoever follows one that died looks
//     at the last turn and goes on: with its round, or with a turn that was begun
//     and has no round yet.
//   - A warm-up begins at most WarmUp before its turn, once, and has ended when the turn's
//     round is prepared. It runs while no round of the schedule does. How it ends
//     changes nothing else.
//   - It has one clock, the time that the operating system tells. When that is
//     set back, the next turn is at most one interval away.
//
// How it fails: an error of a round (of the streams, in the end) is logged, and
// after a pause that grows to a minute the keeper looks again. It ends with its
// context alone.
package schedule
