// Package doctor checks what an installation needs before a round depends on it, and says
// for each fault how to fix it.
//
// Guarantees:
//   - Checks are independent: each opens its own connections, so that one fault does not
//     hide another. They run side by side, each ends within its time, and the findings
//     come in the order of the checks. Only one result is passed on: the mirror is asked
//     once, and the check of the clocks uses its answer.
//   - Nothing that a round uses is changed. One permit is taken and one request is sent
//     with it; a bucket that does not exist begins with that permit. An answer that asks
//     for a pause cools the egress down, as for any process. If streams exist, two bytes
//     are written under one key of two buckets that belongs to no round, because only a
//     write shows whether writes are confirmed.
//   - Judging is separate from looking: functions named Judge… get data and time, and do
//     no input or output.
//   - Every warning and fault has a code that docs/troubleshoot.md lists, and says how to
//     fix it. No address is shown with its credentials.
//
// How it fails: it does not. What cannot be checked is a finding.
package doctor
