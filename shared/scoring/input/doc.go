// Package input reads what a round is planned with: the registry of repositories
// and the miners file (docs/rules/scoring.md#inputs).
//
// Guarantees: numbers are read as the validator reads them, and every default is
// filled in. A failure that a miner's own entry tells is found here (FailureOf).
//
// How it fails: a file that breaks a rule is refused whole, with an error for
// each value: *RegistryError, *MinerError. Long values are not shown in errors,
// because an access token may stand in the wrong place. Nothing panics on input.
package input
