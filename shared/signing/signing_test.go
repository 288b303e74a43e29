package signing_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/secret"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/signing/signingtest"
)

func TestASignatureIsOfOneNameAndOneContent(t *testing.T) {
	t.Parallel()
	signs, verifies := signingtest.Keys(t)
	_, other := signingtest.Keys(t)
	digest := signing.Digest([]byte("content"))
	signature := signs.Sign("r.outcome.1", digest)
	for name, c := range map[string]struct {
		keys         signing.Keys
		name, digest string
		signature    signing.Signature
		want         string
	}{
		"as it was signed":  {verifies, "r.outcome.1", digest, signature, ""},
		"by who signed":     {signs, "r.outcome.1", digest, signature, ""},
		"without a key":     {signing.Keys{}, "r.outcome.2", "", signing.Signature{}, ""},
		"another name":      {verifies, "r.outcome.2", digest, signature, "not of this content as r.outcome.2"},
		"another content":   {verifies, "r.outcome.1", signing.Digest(nil), signature, "not of this content"},
		"another key":       {other, "r.outcome.1", digest, signature, "signed by key"},
		"unsigned":          {verifies, "r.outcome.1", digest, signing.Signature{}, "not signed"},
		"a cut signature":   {verifies, "r.outcome.1", digest, signing.Signature{signature.SignedBy, signature.Signature[:63]}, "not of this content"},
		"an empty one":      {verifies, "r.outcome.1", digest, signing.Signature{SignedBy: signature.SignedBy}, "not of this content"},
		"another's by name": {verifies, "r.outcome.1", digest, signing.Signature{"x", signature.Signature}, `signed by key "x"`},
	} {
		err := c.keys.Verify(c.name, c.digest, c.signature)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestASealedContentIsTakenApart(t *testing.T) {
	t.Parallel()
	signs, _ := signingtest.Keys(t)
	signature := signs.Sign("name", signing.Digest([]byte("{}\n")))
	got, content, err := signing.Open(signature.Seal([]byte("{}\n")))
	if err != nil || string(content) != "{}\n" || got.SignedBy != signature.SignedBy || string(got.Signature) != string(signature.Signature) {
		t.Errorf("got %+v, %q, %v", got, content, err)
	}
	for _, plain := range []string{"", `{"version":1}`, "{"} {
		if got, content, err := signing.Open([]byte(plain)); err != nil || string(content) != plain || got.SignedBy != "" {
			t.Errorf("%q: got %+v, %q, %v", plain, got, content, err)
		}
	}
	for _, damaged := range []string{`{"signed_by":`, `{"signed_by":"x"}`, "{\"signed_by\":7}\n", `{"signed_by":"` + strings.Repeat("x", 1000) + "\"}\n"} {
		if _, _, err := signing.Open([]byte(damaged)); err == nil {
			t.Errorf("%.30q: no error", damaged)
		}
	}
}

// The commands that the documents give make files that are read, and keys of other
// kinds are refused. Nothing of a key is in an error.
func TestKeysOfOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("it needs openssl")
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
	}
	openssl("genpkey", "-algorithm", "ed25519", "-out", file("outcome.key"))
	openssl("pkey", "-in", file("outcome.key"), "-pubout", "-out", file("outcome.pub"))
	openssl("genpkey", "-algorithm", "x25519", "-out", file("other.key"))
	openssl("pkey", "-in", file("other.key"), "-pubout", "-out", file("other.pub"))
	for _, name := range []string{"outcome.key", "other.key"} {
		must.Do(t, os.Chmod(file(name), 0o640))
	}
	signs := must.Get(signing.Keys{}.Private(file("outcome.key")))(t)
	verifies := must.Get(signing.Keys{}.Public(file("outcome.pub")))(t)
	must.Check(t, verifies.Verify("name", "digest", signs.Sign("name", "digest")))
	must.Do(t, os.WriteFile(file("garbage"), []byte("PLANTED"), 0o600))
	for name, read := range map[string]func(string) (signing.Keys, error){
		"other.key": signing.Keys{}.Private, "outcome.pub": signing.Keys{}.Private, "garbage": signing.Keys{}.Private,
		"other.pub": signing.Keys{}.Public, "outcome.key": signing.Keys{}.Public, "none": signing.Keys{}.Public,
	} {
		keys, err := read(file(name))
		if err == nil || keys.Signs() || keys.Verifies() || !strings.Contains(err.Error(), file(name)) {
			t.Errorf("%s: got %v, want an error that names the file, and no key", name, err)
		}
		for line := range strings.Lines(string(must.Get(os.ReadFile(file("outcome.key")))(t))) {
			if line = strings.TrimSpace(line); err != nil && !strings.HasPrefix(line, "-") && strings.Contains(err.Error(), line) {
				t.Errorf("%s: the private key is in %v", name, err)
			}
		}
	}
	must.Do(t, os.Chmod(file("outcome.key"), 0o644))
	var exposed *secret.ExposedError
	if _, err := (signing.Keys{}).Private(file("outcome.key")); !errors.As(err, &exposed) {
		t.Errorf("a private key that others can read: %v", err)
	}
}

// A key is replaced by another while what the former has signed is still verified.
func TestAKeyIsReplaced(t *testing.T) {
	t.Parallel()
	former, formerPublic := signingtest.Files(t)
	next, nextPublic := signingtest.Files(t)
	both := filepath.Join(t.TempDir(), "both.pub")
	must.Do(t, os.WriteFile(both, append(must.Get(os.ReadFile(formerPublic))(t), must.Get(os.ReadFile(nextPublic))(t)...), 0o600))
	verifies := must.Get(signing.Keys{}.Public(both))(t)
	for _, path := range []string{former, next} {
		signs := must.Get(signing.Keys{}.Private(path))(t)
		must.Check(t, verifies.Verify("name", "digest", signs.Sign("name", "digest")))
	}
	producer := must.Get(must.Get(signing.Keys{}.Public(formerPublic))(t).Private(next))(t)
	must.Check(t, producer.Verify("name", "digest", must.Get(signing.Keys{}.Private(former))(t).Sign("name", "digest")))
}
