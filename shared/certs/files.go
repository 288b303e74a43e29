package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"mirrorfleet/shared/secret"
)

// Files are the files of one side of TLS, "" for none.
type Files struct {
	// Setting is the flag whose name the files' own begin with, such as --nats.
	Setting string
	// CA are the certificates that are trusted; without it the system's are.
	CA string
	// Cert is this side's certificate, with those between it and its CA; Key is its key.
	Cert, Key string
}

// Error says what is wrong with a certificate, a key, or with TLS itself, and
// what mends it. Waiting mends none of it.
type Error struct {
	What   string
	Remedy string
	Err    error // nil where What says it all
}

func (e *Error) Error() string { return e.What + ": " + e.Remedy }

func (e *Error) Unwrap() error { return e.Err }

// Given says whether there is any file.
func (f Files) Given() bool { return f != Files{Setting: f.Setting} }

// Check reads the files that are given, and refuses what no connection could be made
// with at this time.
func (f Files) Check(now time.Time) error {
	if _, err := f.Pool(); err != nil {
		return err
	}
	if f.Cert == "" && f.Key == "" {
		return nil
	}
	pair, err := f.Pair()
	if err != nil {
		return err
	}
	return f.inTime(pair.Leaf, now)
}

func (f Files) inTime(leaf *x509.Certificate, now time.Time) error {
	what := f.Setting + "-cert " + f.Cert
	switch {
	case now.After(leaf.NotAfter):
		return &Error{What: what + " has expired, at " + leaf.NotAfter.UTC().Format(time.RFC3339), Remedy: "give a renewed certificate"}
	case now.Before(leaf.NotBefore):
		return &Error{
			What:   what + " is valid only from " + leaf.NotBefore.UTC().Format(time.RFC3339) + " on",
			Remedy: "wait for that, or set this machine's clock",
		}
	}
	return nil
}

// Pool is the CA's certificates, nil without a file: the system's.
func (f Files) Pool() (*x509.CertPool, error) {
	if f.CA == "" {
		return nil, nil //nolint:nilnil // which is how crypto/tls has it
	}
	data, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, &Error{f.Setting + "-ca: " + err.Error(), "give a file that this process can read", err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, &Error{What: f.Setting + "-ca " + f.CA + " holds no certificate", Remedy: "give the CA's certificate as PEM"}
	}
	return pool, nil
}

// Pair is the certificate with its key.
func (f Files) Pair() (tls.Certificate, error) {
	if f.Cert == "" || f.Key == "" {
		return tls.Certificate{}, &Error{
			What: fmt.Sprintf("%s-cert and %s-key belong together", f.Setting, f.Setting), Remedy: "give both, or neither",
		}
	}
	certificate, err := os.ReadFile(f.Cert)
	if err != nil {
		return tls.Certificate{}, &Error{f.Setting + "-cert: " + err.Error(), "give a file that this process can read", err}
	}
	key, err := secret.Read(f.Key, maxKey)
	if _, exposed := errors.AsType[*secret.ExposedError](err); exposed {
		return tls.Certificate{}, fmt.Errorf("%s-key: %w", f.Setting, err)
	}
	if err != nil {
		return tls.Certificate{}, &Error{f.Setting + "-key: " + err.Error(), "give a file that this process can read", err}
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, &Error{
			What:   fmt.Sprintf("%s-cert %s and %s-key %s: %v", f.Setting, f.Cert, f.Setting, f.Key, err),
			Remedy: "give a certificate and the key that it was made for, both as PEM", Err: err,
		}
	}
	return pair, nil
}

// maxKey is many times the longest key.
const maxKey = 1 << 20

// Client is what a client needs for its next connection; ServerName is the caller's.
func (f Files) Client() (*tls.Config, error) {
	pool, err := f.Pool()
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if f.Cert != "" || f.Key != "" {
		pair, err := f.Pair()
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
