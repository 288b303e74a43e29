// Package input reads the registry of repositories and the miners file, with which a
// round is planned (docs/rules/scoring.md#inputs).
//
// Guarantees: numbers are read as the validator reads them, and every default is
// filled in. FailureOf finds every failure that a miner's own entry shows.
//
// How it fails: a file that breaks a rule is refused as a whole, with an error for
// each value: *RegistryError, *MinerError. Errors do not show long values, because
// somebody may have put an access token into the wrong field. No input makes the
// package panic.
package input
