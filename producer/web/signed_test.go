package web_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/signing"
	"mirrorfleet/shared/signing/signingtest"
)

// signed is a bundle whose producer has a key. Where the public one is comes with it.
func signed(t *testing.T) (b *bundle, public string) {
	t.Helper()
	b = servers(t)
	private, public := signingtest.Files(t)
	keys := must.Get(signing.Keys{}.Private(private))(t)
	b.Bus, _ = jobstreamtest.Open(t, b.NATS, jobstream.Config{Keys: keys})
	b.Work(t)
	return b, public
}

// rewrite stores something else in the place of a round's outcome: whatever change
// makes of the signature and the outcome that are there.
func (b *bundle) rewrite(t *testing.T, key string, change func(signing.Signature, []byte) []byte) {
	t.Helper()
	bucket := b.Bus.Bucket(job.BucketRounds)
	decoder := must.Get(zstd.NewReader(nil))(t)
	defer decoder.Close()
	value := must.Get(decoder.DecodeAll(must.Get(bucket.Get(t.Context(), key))(t).Value(), nil))(t)
	signature, content, err := signing.Open(value)
	must.Do(t, err)
	encoder := must.Get(zstd.NewWriter(nil))(t)
	must.Get(bucket.Put(t.Context(), key, encoder.EncodeAll(change(signature, content), nil)))(t)
}

// richer is an outcome whose rewards were changed.
func richer(content []byte) []byte {
	return bytes.Replace(content, []byte(`"rewards":[{"uid":0,"reward":`), []byte(`"rewards":[{"uid":0,"reward":1`), 1)
}

// plain serves the API of somebody who verifies nothing, and returns where.
func (b *bundle) plain(t *testing.T) string {
	t.Helper()
	bus, _ := jobstreamtest.Open(t, b.NATS, jobstream.Config{})
	own := b.url
	defer func() { b.url = own }()
	b.serve(t, func(c *settings) { c.Bus = bus })
	return b.url
}

// The API serves no outcome that its key does not vouch for, under any name: it says
// why, and lists the round as damaged.
func TestTheAPIRefusesWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	b, _ := signed(t)
	result := b.Concluded(t, now)
	b.serve(t)
	paths := []string{"/rewards", "/evaluations", "/outcome", "/miners/2"}
	for _, path := range paths {
		if got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest"+path, ""); got.status != http.StatusOK {
			t.Errorf("as it is, %s: %d %s", path, got.status, got.body)
		}
	}
	stranger, _ := signingtest.Keys(t)
	key := job.OutcomeKey(result.Round, 1)
	var was signing.Signature
	var whole []byte
	for _, c := range []struct {
		name, says string
		change     func() []byte
	}{
		{"rewards changed", "not of this content", func() []byte { return was.Seal(richer(whole)) }},
		{"no signature", "it is not signed", func() []byte { return whole }},
		{"rewards changed, no signature", "it is not signed", func() []byte { return richer(whole) }},
		{"another key", "signed by key", func() []byte { return stranger.Sign(key, signing.Digest(whole)).Seal(whole) }},
	} {
		b.rewrite(t, key, func(signature signing.Signature, content []byte) []byte {
			if whole == nil {
				was, whole = signature, content
			}
			return c.change()
		})
		for _, path := range paths {
			got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+result.Round+path, "")
			if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "/problems/unverified") || !strings.Contains(got.body, c.says) {
				t.Errorf("%s, %s: %d %s; want 500 and %q", c.name, path, got.status, got.body, c.says)
			}
			if got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest"+path, ""); got.status != http.StatusNotFound {
				t.Errorf("%s, latest%s: %d %s; want 404", c.name, path, got.status, got.body)
			}
		}
		if page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", "")); page.Rounds[0].State != view.Damaged {
			t.Errorf("%s: listed as %s, want damaged", c.name, page.Rounds[0].State)
		}
	}
	b.rewrite(t, key, func(signing.Signature, []byte) []byte { return was.Seal(whole) })
	b.rewrite(t, job.ManifestKey(result.Round), func(signature signing.Signature, content []byte) []byte {
		return signature.Seal(bytes.Replace(content, []byte(`"emission_share"`), []byte(`"emission_shore"`), 1))
	})
	if page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", "")); page.Rounds[0].State != view.Damaged {
		t.Errorf("a changed manifest: listed as %s, want damaged", page.Rounds[0].State)
	}
}

// An evaluation that is not the one of the outcome has no files to show.
func TestAForgedEvaluationIsNotShown(t *testing.T) {
	t.Parallel()
	b, _ := signed(t)
	result := b.Concluded(t, now)
	b.serve(t)
	files := func() int {
		return strings.Count(b.ask(t, http.MethodGet, "/api/v1/rounds/latest/evaluations", "").body, `"filename"`)
	}
	before := files()
	if before == 0 {
		t.Fatal("there are no files to begin with")
	}
	record, revision, err := b.Bus.Records.Load(t.Context(), result.Round, 2)
	must.Do(t, err)
	forged := must.Get(b.Bus.Evaluations.Load(t.Context(), record.Evaluation))(t)
	forged.Worker = "another"
	record.Evaluation = job.EvaluationKey(result.Round, 2, "forged")
	must.Do(t, b.Bus.Evaluations.Put(t.Context(), record.Evaluation, forged))
	must.Get(b.Bus.Records.Update(t.Context(), record, revision))(t)
	if n := files(); n != before-1 {
		t.Errorf("%d files, want those of the %d evaluations that the outcome was made of", n, before-1)
	}
}

