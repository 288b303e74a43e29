package containers_test

import (
	"maps"
	"strings"
	"testing"
)

// TestFaultsAtTheStart: what is missing, or cannot be written, is named with what to do.
// Docker's daemon refuses folders that are not there by itself; podman makes them.
//
//nolint:paralleltest // each fleet has the names and the ports of the compose file
func TestFaultsAtTheStart(t *testing.T) {
	s := newStack(t, map[string]string{"INPUTS": t.TempDir()})
	for name, c := range map[string]struct {
		variable, args string
		want           []string
	}{
		"a password that is missing": {"NATS_WORKER_PASSWORD=", "up -d nats", []string{"NATS_WORKER_PASSWORD", "set it in deploy/.env"}},
		"a password with a blank":    {"NATS_WORKER_PASSWORD=a b", "run --rm -T nats", []string{"NATS_WORKER_PASSWORD", "openssl rand -hex 24"}},
		"an empty folder of inputs":  {"", "run --rm -T --no-deps serve", []string{"--tokens: stat /inputs/miner_pats.json", "INPUTS"}},
		"NATS without a volume":      {"", "run --rm -T -e NATS_STORE=/store nats", []string{"NATS_STORE is /store", "mount a volume"}},
		"a world that is read-only":  {"", "run --rm -T --no-deps mirror mirrorsim --write /opt", []string{"--write /opt", "read-only"}},
	} {
		t.Run(name, func(t *testing.T) {
			given := *s
			given.env = maps.Clone(s.env)
			if variable, value, set := strings.Cut(c.variable, "="); set {
				given.env[variable] = value
			}
			out, _ := given.try(strings.Fields(c.args)...) // podman's API loses the code of run
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("it said\n%s\nwant %q", out, want)
				}
			}
			if strings.Contains(out, "secret-") {
				t.Errorf("it showed a password:\n%s", out)
			}
		})
	}
}
