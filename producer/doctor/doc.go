// Package doctor checks what an installation needs before a round depends on
// it, and says of each fault how it is mended.
//
// Guarantees:
//   - Checks are independent: each opens what it needs itself, so one fault hides
//     no other. They run side by side, and their findings come in the order of the
//     checks. Each ends within its time. One thing is handed on: the mirror is asked
//     once, and its clock is compared with the others.
//   - Nothing is changed. The effects are a permit of the egress and the one
//     request that is sent with it; a bucket that does not exist yet begins with
//     it. An answer that asks for a pause cools the egress down, as it must. Where
//     there are streams, two bytes are written to one key of two buckets, which are
//     of no round: whether writes are confirmed shows in nothing else.
//   - What judges is apart from what looks, and is given time and data.
//   - Every fault and warning has a code that docs/troubleshoot.md lists, and says
//     how it is mended. No address is shown with its credentials.
//
// How it fails: it does not. What cannot be looked at is a finding.
package doctor
