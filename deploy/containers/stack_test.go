package containers_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// passwords are the fleet's: each can be told from any other text.
var passwords = map[string]string{
	"NATS_PRODUCER_PASSWORD":  "secret-np-4711",
	"NATS_WORKER_PASSWORD":    "secret-nw-4711",
	"NATS_VIEWER_PASSWORD":    "secret-nv-4711",
	"NATS_ADMIN_PASSWORD":     "secret-na-4711",
	"REDIS_PRODUCER_PASSWORD": "secret-rp-4711",
	"REDIS_WORKER_PASSWORD":   "secret-rw-4711",
	"GRAFANA_PASSWORD":        "secret-g-4711",
}

// stack is the shipped compose file with these variables, and with more files over it.
type stack struct {
	t     *testing.T
	env   map[string]string
	files []string
}

// newStack has the demo's settings of env.example. The test's end removes what it starts.
func newStack(t *testing.T, env map[string]string, files ...string) *stack {
	t.Helper()
	if form == "" {
		t.Skip("this needs images and namespaces: make container-test")
	}
	s := &stack{t: t, env: maps.Clone(passwords), files: append([]string{filepath.Join("..", "compose.yaml")}, files...)}
	maps.Copy(s.env, map[string]string{"MIRROR": "http://mirror:8080", "AS_OF": "2026-08-01T12:00:00Z"})
	maps.Copy(s.env, env)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := s.command(context.WithoutCancel(t.Context()), "logs", "--tail", "40").CombinedOutput()
			t.Logf("the containers said:\n%s", out)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
		defer cancel()
		if out, err := s.command(ctx, "--profile", "*", "down", "--volumes", "--timeout", "1").CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return s
}

// in is the same stack, whose failures are another test's.
func (s *stack) in(t *testing.T) *stack {
	t.Helper()
	within := *s
	within.t = t
	return &within
}

func (s *stack) command(ctx context.Context, args ...string) *exec.Cmd {
	var all []string
	for _, file := range s.files {
		all = append(all, "-f", file)
	}
	// A file of the checkout's owner, .env, is not read.
	cmd := exec.CommandContext(ctx, os.Getenv("MIRRORFLEET_COMPOSE"), slices.Concat([]string{"--env-file", os.DevNull}, all, args)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+engine, "COMPOSE_MENU=0")
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = time.Second // its children have its output
	return cmd
}

// compose runs a command of it, which must succeed.
func (s *stack) compose(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *stack) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	out, err := s.command(ctx, args...).CombinedOutput()
	return string(out), err
}

// up starts services and what they need.
func (s *stack) up(services ...string) {
	s.t.Helper()
	s.compose(append([]string{"up", "--detach", "--no-build", "--pull", "never"}, services...)...)
}

// named is the name of a service's first container.
func named(service string) string { return "mirrorfleet-" + service + "-1" }
