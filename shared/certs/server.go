package certs

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"
)

// Server is the TLS of a listener that shows the certificate. It fails when the
// files cannot be used at this time.
func Server(f Files, log *slog.Logger) (*tls.Config, error) {
	if err := f.Check(time.Now()); err != nil {
		return nil, err
	}
	pair, err := f.Pair()
	if err != nil {
		return nil, err
	}
	shown := &shown{files: f, log: log, last: &pair}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: shown.now}, nil
}

// shown is the certificate of a listener.
type shown struct {
	files Files
	log   *slog.Logger

	mu   sync.Mutex
	last *tls.Certificate
	bad  bool // what the files held when they were read last is not shown
}

// now reads the files again; what cannot be used leaves the last one in place.
func (s *shown) now(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair, err := s.files.Pair()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.last = &pair
	} else if !s.bad {
		s.log.Warn("the new certificate cannot be used: the former one is shown", "error", err)
	}
	s.bad = err != nil
	return s.last, nil
}
