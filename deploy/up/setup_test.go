package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// patience is how long anything here may take.
const patience = 5 * time.Minute

// quick shortens the pause of a new bucket. It is the same for all processes of an egress.
const quick = "MIRRORFLEET_LIMIT_HORIZON=1s"

// long says that the long form runs: `make up-test`.
var long = os.Getenv("MIRRORFLEET_TEST_UP") == "long"

// up is a fleet that `make up` has started.
type up struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // a test's
	dir string

	cmd   *exec.Cmd
	said  telemetrytest.Log
	ended chan struct{}
	once  sync.Once
}

// build builds the command beside the others, once for all tests.
var build = func() func(bin string) error {
	var once sync.Once
	var err error
	return func(bin string) error {
		once.Do(func() {
			if out, failed := exec.Command("go", "build", "-o", bin+"/up", ".").CombinedOutput(); failed != nil {
				err = fmt.Errorf("building up: %w\n%s", failed, out)
			}
		})
		return err
	}
}()

// command is `up` with the commands and files of this checkout.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	bin := filepath.Dir(fleettest.Path(t, "producer"))
	must.Do(t, build(bin))
	cmd := exec.Command(filepath.Join(bin, "up"), append([]string{
		"-bin", bin, "-grammars", fleettest.Grammars(),
		"-nats-server", must.Get(cluster.Binary(t.Context()))(t), "-deploy", "..", "-every", "2h",
	}, args...)...)
	if !long { // which restores a round, and that goes on with the mirror at its usual port
		cmd.Args = slices.Insert(cmd.Args, 1, "-any-ports")
	}
	cmd.Env = append(os.Environ(), quick, "MIRRORFLEET_RETRY_DELAYS=1s,2s,4s")
	return cmd
}

// start starts a fleet and waits until it is up.
func start(t *testing.T, args ...string) *up {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test lost its patience"))
	t.Cleanup(cancel)
	u := &up{t: t, ctx: ctx, dir: filepath.Join(t.TempDir(), "fleet"), ended: make(chan struct{})}
	u.cmd = command(t, append([]string{"-dir", u.dir}, args...)...)
	u.cmd.Stderr = &u.said
	out := must.Get(u.cmd.StdoutPipe())(t)
	must.Do(t, u.cmd.Start())
	isUp := make(chan struct{})
	go func() {
		defer close(u.ended)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			t.Log(scanner.Text())
			if strings.HasPrefix(scanner.Text(), "The fleet is up") {
				close(isUp)
			}
		}
		_ = u.cmd.Wait() // its code is in the state
	}()
	t.Cleanup(func() {
		if t.Failed() {
			u.showLogs()
		}
		u.stop(os.Interrupt)
	})
	select {
	case <-isUp:
	case <-u.ended:
		t.Fatalf("the fleet ended: %s", &u.said)
	case <-ctx.Done():
		t.Fatalf("%v: %s", context.Cause(ctx), &u.said)
	}
	return u
}

// stop ends the fleet by a signal, and waits.
func (u *up) stop(s os.Signal) {
	u.once.Do(func() { _ = u.cmd.Process.Signal(s) })
	<-u.ended
}

func (u *up) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(u.dir, "log", "*.log"))
	for _, path := range logs {
		data, _ := os.ReadFile(path)
		u.t.Logf("%s: …%s", filepath.Base(path), data[max(0, len(data)-2500):])
	}
}

// sh runs commands as a person would in another terminal, in a role.
func (u *up) sh(role, script string) string {
	u.t.Helper()
	cmd := exec.CommandContext(u.ctx, "bash", "-ec", ". "+filepath.Join(u.dir, role+".env")+"\n"+script)
	cmd.Dir = u.t.TempDir()
	cmd.Env = append(os.Environ(), quick)
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Errorf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// file reads a file of the fleet's folder.
func (u *up) file(name string) string {
	u.t.Helper()
	return strings.TrimSpace(string(must.Get(os.ReadFile(filepath.Join(u.dir, name)))(u.t)))
}

// pid is a process's number, 0 while it does not run.
func (u *up) pid(name string) int {
	data, _ := os.ReadFile(filepath.Join(u.dir, "run", name+".pid"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}

// restart ends a process by a signal and waits until its successor is ready.
func (u *up) restart(name string, s syscall.Signal) {
	u.t.Helper()
	began, before := time.Now(), u.pid(name)
	must.Do(u.t, syscall.Kill(before, s))
	must.Until(u.ctx, u.t, name+" runs again", func() bool { now := u.pid(name); return now != 0 && now != before })
	again := time.Now()
	if page := u.file("run/" + name + ".url"); page != "" {
		must.Until(u.ctx, u.t, name+" is ready again", func() bool { return answers(u.ctx, page) })
	}
	u.t.Logf("%s: gone for %.1f s, ready after %.1f s", name, again.Sub(began).Seconds(), time.Since(again).Seconds())
}

func answers(ctx context.Context, page string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// env reads a variable of a role.
func (u *up) env(role, name string) string {
	u.t.Helper()
	return strings.TrimSpace(u.sh(role, `printf %s "$`+name+`"`))
}

// files are what a role proves by who it is.
func (u *up) files(role string) certs.Files {
	secret := func(name string) string { return filepath.Join(u.dir, "secrets", name) }
	return certs.Files{CA: secret("ca.pem"), Cert: secret(role + ".pem"), Key: secret(role + "-key.pem")}
}

// connect connects a role to the servers.
func (u *up) connect(role string) *nats.Conn {
	u.t.Helper()
	nc := must.Get(jobstream.Connect(u.ctx, u.env(role, "MIRRORFLEET_NATS"), "test", jobstream.ConnectConfig{
		Wait: time.Minute, Files: jobstream.Files{TLS: u.files(role)}, Log: jobstreamtest.Quiet(),
	}))(u.t)
	u.t.Cleanup(nc.Close)
	return nc
}

// bus reads what the fleet keeps, as the producer.
func (u *up) bus() *jobstream.Bus {
	u.t.Helper()
	return must.Get(jobstream.Open(u.ctx, u.connect("producer"), jobstream.Config{Log: jobstreamtest.Quiet()}))(u.t)
}
