// Package view is the data that is shown of rounds: a list of them, one, its
// outcome, its rewards, one of its miners with the reasons of its score, one of
// the miner's pull requests, what a replay would run, what a round took, how one
// stands while it runs or is left, an egress's bucket. The commands print it and
// the API serves it, so that both say the same; producer/web/openapi.json
// describes it.
//
// Guarantees: it reads and changes nothing. What it says of a revision of an
// outcome never changes; what it says of a round as it stands is as new as the
// read. It knows no command and no page.
//
// How it fails: what is asked for and is not there is one of the sentinels,
// with what there is instead (NotThere tells them from all else); anything else
// is an error of the streams.
package view
