package systemd_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/certs/authority"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// server is the command of a server's unit, with its environment, as systemd runs it on a machine
// whose folders lie in dir: the passwords are in its file, and the credentials are loaded. more
// are further lines of that file.
func server(ctx context.Context, t *testing.T, dir, name string, more ...string) *exec.Cmd {
	t.Helper()
	unit := units(t)["mirrorfleet-"+name+".service"]
	credentials := filepath.Join(dir, "credentials")
	shipped := must.Get(filepath.Abs(".."))(t)
	here := strings.NewReplacer("/opt/mirrorfleet", shipped, "/run/credentials/mirrorfleet-"+name+".service", credentials,
		"/var/lib/mirrorfleet-", dir+"/", "%H", "here")
	values := map[string]string{}
	set := func(pair string) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = here.Replace(value)
	}
	for _, line := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(unit, -1) {
		for pair := range strings.FieldsSeq(line[1]) {
			set(pair)
		}
	}
	file := filepath.Base(setting(t, unit, "EnvironmentFile"))
	for _, password := range documented(t, file) {
		set(password)
	}
	for _, pair := range more { // systemd takes the file's value before the unit's
		set(pair)
	}
	binary := must.Get(cluster.Binary(ctx))(t)
	values["PATH"], values["TMPDIR"] = filepath.Dir(binary)+":"+os.Getenv("PATH"), dir
	args := strings.Fields(os.Expand(here.Replace(setting(t, unit, "ExecStart")), func(name string) string { return values[name] }))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	for name, value := range values {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for _, found := range regexp.MustCompile(`(?m)^LoadCredential=(\w+):(.*)$`).FindAllStringSubmatch(unit, -1) {
		must.Do(t, os.MkdirAll(credentials, 0o700))
		must.Do(t, os.Link(filepath.Join(dir, filepath.Base(found[2])), filepath.Join(credentials, found[1])))
	}
	return cmd
}

// documented are the lines of a server's file of passwords, as docs/scale.md shows it.
func documented(t *testing.T, file string) (lines []string) {
	t.Helper()
	page := string(must.Get(os.ReadFile(filepath.Join("..", "..", "docs", "scale.md")))(t))
	_, shown, found := strings.Cut(page, "    # /etc/mirrorfleet/secrets/"+file+"\n")
	if !found {
		t.Fatalf("docs/scale.md does not show %s", file)
	}
	for line := range strings.Lines(shown) {
		line, inside := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !inside || !strings.Contains(line, "_PASSWORD=") {
			break
		}
		lines = append(lines, strings.ReplaceAll(line, "…", "s3cret"))
	}
	return lines
}

// machine has the files of the two servers in a folder.
func machine(t *testing.T, name string) (dir string, trusted *x509.CertPool) {
	t.Helper()
	dir = t.TempDir()
	ca := must.Get(authority.New(dir, "test", time.Now().Add(time.Hour)))(t)
	cert, _, err := ca.Issue(name, time.Now().Add(time.Hour)) // the key is NAME-key.pem
	must.Do(t, err)
	must.Do(t, os.Rename(cert, filepath.Join(dir, name+"-cert.pem")))
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(must.Get(os.ReadFile(ca.File))(t))
	return dir, trusted
}

// nats-server takes what its unit gives it, alone and as one of three: with the passwords of the
// documented file, and nothing else of the environment.
func TestNATSStartsFromItsUnit(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() { must.Check(t, cluster.Clean()) })
	three := []string{"NATS_CONF=cluster-tls.conf", "NATS_NAME=nats-1", "NATS_ROUTE_PASSWORD=r"}
	for n := 1; n <= 3; n++ {
		three = append(three, fmt.Sprintf("NATS_ROUTE_%d=nats://route:r@nats-%d.example.org:6222", n, n))
	}
	for conf, more := range map[string][]string{"single-tls.conf": nil, "cluster-tls.conf": three, "single.conf": {"NATS_CONF=single.conf"}} {
		dir, _ := machine(t, "nats")
		cmd := server(t.Context(), t, dir, "nats", more...)
		cmd.Args = append(cmd.Args, "-t") // checks all, and listens nowhere
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), conf+" test is successful") && !strings.Contains(string(out), conf+" is valid") {
			t.Errorf("%s: %v\n%s", conf, err, out)
		}
	}
}

// Redis serves what its unit gives it: TLS alone, and the users of the documented file.
func TestRedisStartsFromItsUnit(t *testing.T) {
	t.Parallel()
	dir, trusted := machine(t, "redis")
	port := strconv.Itoa(nettest.FreePort(t))
	cmd := server(context.WithoutCancel(t.Context()), t, dir, "redis")
	cmd.Args = append(cmd.Args, "--bind", "127.0.0.1", "--tls-port", port)
	must.Do(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for user, want := range map[string]string{"producer s3cret": "+OK", "worker s3cret": "+OK", "producer wrong": "-WRONGPASS"} {
		var conn io.ReadWriteCloser
		must.Until(t.Context(), t, "Redis takes connections", func() bool {
			dialler := &tls.Dialer{Config: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
			made, err := dialler.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
			conn = made
			return err == nil
		})
		_ = must.Get(fmt.Fprintf(conn, "AUTH %s\r\n", user))(t)
		got := must.Get(bufio.NewReader(conn).ReadString('\n'))(t)
		must.Do(t, conn.Close())
		if !strings.HasPrefix(got, want) {
			t.Errorf("AUTH %s: %s, want %s", user, got, want)
		}
	}
}
