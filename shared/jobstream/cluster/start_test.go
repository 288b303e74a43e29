package cluster_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// started is nats-server as deploy/nats/start.sh starts it, with the shipped
// configuration of one server on another address.
func started(ctx context.Context, t *testing.T, address string, env ...string) *exec.Cmd {
	t.Helper()
	shipped, dir := filepath.Dir(settings), t.TempDir()
	for _, name := range []string{"single.conf", "settings.conf"} {
		text := string(must.Get(os.ReadFile(filepath.Join(shipped, name)))(t))
		text = strings.NewReplacer("0.0.0.0:4222", address, "127.0.0.1:8222", "127.0.0.1:0").Replace(text)
		must.Do(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	binary := must.Get(cluster.Binary(ctx))(t)
	cmd := exec.CommandContext(ctx, "sh", filepath.Join(shipped, "start.sh"), "-c", filepath.Join(dir, "single.conf"))
	cmd.Env = append(append(os.Environ(), cluster.Environment(filepath.Join(dir, "a store"))...), "NATS_NAME=1",
		"PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// A password is the text that it is. The server read 12345 and 10k as numbers, and
// yes as a truth value, and did not start; $HOME it read as a variable.
// A line of another variable's value is none.
func TestEveryPasswordIsText(t *testing.T) {
	t.Parallel()
	for _, passwords := range [][]string{
		{"12345", "true", "1e9", "10k"}, {"1.5", "off", "-5", "2026-01-02T03:04:05Z"}, {"$HOME", `a"b\c`, "{", "a b;c#d"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(nettest.FreePort(t)))
		users := []string{"producer", "worker", "viewer", "admin"}
		env := []string{"LINES=of another\nNATS_FORGED_PASSWORD=x'\n"}
		for i, user := range users {
			env = append(env, "NATS_"+strings.ToUpper(user)+"_PASSWORD="+passwords[i])
		}
		cmd := started(context.WithoutCancel(ctx), t, address, env...)
		log := &strings.Builder{}
		cmd.Stdout, cmd.Stderr = log, log
		must.Do(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Log(log)
			}
		})
		for i, user := range users {
			must.Until(ctx, t, "the server answers", func() bool {
				nc, err := nats.Connect("nats://"+address, nats.UserInfo(user, passwords[i]))
				if errors.Is(err, nats.ErrAuthorization) {
					t.Fatalf("%s is not let in with the password %q", user, passwords[i])
				}
				if err == nil {
					nc.Close()
				}
				return err == nil
			})
		}
	}
}

// A variable that the files need and the environment lacks is named, with the remedy: the
// server said "variable reference ... can not be found".
func TestAMissingVariableIsNamed(t *testing.T) {
	t.Parallel()
	cmd := started(t.Context(), t, "127.0.0.1:0")
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "NATS_VIEWER_PASSWORD=") })
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "NATS_VIEWER_PASSWORD is not set") || !strings.Contains(string(out), "set it in the environment") {
		t.Errorf("%v, %s; want exit code 2, the variable and the remedy", err, out)
	}
}

// What no quotes can carry is refused by name, and its value is not shown.
func TestAPasswordThatCannotBeTextIsRefused(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"NATS_WORKER_PASSWORD=se'cret": "NATS_WORKER_PASSWORD has a single quote", "NATS_ADMIN_PASSWORD=": "NATS_ADMIN_PASSWORD is empty",
		"NATS_STORE=/se'cret": "NATS_STORE has a single quote",
	} {
		cmd := started(t.Context(), t, "127.0.0.1:0", variable)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) || strings.Contains(string(out), "cret") {
			t.Errorf("%s: %v, %s; want exit code 2, %q and no value", variable, err, out, want)
		}
	}
}
