// Package export turns a concluded round into rows for whoever keeps a
// database: miners, pull requests, issues and rewards, as JSON lines or CSV.
//
// Guarantees: the columns are those of docs/export.md, by name and in order,
// and a column is added at the end or not at all. A row says of which round
// and revision it is. Numbers are exact: the shortest text that reads back as
// the same number. A round is read one miner at a time, so that what is held of
// it does not grow with the round.
//
// CSV is that of RFC 4180. Texts that a spreadsheet would take for a formula
// begin with an apostrophe there, because strangers write the titles of pull
// requests; JSON lines have every text as it is.
package export
