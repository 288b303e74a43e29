// Package shadow compares a concluded round with a round that a validator scored by itself.
//
//	a record of the validator's adapter ──▶ Record                  (Decode: strict)
//	what our round kept, its outcome, a Record ──▶ Report           (Compare)
//
// Each miner has a verdict. The first one that holds counts:
//   - Equal: every figure is the same, to the last bit.
//   - Time: every figure is, once our evaluations are scored at the validator's own instants.
//     These are no guesses: a validator scores one pull request after the other, so each decay
//     is taken at an instant of its scoring at which the rule gives the validator's own value.
//   - Inputs: every figure is, once our rules are given the validator's inputs as well. The
//     report names those that differ for this miner.
//   - Others: the same, but none of this miner's own inputs differs. Its reward depends on
//     others, or on an input of the whole round.
//   - Rule: a figure is still not the same. The first one, in the order in which a round
//     computes them, names the rule.
//
// Guarantees:
//   - It is pure. What it is given stays as it was.
//   - It takes nothing of the validator's results, with four exceptions that are causes in the
//     report wherever they differ from ours: the token figures of a pull request, stored
//     evaluations that stand in, maintainers, and who takes part. So Rule says that the same
//     inputs give another result.
//
// How it fails: a record that is damaged, of a later version, or of something else is refused
// by Decode, and one of other miners or another registry by Compare (ErrForeign).
package shadow
