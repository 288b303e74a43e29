// Package health serves the pages by which a process is monitored: /healthz (it is
// alive), /readyz (it can do work, or why not) and /metrics.
//
// Guarantees: /readyz answers 200 only if every named part is present and every check
// passes now. Otherwise it answers 503, with each part's state as JSON. It is served from
// Listen on, so a process that still waits for a server is already alive and names that
// server. Checks run side by side, each within a second, and only on request.
//
// Failures: an address that cannot be listened on is an error of Listen. Later failures
// affect single requests alone. Anybody who can reach the address can read the reasons, so
// they name faults and never credentials.
package health
