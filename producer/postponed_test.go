package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/scoring/input"
)

// stranger is the user of serve when the tests run as root: a user who, unlike root, can
// be refused a file.
const stranger = 65534

// replace replaces a file as a validator does with its tokens: it writes a new file
// beside the old one, readable only by its owner, and renames it.
func replace(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	write(t, path+".tmp", content)
	err := os.Chmod(path+".tmp", mode)
	if err == nil && os.Getuid() == 0 { // the stranger is of this group
		err = os.Chown(path+".tmp", -1, stranger)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The validator replaces its tokens file while serve runs, readable only by its owner. A
// file that serve may read counts from the next round on. A file that it may not read
// postpones the round. Log, page and metric name the file, its owner and
// the remedy. Afterwards serve continues by itself.
func TestTheValidatorReplacesItsTokens(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	dir, err := os.MkdirTemp("", "mirrorfleet-inputs-") //nolint:usetesting // t.TempDir is closed to another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	tokens := filepath.Join(dir, "miner_pats.json")
	metagraph := filepath.Join(dir, "metagraph.json")
	registry := filepath.Join(dir, "registry.json")
	const shared = 0o640 // with the stranger's group: one that all others can read is refused
	replace(t, metagraph, `{"0": "h0", "1": "h1"}`, 0o644)
	replace(t, registry, `{"a/b": {"emission_share": 0.5}}`, 0o644)
	replace(t, tokens, `[]`, shared)
	owner, hidden := os.Getuid(), os.FileMode(0o600)
	if owner != 0 {
		hidden = 0 // only the owner's own mode keeps the owner out
	}
	for _, open := range []string{dir, filepath.Dir(fleettest.Path(t, "producer"))} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := serveAs(t, stranger, nil, "--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", "http://127.0.0.1:1",
		"--tokens", tokens, "--metagraph", metagraph, "--registry", registry, "--every", "1s", "--limit-horizon", "1s", "--listen", "127.0.0.1:0")
	first := concluded(t, bus, 1)
	if got := first.Outcome.Miners[1].Failed; got != input.NoStoredToken || first.Due.IsZero() {
		t.Fatalf("miner 1: %q, due %s; want no stored token, in a round of the schedule", got, first.Due)
	}
	replace(t, tokens, `[{"uid": 1, "hotkey": "former", "pat": "x"}]`, shared)
	until(t, "the next round reads the new file", func() bool {
		names, err := bus.Rounds.Concluded(t.Context())
		return err == nil && outcomeOf(t, bus, names[len(names)-1]).Outcome.Miners[1].Failed == input.HotkeyChanged
	})

	replace(t, tokens, `[]`, hidden)
	var body string
	until(t, "the page says that a round is postponed", func() bool {
		var status int
		status, body = s.page(t, "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, tokens)
	})
	until(t, "the metric says so", func() bool {
		_, metrics := s.page(t, "/metrics")
		return strings.Contains(metrics, `mirrorfleet_round_put_off{round_input="tokens"} 1`) &&
			strings.Contains(metrics, `mirrorfleet_round_put_off{round_input="metagraph"} 0`)
	})
	until(t, "the log says so", s.says("the round is postponed"))
	for _, want := range []string{
		tokens, "permission denied", fmt.Sprintf("mode %04o", hidden), fmt.Sprintf("of user %d ", owner), fmt.Sprintf("run it as user %d", owner),
	} {
		if !strings.Contains(body, want) || !strings.Contains(s.log.String(), want) {
			t.Errorf("/readyz: %s\nand the log do not say %q", body, want)
		}
	}

	replace(t, tokens, `[]`, shared)
	until(t, "a round says that it was postponed", func() bool {
		names, err := bus.Rounds.Concluded(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.Join(outcomeOf(t, bus, names[len(names)-1]).Notes, "\n"), "postponed for")
	})
	until(t, "the page is well", func() bool { status, _ := s.page(t, "/readyz"); return status == http.StatusOK })
	until(t, "the metric no longer says that a round is postponed", func() bool {
		_, metrics := s.page(t, "/metrics")
		return strings.Contains(metrics, `mirrorfleet_round_put_off{round_input="tokens"} 0`)
	})
	s.stop(t)
}

// as runs a command as another user, if this user may do that.
func as(s *server, user uint32) {
	if os.Getuid() == 0 {
		s.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	}
}
