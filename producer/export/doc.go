// Package export turns a concluded round into rows for a database: miners, pull requests,
// issues and rewards, as JSON lines or CSV.
//
// Guarantees: the columns are those of docs/export.md, in name and order, and new ones are
// only added at the end. Every row has its round and revision. Numbers are exact: the
// shortest text that reads back as the same number. A round is read one miner at a time, so
// that memory does not grow with the round.
//
// CSV is that of RFC 4180. A text that a spreadsheet would run as a formula begins with an
// apostrophe there, because strangers write the titles of pull requests. JSON lines have
// every text as it is.
//
// How it fails: an outcome that cannot be read, or a writer that fails, is an error of
// Write; rows that were written before it stay.
package export
