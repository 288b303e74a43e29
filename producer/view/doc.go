// Package view collects the data that the commands, the API and the dashboard show of
// rounds, miners, workers and the limit. The commands print it and the API serves it, so
// that both say the same. producer/web/openapi.json describes it. It has the list of
// rounds, one round, its outcome and its rewards, a miner with the reasons for its score,
// a pull request, what a replay would run, what a round took, the state of a round that
// runs or was interrupted, and an egress's bucket.
//
// A [Hub] follows rounds that run for many viewers at once, and looks at each round once.
//
// Guarantees: it only reads. What it says of a revision of an outcome never changes; what it
// says of a round's state is as new as the read. It knows no command and no page.
//
// How it fails: something that was asked for and does not exist is one of the sentinels, and
// the error lists what does exist (NotThere tells these errors from all others). Anything
// else is an error of the streams.
package view
