// Package shadow compares a concluded round with a round that a validator scored by itself.
//
//	a record of the validator's adapter ──▶ Record                  (Decode: strict)
//	what our round kept, its outcome, a Record ──▶ Report           (Compare)
//
// Each miner has a verdict. The first one that holds counts:
//   - Equal: every figure is the same, to the last bit.
//   - Time: every figure is the same once our evaluations are scored at the validator's own
//     instants. These are no guesses: a validator scores one pull request after another, so
//     each decay is computed for an instant of that scoring at which the rule gives the
//     validator's own value.
//   - Inputs: every figure is the same once our rules get the validator's inputs as well. The
//     report names those that differ for this miner.
//   - Others: as for Inputs, but none of this miner's own inputs differs. Its reward depends on
//     other miners, or on an input of the whole round.
//   - Rule: a figure still differs. The first one, in the order in which a round computes them,
//     names the rule.
//
// Guarantees:
//   - It is pure, and changes none of its arguments.
//   - It uses none of the validator's results, with four exceptions. They are causes in the
//     report wherever they differ from ours: the token figures of a pull request, stored
//     evaluations that stand in, maintainers, and who takes part. So Rule says that the same
//     inputs give another result.
//   - A record takes bounded memory, and no long list in it makes the work grow with its
//     square. The end of the context ends both steps.
//
// How it fails: Decode refuses a record that is damaged, too large, of a later version, or
// of another kind. Compare refuses a record of other miners or another registry (ErrForeign).
package shadow
