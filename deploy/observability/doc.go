// Package observability reads what stands beside it, for the tests that hold it
// together: the rules and alerts of Prometheus with their tests, and the
// dashboards of Grafana, as queries with the names of metrics and labels in
// them; and the metrics that docs/observability.md declares.
//
// Guarantees: a query that cannot be read is an error that names its file; what
// no file has is an error too, so that no test passes over nothing. Syntax is
// promtool's to check: the names are found by their places in an expression.
package observability
