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
//   - FiguresVersion changes with everything that changes a result, so that results
//     stored under another version are not used.
//
// How it fails: a weights file that breaks a rule is refused as a whole
// (WeightsError). A diff that no text can have is refused (Diff.Possible): a hostile
// text may take over the process that parses it. No input makes the package panic.
package tokens
