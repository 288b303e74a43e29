// Package observability reads the rules of Prometheus and the dashboards of Grafana that
// are shipped beside it, for the tests that compare them with the product's metrics. It
// finds the names of metrics and labels in the alerts, the rules with their tests, and
// the queries of the dashboards. It also reads which metrics docs/observability.md
// declares.
//
// Guarantees: a query that cannot be read is an error that names its file; what
// no file has is an error too, so that no test passes over nothing. Syntax is
// promtool's to check: the names are found by their places in an expression.
package observability
