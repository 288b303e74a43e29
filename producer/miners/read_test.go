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

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/miners"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
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

func (b *bundle) read(t *testing.T) map[int]input.Miner {
	t.Helper()
	fleet, err := b.Read(t.Context(), b.now)
	if err != nil {
		t.Fatal(err)
	}
	byUID := map[int]input.Miner{}
	for _, m := range fleet.Miners {
		byUID[m.UID] = m
	}
	return byUID
}

func tokenFile(entries ...string) string { return "[" + strings.Join(entries, ",") + "]" }

func entry(uid int, token, githubID string) string {
	return fmt.Sprintf(`{"uid": %d, "hotkey": "h%d", "pat": %q, "github_id": %q}`, uid, uid, token, githubID)
}

// away is GitHub not answering.
var away = answer{status: 500}

// GitHub is asked about every token in every round. Only what it does not answer
// is taken from what it said before, for a day at most, and of the same token in
// the same hands. What is kept holds nothing from which a token could be told.
func TestAKeptIdentityServesOnlyWhileGitHubIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	second := planted[:len(planted)-1] + "z"
	b.github.answers[planted] = []answer{ok("105"), ok("305"), away}
	b.github.answers[second] = []answer{away}
	b.github.answers["short"] = []answer{ok("106"), ok("106"), away}
	b.write(t, b.Metagraph, `{"0": "h0", "5": "h5", "6": "h6"}`)
	b.write(t, b.Tokens, tokenFile(entry(5, planted, "1"), entry(6, "short", "2")))

	for _, id := range []string{"105", "305"} {
		if got := b.read(t); got[5].GitHubID != id || got[5].IdentityUnknown() || got[6].GitHubID != "106" {
			t.Errorf("GitHub answers: got %+v, want accounts %s and 106", got, id)
		}
	}
	b.nothingTells(t, planted, 1)
	known := b.now
	b.now = b.now.Add(3 * time.Hour)
	b.metagraph(t)
	fleet, err := b.Read(t.Context(), b.now)
	if err != nil {
		t.Fatal(err)
	}
	want := []input.Miner{
		{UID: 5, Hotkey: "h5", GitHubID: "305", Token: input.TokenValid, IdentityKeptAt: known.UTC()},
		{UID: 6, Hotkey: "h6", GitHubID: "2", Token: input.TokenValid, IdentityUnreachable: true}, // its token could be guessed
	}
	if diff := cmp.Diff(want, fleet.Miners); diff != "" {
		t.Errorf("GitHub is away (-want +got):\n%s", diff)
	}
	notes := []string{
		"GitHub did not name the accounts of the tokens of miners [6]",
		"GitHub did not name the accounts of the tokens of miners [5]: its answers of up to 3h0m0s ago are used",
	}
	if diff := cmp.Diff(notes, fleet.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}

	b.write(t, b.Tokens, tokenFile(entry(5, second, "1"), entry(6, planted, "2")))
	if got := b.read(t); !got[5].IdentityUnreachable || !got[6].IdentityUnreachable {
		t.Errorf("another token, and a token in other hands: got %+v, want that what is kept serves neither", got)
	}
	b.write(t, b.Tokens, tokenFile(entry(5, planted, "1")))
	b.now = known.Add(25 * time.Hour)
	b.metagraph(t)
	if got := b.read(t); !got[5].IdentityUnreachable || got[5].GitHubID != "1" {
		t.Errorf("after a day: got %+v, want the account recorded with the token", got[5])
	}
}

// metagraph writes one of now.
func (b *bundle) metagraph(t *testing.T) {
	t.Helper()
	b.write(t, b.Metagraph, fmt.Sprintf(`{"exported_at": %q, "hotkeys": {"5": "h5", "6": "h6"}}`, b.now.Format(time.RFC3339)))
}

// A token that was revoked does not count, neither in the next round nor when
// GitHub does not answer after that.
func TestARevokedTokenCountsNoMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.answers[planted] = []answer{ok("105"), {status: 401}, away}
	b.write(t, b.Metagraph, `{"5": "h5"}`)
	b.write(t, b.Tokens, tokenFile(entry(5, planted, "1")))
	b.read(t)
	if got := b.read(t); got[5].Token != input.TokenRefused {
		t.Errorf("revoked: got %+v, want it refused", got[5])
	}
	if got := b.read(t); !got[5].IdentityUnreachable || !got[5].IdentityKeptAt.IsZero() {
		t.Errorf("revoked, and then GitHub is away: got %+v, want that what was kept does not serve", got[5])
	}
}

