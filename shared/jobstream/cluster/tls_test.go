package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/secret"
)

// secured is one server with the shipped settings and the shipped tls.conf, whose
// producer has an nkey in place of its password, as docs/secure.md says.
type secured struct {
	ca *certstest.CA
	c  *cluster.Cluster
	// producer are the files of a producer, worker those of a worker with a password.
	producer, worker jobstream.Files
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{ca: certstest.New(t)}
	pair := must.Get(nkeys.CreateUser())(t)
	seed := filepath.Join(t.TempDir(), "producer.nk")
	must.Do(t, os.WriteFile(seed, must.Get(pair.Seed())(t), 0o600))
	password := filepath.Join(t.TempDir(), "password")
	must.Do(t, os.WriteFile(password, []byte("test-only\n"), 0o600))

	shipped := string(must.Get(os.ReadFile(settings))(t))
	const before, after = "user: producer, password: $NATS_PRODUCER_PASSWORD", "nkey: $NATS_PRODUCER_NKEY"
	if !strings.Contains(shipped, before) {
		t.Fatalf("the settings do not have %q, which docs/secure.md has replaced", before)
	}
	cert, key := s.ca.Issue(t, "server")
	values := ""
	for name, value := range map[string]string{
		"NATS_PRODUCER_NKEY": must.Get(pair.PublicKey())(t), "NATS_TLS_CERT": cert, "NATS_TLS_KEY": key, "NATS_TLS_CA": s.ca.File,
	} {
		values += fmt.Sprintf("%s: %q\n", name, value)
	}
	text := values + "NATS_TLS_VERIFY: true\n" + strings.Replace(shipped, before, after, 1) +
		string(must.Get(os.ReadFile(filepath.Join(filepath.Dir(settings), "tls.conf")))(t))
	path := filepath.Join(t.TempDir(), "settings.conf")
	must.Do(t, os.WriteFile(path, []byte(text), 0o600))

	s.c = cluster.Start(t.Context(), t, cluster.Config{Settings: path, Nodes: 1})
	own := certs.Files{CA: s.ca.File}
	own.Cert, own.Key = s.ca.Issue(t, "client")
	s.producer = jobstream.Files{TLS: own, NKey: seed}
	s.worker = jobstream.Files{TLS: own, Password: password}
	return s
}

// address is the server's, with a user or without.
func (s *secured) address(user string) string {
	return regexp.MustCompile(`//[^@]*@`).ReplaceAllString(s.c.URL("x"), "//"+user)
}

