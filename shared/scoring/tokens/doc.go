// Package tokens scores the files of one pull request: docs/rules/scoring.md#token-scoring.
//
// A parser gives it the nodes of each text (Collect); it subtracts base and head
// (TreeDiff), decides by which method each file is scored (PlanFiles), and adds
// up (Totals, BaseScore). Weights come from the validator's two files
// (docs/rules/scoring.md#weights), or are the built-in ones.
//
// Guarantees:
//   - There is no network, disk or clock here: the same files, nodes and weights
//     give the same figures, to the last bit.
//   - Sums are taken in the order of docs/rules/scoring.md#order-of-sums.
//   - FiguresVersion changes with whatever changes a figure, so that figures that
//     were kept under another version are not used.
//
// How it fails: weights that break a rule are refused whole, with an error for
// each value (WeightsError). Figures that no text can have are refused
// (Diff.Possible): a hostile text may take over the process that parses it.
// Nothing panics on input.
package tokens
