// Package health serves what others ask of a process: /healthz (it is alive),
// /readyz (it can do work, or why not) and /metrics.
//
// Guarantees: /readyz answers 200 only when every part that was named is there
// and every check passes now; otherwise 503, with each part's state as JSON. It
// serves from Listen on, so that a process that waits for a server is alive and
// says for what it waits. Checks run at once, each within a second, and only
// when somebody asks.
//
// How it fails: an address that cannot be listened on is an error of Listen;
// afterwards nothing fails but single requests. Reasons are for whoever can
// reach the address: they name what is wrong, never a credential.
package health
