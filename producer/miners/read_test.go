package miners_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/miners"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/scoring"
)

// bundle is a source over real NATS, its files and a GitHub.
type bundle struct {
	*miners.Source

	github *github
	log    bytes.Buffer
	now    time.Time
}

func setup(t *testing.T) *bundle {
	t.Helper()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	b := &bundle{github: newGitHub(t), now: time.Now()}
	log := slog.New(slog.NewJSONHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	b.Source = &miners.Source{
		Tokens: filepath.Join(dir, "pats.json"), Metagraph: filepath.Join(dir, "metagraph.json"), MaxAge: time.Hour,
		GitHub: b.github.client(t, func(c *miners.Config) { c.Log = log }), Bus: bus, Log: log,
	}
	return b
}

func (b *bundle) write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) read(t *testing.T) map[int]scoring.Miner {
	t.Helper()
	fleet, err := b.Read(t.Context(), b.now)
	if err != nil {
		t.Fatal(err)
	}
	byUID := map[int]scoring.Miner{}
	for _, m := range fleet.Miners {
		byUID[m.UID] = m
	}
	return byUID
}

func tokens(entries ...string) string { return "[" + strings.Join(entries, ",") + "]" }

func entry(uid int, token, githubID string) string {
	return fmt.Sprintf(`{"uid": %d, "hotkey": "h%d", "pat": %q, "github_id": %q}`, uid, uid, token, githubID)
}

// Whose account a token is counts for a day, for whoever reads next; another
// token, or the same one in another's hands, is asked about anew. What is kept
// holds nothing from which a token could be told.
func TestIdentitiesCountForADay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	second := planted[:len(planted)-1] + "z"
	b.github.answers[planted], b.github.answers[second], b.github.answers["short"] = []answer{ok("105")}, []answer{ok("205")}, []answer{ok("106")}
	b.write(t, b.Metagraph, `{"0": "h0", "5": "h5", "6": "h6"}`)
	b.write(t, b.Tokens, tokens(entry(5, planted, "1"), entry(6, "short", "2")))

	for range 3 {
		if got := b.read(t); got[5].GitHubID != "105" || got[6].GitHubID != "106" {
			t.Errorf("got %+v, want accounts 105 and 106", got)
		}
	}
	if b.github.times(planted) != 1 || b.github.times("short") != 3 {
		t.Errorf("asked %d times about a token, %d about one that could be guessed; want 1 and 3", b.github.times(planted), b.github.times("short"))
	}
	b.nothingTells(t, planted, 1)

	b.now = b.now.Add(25 * time.Hour)
	b.write(t, b.Metagraph, fmt.Sprintf(`{"exported_at": %q, "hotkeys": {"5": "h5", "6": "h6"}}`, b.now.Format(time.RFC3339)))
	if b.read(t); b.github.times(planted) != 2 {
		t.Errorf("asked %d times after a day, want once more", b.github.times(planted))
	}
	b.write(t, b.Tokens, tokens(entry(5, second, "1")))
	if got := b.read(t); got[5].GitHubID != "205" {
		t.Errorf("another token: got %+v, want account 205", got[5])
	}
	b.write(t, b.Tokens, tokens(entry(6, second, "1")))
	if b.read(t); b.github.times(second) != 2 {
		t.Errorf("asked %d times about a token that another uid has now, want once more", b.github.times(second))
	}
	b.nothingTells(t, second, 2)
}

// nothingTells looks for a token, and for digests that anybody could compare, in
// everything that is kept and logged.
func (b *bundle) nothingTells(t *testing.T, token string, identities int) {
	t.Helper()
	kept, err := b.Bus.Identities(t.Context())
	if err != nil || len(kept) != identities {
		t.Fatalf("kept %d identities, %v; want %d, of tokens that cannot be guessed", len(kept), err, identities)
	}
	data, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	everything := string(data) + b.log.String()
	sum := sha256.Sum256([]byte(token))
	for _, form := range []string{token, token[:12], hex.EncodeToString(sum[:]), hex.EncodeToString([]byte(token))} {
		if strings.Contains(everything, form) {
			t.Errorf("%q is in what is kept or logged", form)
		}
	}
}

// A digest that somebody else has made, and one that is no digest, is no proof.
func TestAKeptIdentityMustBeProven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.answers[planted] = []answer{ok("105")}
	b.write(t, b.Metagraph, `{"5": "h5"}`)
	b.write(t, b.Tokens, tokens(entry(5, planted, "1")))
	b.read(t)
	kept, err := b.Bus.Identities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*job.Identity){
		func(i *job.Identity) { i.Proof[0] ^= 1 },
		func(i *job.Identity) { i.Proof = nil },
		func(i *job.Identity) { i.Salt[0] ^= 1 },
		func(i *job.Identity) { i.Salt = nil },
		func(i *job.Identity) { i.Hotkey = "h6" },
		func(i *job.Identity) { i.GitHubID = "x" },
		func(i *job.Identity) { i.At = b.now.Add(48 * time.Hour) },
	} {
		wrong := kept[5]
		wrong.Proof, wrong.Salt = bytes.Clone(wrong.Proof), bytes.Clone(wrong.Salt)
		change(&wrong)
		if err := b.Bus.PutIdentity(t.Context(), wrong); err != nil {
			t.Fatal(err)
		}
		before := b.github.times(planted)
		if got := b.read(t); got[5].GitHubID != "105" || b.github.times(planted) != before+1 {
			t.Errorf("change %d: got %+v after %d more requests, want GitHub asked once", i, got[5], b.github.times(planted)-before)
		}
	}
}

// Files that are missing, half-written or old make no fleet; what GitHub does
// not say is in the notes.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := tokens(entry(5, planted, "1"))
	for _, c := range []struct{ name, metagraph, tokens, want string }{
		{"no metagraph", "", good, "metagraph"},
		{"no tokens", `{"5": "h5"}`, "", "pats.json"},
		{"half a metagraph", `{"5": "h`, good, "half-written"},
		{"half the tokens", `{"5": "h5"}`, good[:len(good)-1], "breaks off"},
		{"an empty tokens file", `{"5": "h5"}`, " ", "breaks off"},
		{"an old metagraph", `{"exported_at": "2020-01-01T00:00:00Z", "hotkeys": {"5": "h5"}}`, good, "2020-01-01T00:00:00Z"},
	} {
		_ = os.Remove(b.Metagraph)
		_ = os.Remove(b.Tokens)
		if c.metagraph != "" {
			b.write(t, b.Metagraph, c.metagraph)
		}
		if c.tokens != "" {
			b.write(t, b.Tokens, c.tokens)
		}
		_, err := b.Read(t.Context(), b.now)
		if !errors.Is(err, miners.ErrUnusable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrUnusable that says %q", c.name, err, c.want)
			continue
		}
		silent(t, err.Error())
	}
	b.github.answers[planted] = []answer{{status: 500}}
	b.write(t, b.Metagraph, `{"5": "h5"}`)
	b.write(t, b.Tokens, good)
	fleet, err := b.Read(t.Context(), b.now)
	if err != nil || len(fleet.Miners) != 1 || !fleet.Miners[0].IdentityUnreachable || fleet.Miners[0].GitHubID != "1" ||
		len(fleet.Notes) != 1 || fleet.Notes[0] != "GitHub did not say whose account the tokens of miners [5] are" {
		t.Errorf("GitHub is away: got %+v, %v", fleet, err)
	}
	silent(t, b.log.String())
}