// A miner that registers anew with a new token revokes the old one; another
// revokes its own. When an answer counted for a day, both old tokens still had
// their accounts: two miners shared one, and were paid nothing.
func TestRevokedTokensShareNoAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := func(uid int) string { return fmt.Sprintf("%s-%d", planted, uid) }
	before := map[int]answer{5: ok("1005"), 6: ok("1006"), 7: ok("1007")}
	after := map[int]answer{5: {status: 401}, 6: ok("1006"), 7: {status: 401}, 9: ok("1005")}
	for uid, a := range before {
		b.github.answers[token(uid)] = []answer{a, after[uid]}
	}
	b.github.answers[token(9)] = []answer{after[9]}
	b.write(t, b.Metagraph, `{"5": "h5", "6": "h6", "7": "h7", "9": "h9"}`)
	stored := tokenFile(entry(5, token(5), ""), entry(6, token(6), ""), entry(7, token(7), ""), entry(9, token(9), ""))
	b.write(t, b.Tokens, strings.Replace(stored, ","+entry(9, token(9), ""), "", 1))
	b.read(t)
	b.write(t, b.Tokens, stored)
	fleet, err := b.Read(t.Context(), b.now)
	if err != nil {
		t.Fatal(err)
	}
	out := scoring.Conclude(sameWork(t, b.now, fleet.Miners, 6, 9))
	failed, paid := map[int]input.Failure{}, map[int]float64{}
	for i, m := range out.Miners {
		failed[m.UID], paid[m.UID] = m.Failed, out.Rewards[i].Reward
	}
	if diff := cmp.Diff(map[int]input.Failure{5: input.TokenNotAccepted, 6: "", 7: input.TokenNotAccepted, 9: ""}, failed); diff != "" {
		t.Errorf("who is failed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]float64{5: 0, 6: 0.45, 7: 0, 9: 0.45}, paid); diff != "" {
		t.Errorf("rewards (-want +got):\n%s", diff)
	}
}

// sameWork is a round in which these miners have done the same.
func sameWork(t *testing.T, asOf time.Time, list []input.Miner, uids ...int) scoring.RoundInput {
	t.Helper()
	registry, err := input.ParseRegistry([]byte(`{"a/b": {"emission_share": 1, "eligibility": {"min_valid_merged_prs": 1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	in := scoring.RoundInput{AsOf: asOf, Miners: list, Registry: registry, Evaluations: map[int]scoring.Evaluation{}}
	for _, uid := range uids {
		pull := scoring.PullRequest{Repository: "a/b", Number: uid, State: scoring.Merged, MergedAt: asOf, ScoringDataStored: true}
		scored := scoring.Score(pull, &registry.Repositories[0], &tokens.Figures{TotalScore: 40, TokenScore: 40, SourceTokenScore: 40}, asOf)
		in.Evaluations[uid] = scoring.Evaluation{UID: uid, Merged: []scoring.ScoredPullRequest{scored}}
	}
	return in
}

// nothingTells looks for a token, and for digests that anybody could compare, in
// everything that is kept and logged.
func (b *bundle) nothingTells(t *testing.T, token string, identities int) {
	t.Helper()
	kept, err := b.Bus.Miners.Identities(t.Context())
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
	b.github.answers[planted] = []answer{ok("105"), away}
	b.write(t, b.Metagraph, `{"5": "h5"}`)
	b.write(t, b.Tokens, tokenFile(entry(5, planted, "1")))
	b.read(t)
	kept, err := b.Bus.Miners.Identities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		change func(*job.Identity)
		serves bool
	}{
		{func(*job.Identity) {}, true},
		{func(i *job.Identity) { i.Proof[0] ^= 1 }, false},
		{func(i *job.Identity) { i.Proof = nil }, false},
		{func(i *job.Identity) { i.Salt[0] ^= 1 }, false},
		{func(i *job.Identity) { i.Salt = nil }, false},
		{func(i *job.Identity) { i.Hotkey = "h6" }, false},
		{func(i *job.Identity) { i.GitHubID = "x" }, false},
		{func(i *job.Identity) { i.At = b.now.Add(48 * time.Hour) }, false},
	} {
		changed := kept[5]
		changed.Proof, changed.Salt = bytes.Clone(changed.Proof), bytes.Clone(changed.Salt)
		c.change(&changed)
		if err := b.Bus.Miners.PutIdentity(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		if got := b.read(t); (got[5].GitHubID == "105") != c.serves || got[5].IdentityUnreachable == c.serves {
			t.Errorf("change %d: got %+v, want that it serves: %v", i, got[5], c.serves)
		}
	}
}

// Files that are missing, half-written or old make no fleet; what GitHub does
// not say is in the notes.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := tokenFile(entry(5, planted, "1"))
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
		len(fleet.Notes) != 1 || fleet.Notes[0] != "GitHub did not name the accounts of the tokens of miners [5]" {
		t.Errorf("GitHub is away: got %+v, %v", fleet, err)
	}
	silent(t, b.log.String())
}

// TestTokensForEverybodyAreNotRead: a tokens file that others can read puts the round
// off, until its mode is right again.
func TestTokensForEverybodyAreNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write(t, b.Metagraph, `{"0": "h0", "5": "h5"}`)
	b.write(t, b.Tokens, tokenFile())
	if err := os.Chmod(b.Tokens, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := b.Read(t.Context(), b.now)
	if !errors.Is(err, miners.ErrUnusable) || !strings.Contains(err.Error(), "0644") || !strings.Contains(err.Error(), "chmod o-rwx "+b.Tokens) {
		t.Errorf("got %v, want ErrUnusable with the mode and what mends it", err)
	}
	if err := os.Chmod(b.Tokens, 0o640); err != nil {
		t.Fatal(err)
	}
	b.read(t)
}
