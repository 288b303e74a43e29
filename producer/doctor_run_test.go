package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// codes are the findings' codes, without those that a busy machine causes.
func codes(d doctor.Diagnosis) (codes []string) {
	for _, c := range d.Checks {
		if c.Code != "" && c.Code != "redis-round-trip" && c.Code != "mirror-slow" {
			codes = append(codes, string(c.Code))
		}
	}
	return codes
}

func examined(t *testing.T, code int, args ...string) doctor.Diagnosis {
	t.Helper()
	d := printed[doctor.Diagnosis](t, "Diagnosis", code, append([]string{"doctor", "--grammars", fleettest.Grammars()}, args...)...)
	t.Logf("%+v", d)
	return d
}

// TestDoctorCommand on real servers: a new installation has no fault, and stays unchanged
// but for the one request. Faults are found side by side, each with its remedy. One
// server that is away hides no other fault.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	redis := redistest.Start(t)
	world := fleettest.Simulate(t, "--world", "case:"+settledCase)
	tokens := filepath.Join(t.TempDir(), "tokens.json")
	must.Do(t, os.WriteFile(tokens, []byte(`[{"uid": 3, "pat": "ghp_secret"}]`), 0o600))
	metagraph := filepath.Join(t.TempDir(), "metagraph.json")
	must.Do(t, os.WriteFile(metagraph, []byte(`{"exported_at": "2026-01-01T00:00:00Z", "hotkeys": {"3": "h3"}}`), 0o600))
	limit := []string{"--limit-requests", "500", "--limit-window", "1s", "--limit-horizon", "100ms"}
	args := append([]string{
		"--nats", servers.NATSURL(), "--redis", redis.URL(), "--mirror", world.URL,
		"--miners", world.Miners, "--registry", world.Registry, "--tokens", tokens,
		"--metagraph", metagraph, "--metagraph-max-age", "2000000h",
	}, limit...)
	d := examined(t, 0, args...)
	if got, want := codes(d), []string{"nats-silent", "workers-none", "permission-excess", "permission-excess", "redis-excess"}; !slices.Equal(got, want) {
		t.Errorf("a fresh installation: %+v, want nothing but %v", d, want)
	}
	if saw := mirrorSaw(t, world.URL); saw != 1 {
		t.Errorf("the mirror saw %d requests, want one", saw)
	}
	nc := must.Get(nats.Connect(servers.NATSURL()))(t)
	t.Cleanup(nc.Close)
	js := must.Get(jetstream.New(nc))(t)
	if account, err := js.AccountInfo(t.Context()); err != nil || account.Streams != 0 {
		t.Errorf("%d streams were made, %v", account.Streams, err)
	}
	if keys, err := redis.Client(t).Keys(t.Context(), "*").Result(); err != nil || len(keys) != 1 {
		t.Errorf("Redis holds %v, %v, want the bucket alone", keys, err)
	}

	must.Do(t, os.Chmod(tokens, 0o644))
	password := filepath.Join(t.TempDir(), "password")
	must.Do(t, os.WriteFile(password, []byte("hidden\n"), 0o600))
	spoilt := slices.Concat(args, []string{"--nats", "nats://producer@127.0.0.1:1", "--nats-password-file", password, "--registry", world.Miners, "--limit-rate", "9999", "--replicas", "3", "--metagraph-max-age", "6h"})
	d = examined(t, 1, spoilt...)
	for _, want := range []string{"nats-unreachable", "not-looked-at", "limit-formula", "file-invalid", "file-exposed", "mirror-not-asked"} {
		if !slices.Contains(codes(d), want) {
			t.Errorf("%v, want %s among them", codes(d), want)
		}
	}
	for _, c := range d.Checks {
		if c.Check == "--metagraph" && (c.Code != "file-invalid" || !strings.Contains(c.Text, "at most 6h0m0s ago")) {
			t.Errorf("%+v: want that the metagraph is too old", c)
		}
		if (c.Status == "ok") != (c.Mend == "") {
			t.Errorf("%+v: want a mending for what is not well, and for nothing else", c)
		}
	}
	if text := fmt.Sprint(d); strings.Contains(text, "hidden") || strings.Contains(text, "ghp_") {
		t.Errorf("a secret is shown: %s", text)
	}
	e := run(t, "producer", "doctor", "--nats", "nats://127.0.0.1:1")
	if e.code != 2 || !strings.Contains(e.stderr, "--nats and --redis are required") {
		t.Errorf("without --redis: exit %d, %s", e.code, e.stderr)
	}
}

// TestDoctorOfALocalRound: without a running round there is little to check; with one,
// doctor checks its servers.
func TestDoctorOfALocalRound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if d := examined(t, 0, "--local", "--state", dir); len(codes(d)) != 0 || d.Checks[0].Check != "servers" {
		t.Errorf("%+v", d)
	}
	jobstreamtest.StartIn(t, dir)
	d := examined(t, 0, "--local", "--state", dir)
	if !slices.Equal(codes(d), []string{"workers-none"}) || d.Checks[0].Check != "NATS server" {
		t.Errorf("%+v", d)
	}
}

// TestDoctorFindsWrongGrammars: one directory is empty. In the other, one language has
// another's grammar: the checksums are right and the figures wrong.
func TestDoctorFindsWrongGrammars(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	if got := codes(examined(t, 1, "--local", "--state", state, "--grammars", t.TempDir())); !slices.Equal(got, []string{"grammars-unusable"}) {
		t.Errorf("no grammars: %v", got)
	}
	m := must.Get(manifest.Read(fleettest.Grammars()))(t)
	swapped := t.TempDir()
	entries := must.Get(os.ReadDir(fleettest.Grammars()))(t)
	for _, entry := range entries {
		if entry.Name() != manifest.Name {
			must.Do(t, os.Symlink(filepath.Join(fleettest.Grammars(), entry.Name()), filepath.Join(swapped, entry.Name())))
		}
	}
	ruby, _ := m.Grammar("ruby")
	for i := range m.Languages {
		if m.Languages[i].Language == "python" {
			m.Languages[i].Object = ruby.Object
			m.Languages[i].Symbol = ruby.Symbol
			m.Languages[i].ABI = ruby.ABI
		}
	}
	data := must.Get(json.Marshal(m))(t)
	must.Do(t, os.WriteFile(filepath.Join(swapped, manifest.Name), data, 0o600))
	d := examined(t, 1, "--local", "--state", state, "--grammars", swapped)
	if got := codes(d); !slices.Equal(got, []string{"grammars-figures"}) || !strings.Contains(fmt.Sprint(d), "python") {
		t.Errorf("python by ruby's grammar: %+v", d)
	}
}
