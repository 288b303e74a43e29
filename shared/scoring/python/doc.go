// Package python repeats Python's behaviour where the validator relies on it:
// rounding to two decimals, lower-casing, and matching globs.
//
// Guarantees: results equal CPython 3.12's for every input, invalid text
// included. Nothing fails.
package python
