// Package scoring computes a round by the rules, in pure functions.
//
// It works in three steps, run by different processes:
//
//	registry and miners files ──▶ input.Registry, []input.Miner      (package input: strict)
//	a miner's facts and token figures ──▶ Evaluation                 (Load, Score; a worker)
//	all evaluations, and the stored ones ──▶ Outcome                 (Conclude; the producer)
//
// Guarantees:
//   - There is no network, disk or clock here: the round's as_of comes in. The
//     same input gives the same outcome, byte for byte when encoded, in
//     whatever order maps were filled; encoding an input and decoding it again
//     changes nothing.
//   - Numbers equal the validator's to the last bit where the order of the
//     additions is known: sums are compensated as its own are (total), rounding
//     is python.Round2, thresholds divide as Python's // does (slots).
//   - Every decision says why: a Reason or a typed set of inputs is made where
//     the rule is decided, and stored with the figures that it explains.
//
// How it fails: a file that an operator writes (registry, miners, weights) is
// refused as a whole, with an error for each value that breaks a rule. An answer of
// the mirror is never refused here: an unknown state or repository drops the one
// item that has it. No input makes the package panic.
package scoring