func (s *secured) connect(t *testing.T, address string, files jobstream.Files) (*nats.Conn, error) {
	t.Helper()
	nc, err := jobstream.Connect(t.Context(), address, "test", jobstream.ConnectConfig{Wait: 20 * time.Second, Files: files, Log: jobstreamtest.Quiet()})
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

// TestARoundTripOverTLS: a producer with a client certificate and an nkey publishes, a
// worker with one and a password from a file takes the job, and both have the rights of
// their roles.
func TestARoundTripOverTLS(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	open := func(role jobstream.Role, address string, files jobstream.Files) *jobstream.Bus {
		nc := must.Get(s.connect(t, address, files))(t)
		if state, err := nc.TLSConnectionState(); err != nil || !state.HandshakeComplete {
			t.Errorf("the connection has no TLS: %v", err)
		}
		return must.Get(jobstream.Open(t.Context(), nc, jobstream.Config{Role: role, Log: jobstreamtest.Quiet()}))(t)
	}
	producer := open(jobstream.RoleProducer, s.address(""), s.producer)
	must.Do(t, producer.Queue.Publish(t.Context(), job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))
	worker := open(jobstream.RoleWorker, s.address("worker@"), s.worker)
	got := must.Get(worker.Queue.Fetch(t.Context(), 1, 10*time.Second))(t)
	if len(got) != 1 {
		t.Errorf("the worker is given %d jobs, want the one", len(got))
	}
	for _, c := range []struct {
		address string
		files   jobstream.Files
		role    jobstream.Role
	}{{s.address(""), s.producer, jobstream.RoleProducer}, {s.address("worker@"), s.worker, jobstream.RoleWorker}} {
		may, err := jobstream.TryRole(t.Context(), c.address, c.role, c.files)
		if err != nil || len(may.Denied) > 0 {
			t.Errorf("%s: %+v, %v, want all rights of the role", c.role, may, err)
		}
	}
}

// TestWhatIsWrongIsNoAbsence: each is an error at once that names the setting and what
// mends it, and holds no secret; a server that is away would be waited for.
func TestWhatIsWrongIsNoAbsence(t *testing.T) {
	t.Parallel()
	s, foreign := startSecured(t), certstest.New(t)
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must.Do(t, os.WriteFile(path, []byte(content), 0o600))
		must.Do(t, os.Chmod(path, mode))
		return path
	}
	seedOf := func() string { return string(must.Get(must.Get(nkeys.CreateUser())(t).Seed())(t)) }
	seed := must.Get(os.ReadFile(s.producer.NKey))(t)
	with := func(change func(*jobstream.Files)) jobstream.Files {
		files := s.producer
		change(&files)
		return files
	}
	old, oldKey := s.ca.IssueUntil(t, "old", time.Now().Add(-time.Hour))
	stranger, strangerKey := foreign.Issue(t, "stranger")
	for name, c := range map[string]struct {
		address string
		files   jobstream.Files
		says    []string
	}{
		"another CA":           {"", with(func(f *jobstream.Files) { f.TLS.CA = foreign.File }), []string{"no CA that is trusted", "--nats-ca"}},
		"the system's CAs":     {"", with(func(f *jobstream.Files) { f.TLS.CA = "" }), []string{"no CA that is trusted", "--nats-ca"}},
		"no certificate":       {"", with(func(f *jobstream.Files) { f.TLS.Cert, f.TLS.Key = "", "" }), []string{"certificate required", "--nats-cert"}},
		"a stranger's":         {"", with(func(f *jobstream.Files) { f.TLS.Cert, f.TLS.Key = stranger, strangerKey }), []string{"the server ends TLS", "--nats-cert"}},
		"an expired one":       {"", with(func(f *jobstream.Files) { f.TLS.Cert, f.TLS.Key = old, oldKey }), []string{"--nats-cert", "expired", "renewed"}},
		"an unknown nkey":      {"", with(func(f *jobstream.Files) { f.NKey = file("other.nk", seedOf(), 0o600) }), []string{"refuses the credentials"}},
		"no nkey":              {"", with(func(f *jobstream.Files) { f.NKey = file("none.nk", "SECRET", 0o600) }), []string{"--nats-nkey", "no seed", "nk -gen user"}},
		"an nkey for everyone": {"", with(func(f *jobstream.Files) { f.NKey = file("open.nk", string(seed), 0o644) }), []string{"--nats-nkey", "0644", "chmod o-rwx"}},
		"no creds":             {"", with(func(f *jobstream.Files) { f.NKey, f.Creds = "", file("none.creds", "SECRET", 0o600) }), []string{"--nats-creds", "nsc generate creds"}},
		"two ways":             {s.address("worker:SECRET@"), s.producer, []string{"--nats-nkey", "a user in --nats", "exclude"}},
		"a wrong password":     {s.address("worker:SECRET@"), with(func(f *jobstream.Files) { f.NKey = "" }), []string{"refuses the credentials"}},
		"a password's file without user": {
			"", with(func(f *jobstream.Files) { f.NKey, f.Password = "", file("pw", "SECRET", 0o600) }), []string{"--nats-password-file", "name the user"},
		},
	} {
		if c.address == "" {
			c.address = s.address("")
		}
		_, err := s.connect(t, c.address, c.files)
		var wrong *certs.Error
		var exposed *secret.ExposedError
		if !errors.As(err, &wrong) && !errors.As(err, &exposed) && !jobstream.Unauthorized(err) {
			t.Errorf("%s: got %v, want an error that no wait mends", name, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), string(seed)) {
			t.Errorf("%s: a secret in %v", name, err)
		}
	}
}

// TestAServerWithoutTLSIsRefused where TLS is asked for: nothing goes out in the clear.
func TestAServerWithoutTLSIsRefused(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t.Context(), t, cluster.Config{Settings: settings, Nodes: 1})
	_, err := jobstream.Connect(t.Context(), c.URL(cluster.Producer), "test", jobstream.ConnectConfig{
		Log: jobstreamtest.Quiet(), Files: jobstream.Files{TLS: certs.Files{CA: certstest.New(t).File}},
	})
	var wrong *certs.Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "no TLS") || !strings.Contains(err.Error(), "deploy/nats/tls.conf") {
		t.Errorf("got %v, want it refused with what to do", err)
	}
}

// TestARenewedCertificateCountsAfterAReconnect: what the files hold then is shown.
func TestARenewedCertificateCountsAfterAReconnect(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	nc, err := s.connect(t, s.address(""), s.producer)
	must.Do(t, err)
	cert, key := s.ca.Issue(t, "renewed")
	must.Do(t, os.Rename(cert, s.producer.TLS.Cert))
	must.Do(t, os.Rename(key, s.producer.TLS.Key))
	s.c.Kill(0)
	must.Do(t, s.c.Restart(0))
	must.Do(t, s.c.Healthy(t.Context()))
	b := &bundle{t: t, ctx: t.Context(), cluster: s.c}
	b.until("it is connected again", nc.IsConnected)
	must.Check(t, nc.Flush())
}

// TestShippedTLSConfigurations: the server itself finds nothing wrong with them.
func TestShippedTLSConfigurations(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t)
	cert, key := ca.Issue(t, "server")
	for _, name := range []string{"single-tls.conf", "cluster-tls.conf"} {
		cmd := exec.CommandContext(t.Context(), must.Get(cluster.Binary(t.Context()))(t), "-t", "-c", filepath.Join(filepath.Dir(settings), name))
		cmd.Env = append(append(os.Environ(), cluster.Environment(t.TempDir())...), "NATS_NAME=nats-1", "NATS_ROUTE_PASSWORD=test-only",
			"NATS_TLS_CERT="+cert, "NATS_TLS_KEY="+key, "NATS_TLS_CA="+ca.File, "NATS_TLS_VERIFY=true")
		for i := range 3 {
			cmd.Env = append(cmd.Env, fmt.Sprintf("NATS_ROUTE_%d=nats://route:test-only@nats-%d:6222", i+1, i+1))
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
