// Package authority is a certificate authority in a folder, for fleets on one machine: it
// writes its own certificate and those of servers and clients as files that only their
// owner can read. Its key is in no file, so nobody can issue more when the process has ended.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority issues certificates.
type Authority struct {
	// File is its own certificate.
	File string

	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// New makes an authority that writes into a folder, and is valid until an instant.
func New(dir, name string, end time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("a key for %s: %w", name, err)
	}
	a := &Authority{dir: dir, key: key}
	a.certificate = &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		NotAfter:              end,
	}
	a.File, err = a.sign(a.certificate, "ca.pem", key)
	return a, err
}

// Issue writes a certificate for a server or client on this machine that ends at an instant,
// and its key.
func (a *Authority) Issue(name string, end time.Time) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("a key for %s: %w", name, err)
	}
	cert, err = a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, name+".pem", private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("the key of %s: %w", name, err)
	}
	key, err = a.write(name+"-key.pem", "EC PRIVATE KEY", secret)
	return cert, key, err
}

// sign writes a certificate for a key. It is valid from two days ago, because clocks differ.
func (a *Authority) sign(template *x509.Certificate, file string, key *ecdsa.PrivateKey) (string, error) {
	const bits = 62 // the standard allows 160, and the number need only be another one each time
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
	if err != nil {
		return "", fmt.Errorf("a number for %s: %w", file, err)
	}
	template.SerialNumber, template.NotBefore = serial, time.Now().Add(-48*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", file, err)
	}
	return a.write(file, "CERTIFICATE", der)
}

func (a *Authority) write(file, kind string, der []byte) (string, error) {
	path := filepath.Join(a.dir, file)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return "", fmt.Errorf("writing a certificate's file: %w", err)
	}
	return path, nil
}
