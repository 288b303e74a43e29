// Package signingtest makes keys for tests.
package signingtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/signing"
)

// Files makes a pair of keys and returns where they are.
func Files(tb testing.TB) (private, public string) {
	tb.Helper()
	dir := tb.TempDir()
	private, public = filepath.Join(dir, "outcome.key"), filepath.Join(dir, "outcome.pub")
	of, key, err := ed25519.GenerateKey(rand.Reader)
	must.Do(tb, err)
	write(tb, private, "PRIVATE KEY", must.Get(x509.MarshalPKCS8PrivateKey(key))(tb))
	write(tb, public, "PUBLIC KEY", must.Get(x509.MarshalPKIXPublicKey(of))(tb))
	return private, public
}

func write(tb testing.TB, path, kind string, der []byte) {
	tb.Helper()
	must.Do(tb, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// Keys are a pair: those of a producer, and those of who only verifies.
func Keys(tb testing.TB) (signs, verifies signing.Keys) {
	tb.Helper()
	private, public := Files(tb)
	return must.Get(signing.Keys{}.Private(private))(tb), must.Get(signing.Keys{}.Public(public))(tb)
}
