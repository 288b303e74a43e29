package mirror

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"time"

	"mirrorfleet/shared/scoring"
)

// Backoff and RetryAfter are pure, so a test of them needs no clock.
func Backoff(c Config, n int, random float64) time.Duration { return c.backoff(n, random) }

// RetryAfter is the pause that a header demands at an instant.
func RetryAfter(value string, now time.Time) (time.Duration, bool) {
	return retryAfter(http.Header{"Retry-After": {value}}, now)
}

// Instant reads a date.
func Instant(s string) (time.Time, error) { return parseInstant(s) }

// DecodePullRequests reads one page of pull requests.
func DecodePullRequests(data []byte) (Answer[scoring.PullRequest], error) {
	p, err := decodePage(data, list[scoring.PullRequest]{field: "pull_requests", number: "pr_number", decode: decodePullRequest})
	return p.Answer, err
}

// DecodeIssues reads one page of issues.
func DecodeIssues(data []byte) (Answer[scoring.Issue], error) {
	p, err := decodePage(data, list[scoring.Issue]{field: "issues", number: "issue_number", decode: decodeIssue})
	return p.Answer, err
}

// DecodeFiles reads the files answer of a/b's pull request 1.
func DecodeFiles(data []byte) (Files, error) { return decodeFiles(data, "a/b", 1) }

// DecodeMaintainers reads the maintainers answer of a/b.
func DecodeMaintainers(data []byte) (Answer[scoring.Maintainer], error) {
	return decodeMaintainers(data, "a/b")
}

// Trust makes an unused client trust other roots than the system's.
func Trust(c *Client, roots *x509.CertPool) {
	c.metered.transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// WithoutHTTP2 makes an unused client speak only HTTP/1.1.
func WithoutHTTP2(c *Client) { c.metered.transport.ForceAttemptHTTP2 = false }

// DecodeAllIssues reads the answer on all issues.
func DecodeAllIssues(body io.Reader, row func(scoring.IssueRow, error)) (AllIssues, error) {
	return decodeAllIssues(body, row)
}
