package containers_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// product is the user of the product's image, whose group reads the Secrets.
const product = 10001

// TestARoundOfTheManifests: podman plays the base of deploy/kubernetes, and its fleet runs a
// whole round of the demo world. deploy/kubernetes/play says what is changed for podman.
//
//nolint:paralleltest // the pods have the names of the services
func TestARoundOfTheManifests(t *testing.T) {
	if form != "full" { // a round at the limit takes a minute
		t.Skip("this needs images and namespaces: make container-test")
	}
	file := filepath.Join(t.TempDir(), "play.yaml")
	must.Do(t, os.WriteFile(file, []byte(manifests(t)), 0o600))
	podman(t, "network", "create", "manifests")
	t.Cleanup(func() { cleanUp(t, file) })
	podman(t, "kube", "play", "--network", "manifests", file)

	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("no round within five minutes"))
	defer cancel()
	must.Until(ctx, t, "the producer has ended its round", func() bool {
		c := inspect(t, "producer-producer")
		return c.State.Status == "exited" && c.State.ExitCode == 0
	})
	rewards(t, podman(t, "logs", "producer-producer"))
	for _, pod := range []string{"nats", "redis", "worker", "worker-2", "gateway", "mirror"} {
		name := pod + "-" + strings.TrimSuffix(pod, "-2")
		c := inspect(t, name)
		if !c.HostConfig.ReadonlyRootfs || len(c.EffectiveCaps)+len(c.BoundingCaps) > 0 || c.HostConfig.Memory == 0 ||
			c.Config.User == "" || strings.HasPrefix(c.Config.User, "0") || c.State.Status != "running" || c.State.OOMKilled {
			t.Errorf("%s: read-only %t, capabilities %v, memory %d, user %q, %+v", name, c.HostConfig.ReadonlyRootfs, c.BoundingCaps,
				c.HostConfig.Memory, c.Config.User, c.State)
		}
	}
	for _, pod := range []string{"worker", "worker-2", "gateway"} {
		for _, page := range []string{"/healthz", "/readyz"} {
			if code, body := nettest.Get(t, "http://"+addressOf(t, pod)+page); code != 200 {
				t.Errorf("%s of %s: %d %s", page, pod, code, body)
			}
		}
	}
}

// manifests are what podman plays. The Secret that NATS and Redis read from their environment is
// made beside them, and the files of Secrets have the owner and the mode that Kubernetes gives.
func manifests(t *testing.T) string {
	t.Helper()
	secrets := filepath.Join(t.TempDir(), "secrets")
	must.Do(t, os.MkdirAll(filepath.Join(secrets, "passwords"), 0o755))
	passwords := map[string][]byte{}
	for _, key := range []string{"nats-producer", "nats-worker", "nats-viewer", "nats-admin", "redis-producer", "redis-worker"} {
		password := "secret-" + key + "-4711"
		passwords[key] = []byte(password)
		path := filepath.Join(secrets, "passwords", key)
		must.Do(t, os.WriteFile(path, []byte(password), 0o440))
		must.Do(t, os.Chown(path, 0, product))
	}
	file := filepath.Join(secrets, "passwords.json") // the form in which podman looks keys up
	must.Do(t, os.WriteFile(file, must.Get(json.Marshal(passwords))(t), 0o600))
	podman(t, "secret", "create", "passwords", file)
	for dir := secrets; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must.Do(t, os.Chmod(dir, 0o755))
	}
	folder := filepath.Join("..", "kubernetes", "testdata", "play")
	out, err := exec.CommandContext(t.Context(), os.Getenv("MIRRORFLEET_PLAY"), folder, secrets).Output()
	if err != nil {
		t.Fatalf("play: %v", err)
	}
	return string(out)
}

func cleanUp(t *testing.T, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if t.Failed() {
		said, _ := exec.CommandContext(ctx, "podman", "ps", "--all").CombinedOutput()
		t.Logf("there are:\n%s", said)
		for _, pod := range []string{"nats", "redis", "producer", "worker", "gateway", "mirror"} {
			said, _ := exec.CommandContext(ctx, "podman", "logs", "--tail", "20", pod+"-"+pod).CombinedOutput()
			t.Logf("%s said:\n%s", pod, said)
		}
	}
	for _, args := range [][]string{{"kube", "down", file}, {"secret", "rm", "passwords"}, {"volume", "rm", "--force", "data-nats", "world"}, {"network", "rm", "--force", "manifests"}} {
		if out, err := exec.CommandContext(ctx, "podman", args...).CombinedOutput(); err != nil && !t.Failed() {
			t.Errorf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// addressOf is where a pod's health pages are.
func addressOf(t *testing.T, pod string) string {
	t.Helper()
	var p struct {
		InfraContainerID string
	}
	said := podman(t, "pod", "inspect", pod)
	must.Do(t, json.Unmarshal([]byte(said), &p)) //nolint:musttag // podman's names are the fields'
	return inspect(t, p.InfraContainerID).address(t, "9464")
}
