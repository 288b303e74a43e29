package input_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/scoring/input"

	"github.com/google/go-cmp/cmp"
)

func TestParseMiners(t *testing.T) {
	t.Parallel()
	got, err := input.ParseMiners([]byte(`[
		{"uid": 0, "hotkey": "", "github_id": ""},
		{"uid": 7, "hotkey": "hk", "github_id": 42, "token": "valid"},
		{"uid": 5, "hotkey": "hk", "github_id": "43", "identity_unreachable": true},
		{"uid": 4, "hotkey": "hk", "github_id": "44", "identity_kept_at": "2026-06-18T18:54:00Z"},
		{"uid": 6, "hotkey": "hk", "github_id": null, "token": "none"},
		{"uid": 9, "hotkey": "hk", "identity_unreachable": true}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []input.Miner{
		{UID: 0},
		{UID: 7, Hotkey: "hk", GitHubID: "42", Token: input.TokenValid},
		{UID: 5, Hotkey: "hk", GitHubID: "43", IdentityUnreachable: true},
		{UID: 4, Hotkey: "hk", GitHubID: "44", IdentityKeptAt: time.Date(2026, 6, 18, 18, 54, 0, 0, time.UTC)},
		{UID: 6, Hotkey: "hk", Token: input.TokenNone},
		{UID: 9, Hotkey: "hk", IdentityUnreachable: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// What is written is read again.
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := input.ParseMiners(data); err != nil || !cmp.Equal(want, again) {
		t.Errorf("reading what was written: got %v, %v", again, err)
	}
}

func TestParseMinersRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		parts      []string
	}{
		{"not JSON", `[`, []string{"miners"}},
		{"an object", `{}`, []string{"miners", "list"}},
		{"null", `null`, []string{"miners", "list"}},
		{"no object", `[7]`, []string{"index 0"}},
		{"no uid", `[{"hotkey": "h", "github_id": "1"}]`, []string{"index 0", "uid", "missing"}},
		{"negative", `[{"uid": -1, "hotkey": "h", "github_id": "1"}]`, []string{"index 0", "uid", "-1", "0 or more"}},
		{"fraction", `[{"uid": 1.5, "hotkey": "h", "github_id": "1"}]`, []string{"uid", "1.5"}},
		{"uid a text", `[{"uid": "1", "hotkey": "h", "github_id": "1"}]`, []string{"uid", `"1"`}},
		{"twice", `[{"uid": 3, "hotkey": "h", "github_id": "1"}, {"uid": 3, "hotkey": "i", "github_id": "2"}]`, []string{"index 1", "uid 3", "once", "index 0"}},
		{"kept at no instant", `[{"uid": 3, "hotkey": "h", "github_id": "1", "identity_kept_at": 7}]`, []string{"uid 3", "identity_kept_at", "7", "an instant"}},
		{"no hotkey", `[{"uid": 3, "github_id": "1"}]`, []string{"uid 3", "hotkey", "missing"}},
		{"hotkey a number", `[{"uid": 3, "hotkey": 5, "github_id": "1"}]`, []string{"uid 3", "hotkey", "5"}},
		{"no id", `[{"uid": 3, "hotkey": "h"}]`, []string{"uid 3", "github_id", "missing"}},
		{"empty id", `[{"uid": 3, "hotkey": "h", "github_id": ""}]`, []string{"uid 3", "github_id", "missing"}},
		{"id no digits", `[{"uid": 3, "hotkey": "h", "github_id": "1/../2"}]`, []string{"uid 3", "github_id", "1/../2", "digits"}},
		{"id a fraction", `[{"uid": 3, "hotkey": "h", "github_id": 1.5}]`, []string{"uid 3", "github_id", "1.5"}},
		{"unknown token", `[{"uid": 3, "hotkey": "h", "github_id": "1", "token": "old"}]`, []string{"uid 3", "token", "old", "stale"}},
		{"unreachable no boolean", `[{"uid": 3, "hotkey": "h", "github_id": "1", "identity_unreachable": 1}]`, []string{"identity_unreachable", "1"}},
		{"unknown field", `[{"uid": 3, "hotkey": "h", "github_id": "1", "pat": "ghp"}]`, []string{"uid 3", "pat", "no such field"}},
		{"repeated field", `[{"uid": 3, "uid": 4, "hotkey": "h", "github_id": "1"}]`, []string{"index 0", "uid"}},
	}
	for _, tt := range tests {
		_, err := input.ParseMiners([]byte(tt.text))
		if err == nil {
			t.Errorf("%s: got accepted, want refused", tt.name)
			continue
		}
		for _, part := range tt.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got error %q, want it to name %q", tt.name, err, part)
			}
		}
	}
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	whole := func(change func(*input.Miner)) input.Miner {
		m := input.Miner{UID: 5, Hotkey: "hk", GitHubID: "42", Token: input.TokenValid}
		change(&m)
		return m
	}
	for _, tt := range []struct {
		miner input.Miner
		want  input.Failure
	}{
		{whole(func(*input.Miner) {}), ""},
		{whole(func(m *input.Miner) { m.Token = "" }), ""},
		{whole(func(m *input.Miner) { m.UID, m.Hotkey = 0, "" }), "recycle uid"},
		{whole(func(m *input.Miner) { m.Hotkey, m.Token = "", input.TokenNone }), "no hotkey"},
		{whole(func(m *input.Miner) { m.Token = input.TokenStale }), "hotkey changed"},
		{whole(func(m *input.Miner) { m.Token = input.TokenNone }), "no stored token"},
		{whole(func(m *input.Miner) { m.Token = input.TokenRefused }), "token refused"},
		{whole(func(m *input.Miner) { m.IdentityUnreachable = true }), ""},
		// Who was not reached did not refuse.
		{whole(func(m *input.Miner) { m.IdentityUnreachable, m.Token = true, input.TokenRefused }), ""},
		{whole(func(m *input.Miner) { m.IdentityUnreachable, m.GitHubID = true, "" }), "identity unreachable"},
		{whole(func(m *input.Miner) { m.IdentityUnreachable, m.GitHubID = true, "0" }), "identity unreachable"},
	} {
		if got := input.FailureOf(tt.miner); got != tt.want {
			t.Errorf("FailureOf(%+v): got %q, want %q", tt.miner, got, tt.want)
		}
	}
	for failure, want := range map[input.Failure]string{input.NoFailure: "null", input.SharedAccount: `"shared account"`} {
		data, err := json.Marshal(failure)
		var back input.Failure
		if err != nil || string(data) != want || json.Unmarshal(data, &back) != nil || back != failure {
			t.Errorf("%q in JSON: got %s, want %s", failure, data, want)
		}
	}
}

func FuzzParseMiners(f *testing.F) {
	f.Add([]byte(`[{"uid": 7, "hotkey": "hk", "github_id": 42, "token": "valid"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		miners, err := input.ParseMiners(data)
		if err != nil {
			return
		}
		seen := map[int]bool{}
		for _, m := range miners {
			if m.UID < 0 || seen[m.UID] || m.GitHubID == "" && input.FailureOf(m) == input.NoFailure {
				t.Errorf("accepted: %+v", m)
			}
			seen[m.UID] = true
		}
	})
}
