package containers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// TestARoundWithTLS: with the certificates that the commands of deploy/README.md make, NATS
// and Redis take no connection without TLS, and a round is complete.
//
//nolint:paralleltest // each fleet has the names and the ports of the compose file
func TestARoundWithTLS(t *testing.T) {
	if form == "short" {
		t.Skip("the long form has it")
	}
	folder := t.TempDir()
	for dir := folder; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must.Do(t, os.Chmod(dir, 0o755))
	}
	s := newStack(t, map[string]string{"COMPOSE_PROFILES": "demo", "TLS": filepath.Join(folder, "tls")}, filepath.Join("..", "compose.tls.yaml"))
	makeCertificates(t, folder)
	s.up("nats", "redis", "mirror", "worker", "producer")
	if code := podman(t, "wait", named("producer")); code != "0" {
		t.Errorf("the producer ended with %s", code)
	}
	rewards(t, podman(t, "logs", named("producer")))
	// Podman's API does not hand over the exit code.
	for _, plain := range []struct{ setting, command, answer string }{
		{"MIRRORFLEET_NATS_CA=", "rounds", "complete"},
		{"MIRRORFLEET_REDIS_CA=", "egresses", " permits"},
	} {
		out, _ := s.try("run", "--rm", "-T", "--no-deps", "-e", plain.setting,
			"-e", "MIRRORFLEET_REDIS=redis://producer:"+passwords["REDIS_PRODUCER_PASSWORD"]+"@redis:6379/0",
			"producer", "producer", plain.command, "--connect-timeout", "5s")
		if strings.Contains(out, plain.answer) || strings.Contains(out, "secret-") {
			t.Errorf("with %s, producer %s: want a refusal without a password in it\n%s", plain.setting, plain.command, out)
		}
		t.Logf("with %s, producer %s: %s", plain.setting, plain.command, out)
	}
}

// makeCertificates runs the documented commands in a folder.
func makeCertificates(t *testing.T, folder string) {
	t.Helper()
	readme := string(must.Get(os.ReadFile(filepath.Join("..", "README.md")))(t))
	_, commands, found := strings.Cut(readme, "\n    mkdir -p tls/nats")
	commands, _, ends := strings.Cut(commands, "\n    docker compose")
	if !found || !ends {
		t.Fatal("deploy/README.md has no commands that make certificates")
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", "mkdir -p tls/nats"+commands)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the certificates: %v\n%s", err, out)
	}
}
