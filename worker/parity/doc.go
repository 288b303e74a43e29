// Package parity tests that the product computes the same scores as the validator. It
// holds what the validator itself computed. Its tests run whole rounds over recorded
// worlds, decoded by the mirror client, scored by the real parser in child processes, and
// concluded by the rules.
//
// A case is one JSON file (compressed here): a registry, miners, what the
// mirror answers, and for each round over that world what it changes (mirror
// and registry from then on, if it has them) and what the validator made of
// it. Everything must be equal: numbers to the last bit, booleans, texts, nulls
// and the orders of lists.
//
// Every round runs twice: through the rules as pure functions, and through the
// product's own processes (producer with NATS and Redis, workers with their
// children, simulated mirror), whose outcome must be the same bytes. By default
// a handful of the cases does the second; MIRRORFLEET_PARITY_REAL=all, which is
// make parity, lets all of them.
//
// MIRRORFLEET_PARITY names another folder of the same form (DIR/rounds/*.json)
// to run instead. A folder that is missing, empty or malformed fails the
// tests: it never passes. The grammars come from MIRRORFLEET_GRAMMARS, or from
// where `make grammars` puts them.
package parity
