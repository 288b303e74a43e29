// Package certstest makes certificate authorities and certificates for tests, as
// files that no other user can read.
package certstest

import (
	"testing"
	"time"

	"mirrorfleet/shared/certs/authority"
	"mirrorfleet/shared/must"
)

// CA is a certificate authority of a test.
type CA struct {
	// File is its certificate.
	File string

	authority *authority.Authority
}

// New makes one whose files go when the test does.
func New(tb testing.TB) *CA {
	tb.Helper()
	a := must.Get(authority.New(tb.TempDir(), "a test's CA", time.Now().Add(48*time.Hour)))(tb)
	return &CA{File: a.File, authority: a}
}

// Issue makes a certificate for servers and clients on this machine, and its key.
func (ca *CA) Issue(tb testing.TB, name string) (cert, key string) {
	tb.Helper()
	return ca.IssueUntil(tb, name, time.Now().Add(24*time.Hour))
}

// IssueUntil makes one that ends at an instant, which may be over.
func (ca *CA) IssueUntil(tb testing.TB, name string, end time.Time) (cert, key string) {
	tb.Helper()
	cert, key, err := ca.authority.Issue(name, end)
	must.Do(tb, err)
	return cert, key
}
