// Package whatif computes a concluded round again as if something had been different: a
// pull request merged or closed, a label, a linked issue, an approval, a date, another
// registry.
//
//	what the round kept, and changes ──▶ what it would have kept   (Apply)
//	what it would have kept ──▶ Outcome                            (scoring.Conclude)
//
// Guarantees:
//   - It is pure, as the rules are. What it is given stays as it was.
//   - A change is made where the mirror would say it: in every list that has the pull request
//     or the issue. Nothing else changes. The outcome is equal, byte for byte, to that of a
//     round in which the mirror says so.
//   - It guesses nothing. A figure that needs an answer which the round did not ask for is a
//     *NotKeptError, which names all such answers.
//
// How it fails: a change that cannot be, or that changes nothing, is ErrImpossible with the
// reason.
package whatif