// A validator that has the public key takes what the producer has signed, whatever
// the API says, by whichever library there is; and nothing else.
func TestAValidatorVerifies(t *testing.T) {
	t.Parallel()
	if exec.CommandContext(t.Context(), "python3", "-c", "import cryptography").Run() != nil &&
		exec.CommandContext(t.Context(), "python3", "-c", "import nacl").Run() != nil {
		t.Skip("python3 has neither cryptography nor PyNaCl")
	}
	b, public := signed(t)
	earlier := b.Concluded(t, now.AddDate(0, 0, -1))
	result := b.Concluded(t, now)
	want := of(result.Outcome.Rewards)
	b.serve(t)
	key := job.OutcomeKey(result.Round, 1)
	private, other := signingtest.Files(t)
	with := func(path string) map[string]any { return map[string]any{"key": path, "max_age": 1e10} }
	through := func(path string, change func(string) string) string { return b.between(t, path, change) }
	libraries := []string{"cryptography", "nacl"}
	got := validator(t,
		call{metagraph(), b.url, with(public), nil},
		call{metagraph(), through("/rewards", func(body string) string { return strings.Replace(body, `"rewards":[`, `"rewards":[1`, 1) }), with(public), nil},
		call{metagraph(), b.url, with(other), nil},
		call{metagraph(), b.url, with(private), nil},
		call{metagraph(), b.url, with("/nowhere"), nil},
		call{metagraph(), b.url, with(public), libraries},
		call{metagraph(), b.url, map[string]any{"key": public}, nil},
		call{metagraph(), through("/evaluations", func(body string) string { return strings.Replace(body, `"total_score":`, `"total_score":1`, 1) }), with(public), nil},
		call{metagraph(), through("/outcome", func(body string) string { return string(richer([]byte(body))) }), with(public), nil},
		call{metagraph(), through("/rewards", func(body string) string { return strings.Replace(body, result.Round, earlier.Round, 1) }), with(public), nil},
	)
	for i, c := range []struct {
		name, says string
		takes      map[string]float64
	}{
		{"as it is", "", want},
		{"rewards changed on the way", "", want},
		{"another key", "signed by key", nil},
		{"a private key", "does not hold ed25519 public keys", nil},
		{"no such file", "/nowhere", nil},
		{"neither library", "neither cryptography nor PyNaCl", nil},
		{"old by the validator's own clock", "s old", nil},
		{"evaluations changed on the way", "not those of the outcome that was signed", nil},
		{"the outcome changed on the way", "signature of its outcome is not right", nil},
		{"an earlier round in its place", "", of(earlier.Outcome.Rewards)}, // whose age tells
	} {
		if !cmp.Equal(got[i].Result, c.takes) || c.takes == nil && !strings.Contains(got[i].Log, c.says) {
			t.Errorf("%s: %v, log %q; want %v and %q", c.name, got[i].Result, got[i].Log, c.takes, c.says)
		}
	}
	var was signing.Signature
	for name, c := range map[string]struct {
		says   string
		change func([]byte) []byte
	}{
		"rewards changed": {"signature of its outcome is not right", func(whole []byte) []byte { return was.Seal(richer(whole)) }},
		"unsigned":        {"not signed", func(whole []byte) []byte { return whole }},
	} {
		var whole []byte
		b.rewrite(t, key, func(signature signing.Signature, content []byte) []byte {
			was, whole = signature, content
			return c.change(content)
		})
		got := validator(t, call{metagraph(), b.plain(t), with(public), nil})[0]
		if got.Result != nil || !strings.Contains(got.Log, c.says) {
			t.Errorf("%s, by an API that verifies nothing: %v, log %q; want None and %q", name, got.Result, got.Log, c.says)
		}
		b.rewrite(t, key, func(signing.Signature, []byte) []byte { return was.Seal(whole) })
	}
	for _, library := range libraries { // each of those that there are does it alone
		if exec.CommandContext(t.Context(), "python3", "-c", "import "+library).Run() != nil {
			continue
		}
		others := strings.Fields(strings.Replace(strings.Join(libraries, " "), library, "", 1))
		if got := validator(t, call{metagraph(), b.url, with(public), others})[0]; !cmp.Equal(got.Result, want) {
			t.Errorf("by %s alone: %v, log %q", library, got.Result, got.Log)
		}
	}
}

// between is somebody between the validator and the API, who changes the answers of
// one path; it returns where.
func (b *bundle) between(t *testing.T, path string, change func(string) string) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(must.Get(url.Parse(b.url))(t))
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, path) {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		changed := change(string(body))
		if changed == string(body) {
			t.Errorf("%s: nothing was changed of %.200s", path, body)
		}
		r.Body = io.NopCloser(strings.NewReader(changed))
		r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
		r.ContentLength = int64(len(changed))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}
