package main_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/signing/signingtest"
	"mirrorfleet/shared/terminal"
)

// Every command that reads an outcome refuses one that its public key does not verify,
// and says why. With the right key it reads the outcome. Without a key it says that
// nothing is verified.
func TestCommandsVerifyWhatTheyShow(t *testing.T) {
	t.Parallel()
	servers := jobstreamtest.Start(t)
	private, public := signingtest.Files(t)
	_, other := signingtest.Files(t)
	keys := must.Get(signing.Keys{}.Private(private))(t)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{Keys: keys})
	storeRound(t, bus)
	ask := func(args ...string) (stdout, stderr string, code int) {
		return inProcess(t, terminal.Style{Width: 100}, append(args, "--nats", servers.NATSURL())...)
	}
	commands := map[string]int{"show": 0, "rewards": 1, "export": 0}
	for name, code := range commands {
		if _, stderr, got := ask(name, shownRound, "--verify-key", public); got != code {
			t.Errorf("%s with the key: exit %d, want %d: %s", name, got, code, stderr)
		}
	}
	for want, args := range map[string][]string{
		"Signed by key " + keys.Sign("", "").SignedBy + ", verified.": {"--verify-key", public},
		", not verified: give --verify-key.":                          {},
	} {
		if stdout, stderr, _ := ask(append([]string{"show", shownRound}, args...)...); !strings.Contains(stdout, want) {
			t.Errorf("show %v does not say %q: %s%s", args, want, stdout, stderr)
		}
	}
	key := job.OutcomeKey(shownRound, 1)
	bucket := bus.Bucket(job.BucketRounds)
	encoder, decoder := must.Get(zstd.NewWriter(nil))(t), must.Get(zstd.NewReader(nil))(t)
	defer decoder.Close()
	signature, content, err := signing.Open(must.Get(decoder.DecodeAll(must.Get(bucket.Get(t.Context(), key))(t).Value(), nil))(t))
	must.Do(t, err)
	richer := bytes.Replace(content, []byte(`"reward":`), []byte(`"reward":1`), 1)
	for name, c := range map[string]struct {
		stored []byte
		key    string
		says   string
	}{
		"another key":                {signature.Seal(content), other, "signed by key"},
		"no signature":               {content, public, "it is not signed"},
		"rewards changed":            {signature.Seal(richer), public, "not of this content"},
		"a signature of other bytes": {keys.Sign(key, signing.Digest(richer)).Seal(content), public, "not of this content"},
	} {
		must.Get(bucket.Put(t.Context(), key, encoder.EncodeAll(c.stored, nil)))(t)
		for command := range commands {
			stdout, stderr, code := ask(command, shownRound, "--verify-key", c.key)
			if code != 1 || stdout != "" || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, key) {
				t.Errorf("%s, %s: exit %d, %q, %q; want 1, nothing, and %q", name, command, code, stdout, stderr, c.says)
			}
		}
		if stdout, stderr, _ := ask("rounds", "--verify-key", c.key); !strings.Contains(stdout, string(view.Damaged)) {
			t.Errorf("%s: rounds does not list it as damaged: %s%s", name, stdout, stderr)
		}
	}
}

// An unusable key is wrong usage, before anything is done.
func TestWrongKeysAreRefused(t *testing.T) {
	t.Parallel()
	private, public := signingtest.Files(t)
	exposed, _ := signingtest.Files(t)
	must.Do(t, os.Chmod(exposed, 0o644))
	for name, c := range map[string][]string{
		"a private key to verify with":       {"show", shownRound, "--nats", "nats://127.0.0.1:1", "--verify-key", private, "is no public key"},
		"a public key to sign with":          {"run", "--local", "--state", t.TempDir(), "--signing-key", public, "holds no private key"},
		"a private key that others can read": {"run", "--local", "--state", t.TempDir(), "--signing-key", exposed, "chmod o-rwx"},
		"no such file":                       {"rewards", "--nats", "nats://127.0.0.1:1", "--verify-key", "/nowhere", "no such file"},
	} {
		args, says := c[:len(c)-1], c[len(c)-1]
		stdout, stderr, code := inProcess(t, terminal.Style{}, args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit %d, %q, %q; want 2 and %q", name, code, stdout, stderr, says)
		}
	}
}

// A local round with a key is signed from its plan to its outcome.
func TestALocalRoundIsSigned(t *testing.T) {
	t.Parallel()
	private, public := signingtest.Files(t)
	dir := t.TempDir()
	ended := run(t, "producer", "run", "--local", "--state", dir, "--signing-key", private, "--json")
	if ended.code != 0 {
		t.Fatalf("exit %d: %s", ended.code, ended.stderr)
	}
	whole := printed[view.Outcome](t, "Outcome", 0, "show", "latest", "--local", "--state", dir, "--verify-key", public)
	if whole.SignedBy == "" || !whole.Verified || whole.Manifest == "" || !whole.Audit.Holds() {
		t.Errorf("signed by %q, verified %t, manifest %q, audit %v", whole.SignedBy, whole.Verified, whole.Manifest, whole.Audit)
	}
}
