// Package certstest makes certificate authorities and certificates for tests, as
// files that no other user can read.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// CA is a certificate authority of a test.
type CA struct {
	// File is its certificate.
	File string

	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	dir         string
}

// New makes one whose files go when the test does.
func New(tb testing.TB) *CA {
	tb.Helper()
	ca := &CA{key: newKey(tb), dir: tb.TempDir()}
	template := &x509.Certificate{
		SerialNumber:          serial(tb),
		Subject:               pkix.Name{CommonName: "a test's CA"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-48 * time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der := must.Get(x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key))(tb)
	ca.certificate = must.Get(x509.ParseCertificate(der))(tb)
	ca.File = ca.write(tb, "ca.pem", "CERTIFICATE", der)
	return ca
}

// Issue makes a certificate for servers and clients on this machine, and its key.
func (ca *CA) Issue(tb testing.TB, name string) (cert, key string) {
	tb.Helper()
	return ca.IssueUntil(tb, name, time.Now().Add(24*time.Hour))
}

// IssueUntil makes one that ends at an instant, which may be over.
func (ca *CA) IssueUntil(tb testing.TB, name string, end time.Time) (cert, key string) {
	tb.Helper()
	private := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: serial(tb),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der := must.Get(x509.CreateCertificate(rand.Reader, template, ca.certificate, private.Public(), ca.key))(tb)
	secret := must.Get(x509.MarshalECPrivateKey(private))(tb)
	return ca.write(tb, name+".pem", "CERTIFICATE", der), ca.write(tb, name+"-key.pem", "EC PRIVATE KEY", secret)
}

func (ca *CA) write(tb testing.TB, name, kind string, der []byte) string {
	tb.Helper()
	path := filepath.Join(ca.dir, name)
	must.Do(tb, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	return must.Get(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(tb)
}

func serial(tb testing.TB) *big.Int {
	tb.Helper()
	return must.Get(rand.Int(rand.Reader, big.NewInt(1<<62)))(tb)
}
