package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFilesThatCannotBeUsed: each is an error that names the setting and what mends
// it, and holds nothing of a key.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	cert, key := ca.Issue(t, "one")
	_, another := ca.Issue(t, "another")
	old, oldKey := ca.IssueUntil(t, "old", time.Now().Add(-time.Hour))
	none := filepath.Join(t.TempDir(), "none")
	exposed := filepath.Join(t.TempDir(), "key.pem")
	must.Do(t, os.WriteFile(exposed, must.Get(os.ReadFile(key))(t), 0o600))
	must.Do(t, os.Chmod(exposed, 0o644))
	for name, c := range map[string]struct {
		files certs.Files
		says  []string
	}{
		"no CA's file":       {certs.Files{CA: none}, []string{"--x-ca", none}},
		"no CA":              {certs.Files{CA: key}, []string{"--x-ca", key, "no certificate"}},
		"no key":             {certs.Files{Cert: cert}, []string{"--x-cert and --x-key"}},
		"no certificate":     {certs.Files{Key: key}, []string{"--x-cert and --x-key"}},
		"another key":        {certs.Files{Cert: cert, Key: another}, []string{"--x-cert", "--x-key", another}},
		"an expired one":     {certs.Files{Cert: old, Key: oldKey}, []string{"--x-cert", old, "expired", "renewed"}},
		"a key for everyone": {certs.Files{Cert: cert, Key: exposed}, []string{"--x-key", exposed, "0644", "chmod o-rwx"}},
	} {
		c.files.Setting = "--x"
		err := c.files.Check(time.Now())
		var wrong *certs.Error
		var open *secret.ExposedError
		if !errors.As(err, &wrong) && !errors.As(err, &open) {
			t.Errorf("%s: got %v, want an error that no wait mends", name, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, err, want)
			}
		}
	}
	must.Check(t, certs.Files{Setting: "--x", CA: ca.File, Cert: cert, Key: key}.Check(time.Now()))
}

// served listens with a configuration until the test ends, and greets whoever comes.
func served(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	listener := must.Get(tls.Listen("tcp", "127.0.0.1:0", cfg))(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { must.Check(t, listener.Close()); <-ended })
	return listener.Addr().String()
}

// shown is the name in the certificate that a server shows now.
func shown(t *testing.T, address string, files certs.Files) (string, error) {
	t.Helper()
	cfg := must.Get(files.Client())(t)
	cfg.ServerName = "127.0.0.1"
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.ReadAll(conn); err != nil {
		return "", err
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// TestARenewedCertificateIsShown from the next connection on; half of a pair is not,
// and is logged once.
func TestARenewedCertificateIsShown(t *testing.T) {
	t.Parallel()
	ca, log := certstest.New(t), &bytes.Buffer{}
	files := certs.Files{Setting: "--x"}
	files.Cert, files.Key = ca.Issue(t, "first")
	address := served(t, must.Get(certs.Server(files, slog.New(slog.NewTextHandler(log, nil))))(t))
	client := certs.Files{Setting: "--x", CA: ca.File}
	wants := func(want string) {
		t.Helper()
		if got, err := shown(t, address, client); got != want || err != nil {
			t.Errorf("shown is %q, %v, want %q", got, err, want)
		}
	}
	wants("first")
	cert, key := ca.Issue(t, "second")
	must.Do(t, os.Rename(cert, files.Cert))
	wants("first")
	wants("first")
	must.Do(t, os.Rename(key, files.Key))
	wants("second")
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("said %d times that the pair does not fit, want once:\n%s", n, log)
	}
}

// TestExplain: what is wrong with TLS is told from a server that is away, with the
// setting that mends it.
func TestExplain(t *testing.T) {
	t.Parallel()
	ca, foreign := certstest.New(t), certstest.New(t)
	files := certs.Files{Setting: "--x"}
	files.Cert, files.Key = ca.Issue(t, "server")
	cfg := must.Get(certs.Server(files, slog.New(slog.DiscardHandler)))(t)
	closed := certs.Files{Setting: "--x"}
	closed.Cert, closed.Key = ca.IssueUntil(t, "old", time.Now().Add(time.Hour))
	picky := cfg.Clone()
	picky.ClientAuth, picky.ClientCAs = tls.RequireAndVerifyClientCert, must.Get(certs.Files{CA: ca.File}.Pool())(t)
	plain := must.Get(net.Listen("tcp", "127.0.0.1:0"))(t)
	greeted := make(chan struct{})
	go func() {
		defer close(greeted)
		if conn, err := plain.Accept(); err == nil {
			_, _ = io.WriteString(conn, "+PONG and no TLS at all\r\n")
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { must.Check(t, plain.Close()); <-greeted })
	for name, c := range map[string]struct {
		address string
		files   certs.Files
		says    []string
	}{
		"another CA":              {served(t, cfg), certs.Files{CA: foreign.File}, []string{"no CA that is trusted", "--x-ca"}},
		"no client's":             {served(t, picky), certs.Files{CA: ca.File}, []string{"the server ends TLS", "--x-cert"}},
		"no TLS":                  {plain.Addr().String(), certs.Files{CA: ca.File}, []string{"speaks no TLS", "--x"}},
		"nobody, which is no TLS": {"127.0.0.1:1", certs.Files{CA: ca.File}, nil},
	} {
		c.files.Setting = "--x"
		_, err := shown(t, c.address, c.files)
		wrong := certs.Explain(err, "--x")
		if err == nil || (wrong == nil) != (c.says == nil) {
			t.Errorf("%s: %v is explained as %v", name, err, wrong)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(wrong.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, wrong, want)
			}
		}
	}
	if err := certs.Explain(context.DeadlineExceeded, "--x"); err != nil {
		t.Errorf("a time-out is explained as %v", err)
	}
}

// TestAnAlertIsHeardAfterAWriteHasFailed: a server refuses a client's certificate and
// closes before the client writes its first request.
func TestAnAlertIsHeardAfterAWriteHasFailed(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	files := certs.Files{Setting: "--x"}
	files.Cert, files.Key = ca.Issue(t, "server")
	cfg := must.Get(certs.Server(files, slog.New(slog.DiscardHandler)))(t)
	cfg.ClientAuth = tls.RequireAnyClientCert
	listener := must.Get(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { must.Check(t, listener.Close()) })
	closed := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil && tls.Server(conn, cfg).Handshake() == nil {
			err = errors.New("the server has accepted a client without a certificate")
		}
		if tcp, is := conn.(*net.TCPConn); is {
			err = errors.Join(err, tcp.SetLinger(0), tcp.Close()) // a reset, as after a request that nobody has read
		}
		closed <- err
	}()
	client := must.Get(certs.Files{Setting: "--x", CA: ca.File}.Client())(t)
	client.ServerName = "localhost"
	conn := tls.Client(must.Get((&certs.Dialer{}).Dial("tcp", listener.Addr().String()))(t), client)
	defer conn.Close() // with an error, since the other side has closed it
	must.Do(t, conn.HandshakeContext(t.Context()))
	must.Do(t, <-closed)
	_, written := conn.Write([]byte("HELLO"))
	_, heard := conn.Read(make([]byte, 1))
	if wrong := certs.Explain(heard, "--x"); written != nil || wrong == nil || !strings.Contains(wrong.Error(), "the server ends TLS") {
		t.Errorf("written with %v, read with %v, explained as %v; want the server's alert", written, heard, wrong)
	}
}
