package ratelimit_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

// secured is a redis-server with TLS at an address beside its plain one. Both sides need
// a certificate of its CA.
func secured(t *testing.T, ca *certstest.CA) (address string) {
	t.Helper()
	cert, key := ca.Issue(t, "redis")
	port := strconv.Itoa(nettest.FreePort(t))
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.File,
		"--requirepass", "secret")
	return net.JoinHostPort("127.0.0.1", port)
}

// TestTheLimiterOverTLS, with a certificate of its own and the password from a file. A
// renewed certificate counts from the next connection on.
func TestTheLimiterOverTLS(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	address := secured(t, ca)
	password := filepath.Join(t.TempDir(), "password")
	must.Do(t, os.WriteFile(password, []byte("secret\n"), 0o600))
	files := ratelimit.Files{TLS: certs.Files{CA: ca.File}, Password: password}
	files.TLS.Cert, files.TLS.Key = ca.Issue(t, "limiter")
	s := newServer(t, "")
	s.connect = func(timeout time.Duration) (redis.UniversalClient, error) {
		return ratelimit.NewSecureClient("rediss://"+address, timeout, files)
	}
	l := s.patientLimiter(t, quick())
	permit(t, l)
	if shown, err := ratelimit.ServerCertificate(t.Context(), "rediss://"+address, files); err != nil || time.Until(shown.NotAfter) > 24*time.Hour {
		t.Errorf("Redis shows %+v, %v; want its certificate of a day", shown, err)
	}
	rdb := patient(t, s)
	must.Check(t, rdb.Ping(t.Context()).Err())
	old, oldKey := ca.IssueUntil(t, "old", time.Now().Add(-time.Hour))
	must.Do(t, os.Rename(old, files.TLS.Cert))
	must.Do(t, os.Rename(oldKey, files.TLS.Key))
	must.Check(t, rdb.Ping(t.Context()).Err()) // on the connection that there is
	// The next connection is made with the present content of the files.
	subscription := rdb.Subscribe(t.Context(), "limit:{default}:word")
	t.Cleanup(func() { _ = subscription.Close() })
	if err := subscription.Ping(t.Context()); err == nil {
		t.Error("a new connection is made with the old files")
	}
}

// TestWrongTLSOfRedisIsNoAbsence: each fault is reported at once, with the setting that
// corrects it. No server is waited for.
func TestWrongTLSOfRedisIsNoAbsence(t *testing.T) {
	t.Parallel()
	ca, foreign := certstest.New(t), certstest.New(t)
	address := secured(t, ca)
	cert, key := ca.Issue(t, "limiter")
	foreignCert, foreignKey := foreign.Issue(t, "stranger")
	for name, c := range map[string]struct {
		address string
		files   certs.Files
		says    []string
	}{
		"another CA":       {address, certs.Files{CA: foreign.File, Cert: cert, Key: key}, []string{"no CA that is trusted", "--redis-ca"}},
		"the system's CAs": {address, certs.Files{}, []string{"no CA that is trusted", "--redis-ca"}},
		"no certificate":   {address, certs.Files{CA: ca.File}, []string{"--redis-cert"}},
		"a stranger's":     {address, certs.Files{CA: ca.File, Cert: foreignCert, Key: foreignKey}, []string{"--redis-cert"}},
	} {
		rdb := must.Get(ratelimit.NewSecureClient("rediss://:hidden@"+c.address, 10*time.Second, ratelimit.Files{TLS: c.files}))(t)
		t.Cleanup(func() { must.Check(t, rdb.Close()) })
		var refused error
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		must.Until(ctx, t, name+" is refused", func() bool { // a reset may come before the server's answer
			refused = ratelimit.Refusal(rdb.Ping(ctx).Err())
			return refused != nil
		})
		for _, want := range c.says {
			if !strings.Contains(refused.Error(), want) || strings.Contains(refused.Error(), "hidden") {
				t.Errorf("%s: %v does not say %q", name, refused, want)
			}
		}
	}
}

// TestFilesOfRedisThatCannotBeUsed are refused before anything is dialled.
func TestFilesOfRedisThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	exposed := filepath.Join(t.TempDir(), "password")
	must.Do(t, os.WriteFile(exposed, []byte("hidden"), 0o600))
	must.Do(t, os.Chmod(exposed, 0o644))
	for name, c := range map[string]struct {
		url   string
		files ratelimit.Files
		says  string
	}{
		"files without TLS":       {"redis://x", ratelimit.Files{TLS: certs.Files{CA: ca.File}}, "rediss://"},
		"no file":                 {"rediss://x", ratelimit.Files{TLS: certs.Files{CA: "/nowhere.pem"}}, "--redis-ca"},
		"a password for everyone": {"redis://x", ratelimit.Files{Password: exposed}, "--redis-password-file: " + exposed},
		"two passwords":           {"redis://:hidden@x", ratelimit.Files{Password: ca.File}, "exclude each other"},
	} {
		_, err := ratelimit.NewSecureClient(c.url, 0, c.files)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v, want an error with %q, and no password", name, err, c.says)
		}
	}
	var tls *certs.Error
	if _, err := ratelimit.NewSecureClient("redis://x", 0, ratelimit.Files{TLS: certs.Files{CA: ca.File}}); !errors.As(err, &tls) {
		t.Errorf("got %v, want a certs.Error", err)
	}
}
