package miners_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/miners"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

func stored(uid int, hotkey, token, githubID string) miners.Stored {
	return miners.Stored{UID: uid, Hotkey: hotkey, Token: miners.NewSecret(token), GitHubID: githubID}
}

// Every case of docs/rules/scoring.md#miners, as the validator decides it. What is said of GitHub
// is passed over wherever something comes before it.
func TestEveryCaseOfAMiner(t *testing.T) {
	t.Parallel()
	known := miners.Identity{State: miners.Known, GitHubID: "77"}
	refused, unreachable := miners.Identity{State: miners.Refused}, miners.Identity{}
	for _, c := range []struct {
		name     string
		uid      int
		hotkey   string
		stored   []miners.Stored
		identity miners.Identity
		asked    bool
		want     input.Failure
		githubID string
		recorded bool // the recorded account is used, and nothing is loaded
	}{
		{"known", 5, "h5", []miners.Stored{stored(5, "h5", "t", "77")}, known, true, "", "77", false},
		{"known, another account than recorded", 5, "h5", []miners.Stored{stored(5, "h5", "t", "66")}, known, true, "", "77", false},
		{"known, none recorded", 5, "h5", []miners.Stored{stored(5, "h5", "t", "")}, known, true, "", "77", false},
		{"recycle uid", 0, "h0", []miners.Stored{stored(0, "h0", "t", "77")}, known, false, input.RecycleMiner, "", false},
		{"recycle uid without anything", 0, "", nil, unreachable, false, input.RecycleMiner, "", false},
		{"no hotkey", 5, "", []miners.Stored{stored(5, "h5", "t", "77")}, known, false, input.NoHotkey, "", false},
		{"no hotkey, nor a stored one", 5, "", []miners.Stored{stored(5, "", "t", "77")}, known, false, input.NoHotkey, "", false},
		{"no entry", 5, "h5", []miners.Stored{stored(6, "h5", "t", "77")}, known, false, input.NoStoredToken, "", false},
		{"no token in the entry", 5, "h5", []miners.Stored{stored(5, "h5", "", "77")}, known, false, input.NoStoredToken, "", false},
		{"a token of nobody", 5, "h5", []miners.Stored{stored(5, "", "t", "77")}, known, false, input.NoStoredToken, "", false},
		{"hotkey changed", 5, "h5", []miners.Stored{stored(5, "old", "t", "77")}, known, false, input.HotkeyChanged, "", false},
		{"hotkey changed, no token either", 5, "h5", []miners.Stored{stored(5, "old", "", "77")}, known, false, input.HotkeyChanged, "", false},
		{"hotkeys are compared with case", 5, "h5", []miners.Stored{stored(5, "H5", "t", "77")}, known, false, input.HotkeyChanged, "", false},
		{"refused", 5, "h5", []miners.Stored{stored(5, "h5", "t", "77")}, refused, true, input.TokenNotAccepted, "", false},
		{"unreachable, recorded", 5, "h5", []miners.Stored{stored(5, "h5", "t", "66")}, unreachable, true, "", "66", true},
		{"unreachable, none recorded", 5, "h5", []miners.Stored{stored(5, "h5", "t", "")}, unreachable, true, input.IdentityUnreachable, "", true},
	} {
		m := miners.Metagraph{Hotkeys: map[int]string{c.uid: c.hotkey}}
		asks := miners.LookUps(m, c.stored)
		if asked := len(asks) == 1; asked != c.asked {
			t.Errorf("%s: %d look-ups, want one: %v", c.name, len(asks), c.asked)
		}
		got := miners.Decide(m, c.stored, map[int]miners.Identity{c.uid: c.identity})
		if len(got) != 1 || input.FailureOf(got[0]) != c.want || got[0].GitHubID != c.githubID || got[0].IdentityUnreachable != c.recorded ||
			got[0].UID != c.uid || got[0].Hotkey != c.hotkey {
			t.Errorf("%s: got %+v, failed %q; want %q with account %q, recorded one %v",
				c.name, got, input.FailureOf(got[0]), c.want, c.githubID, c.recorded)
		}
	}
}

// Two uids with one account are both in the list: the rules fail both, for
// which they need to know who else is failed.
func TestSharedAccountsAreTheRulesToFind(t *testing.T) {
	t.Parallel()
	m := miners.Metagraph{Hotkeys: map[int]string{0: "h0", 5: "h5", 6: "h6", 7: ""}}
	list := miners.Decide(m, []miners.Stored{stored(5, "h5", "a", "1"), stored(6, "h6", "b", "77")},
		map[int]miners.Identity{5: {State: miners.Known, GitHubID: "77"}})
	uids := []int{}
	for _, one := range list {
		uids = append(uids, one.UID)
	}
	if !slices.Equal(uids, []int{0, 5, 6, 7}) {
		t.Errorf("the list has uids %v, want all by uid", uids)
	}
	registry, err := input.ParseRegistry([]byte(`{"a/b": {"emission_share": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	out := scoring.Conclude(scoring.RoundInput{Miners: list, Registry: registry})
	if diff := cmp.Diff([]int{5, 6}, out.SharedAccount); diff != "" {
		t.Errorf("who shares an account (-want +got):\n%s", diff)
	}
	counts := map[string]int{"recycle uid": 1, "no hotkey": 1, "taking part": 1, "identity unreachable, recorded account": 1}
	if diff := cmp.Diff(counts, miners.Count(list)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
