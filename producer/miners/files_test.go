package miners_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/miners"
)

// theFile is as the validator writes it.
const theFile = `[
  {
    "uid": 5,
    "hotkey": "h5",
    "pat": "` + planted + `",
    "github_id": "1005",
    "stored_at": "2026-05-01T10:00:00+00:00"
  },
  {
    "uid": 6,
    "hotkey": "h6",
    "pat": "` + planted + `6",
    "github_id": null
  },
  {"uid": 7, "hotkey": "h7", "pat": null, "github_id": 1007}
]`

func TestTokensFile(t *testing.T) {
	t.Parallel()
	list, notes, err := miners.ParseTokens([]byte(theFile))
	if err != nil || len(notes) > 0 || len(list) != 3 {
		t.Fatalf("got %v, %v, %v; want three entries", list, notes, err)
	}
	for i, want := range []miners.Stored{stored(5, "h5", planted, "1005"), stored(6, "h6", planted+"6", ""), stored(7, "h7", "", "1007")} {
		got := list[i]
		if got.UID != want.UID || got.Hotkey != want.Hotkey || got.Token.Reveal() != want.Token.Reveal() || got.GitHubID != want.GitHubID {
			t.Errorf("entry %d: got %+v, want %+v (or another token)", i, got, want)
		}
	}
}

// However much of the file is there, a part of it is never taken for the whole;
// nor is anything that it holds in the error.
func TestHalfAFileIsNone(t *testing.T) {
	t.Parallel()
	for n := range len(theFile) {
		list, _, err := miners.ParseTokens([]byte(theFile)[:n])
		if !errors.Is(err, miners.ErrUnusable) || list != nil {
			t.Fatalf("the first %d bytes: got %d entries, %v; want ErrUnusable", n, len(list), err)
		}
		silent(t, err.Error())
	}
	for n := range len(theMetagraph) {
		if m, err := miners.ParseMetagraph([]byte(theMetagraph)[:n]); !errors.Is(err, miners.ErrUnusable) {
			t.Fatalf("the first %d bytes: got %v, %v; want ErrUnusable", n, m, err)
		}
	}
}

func silent(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "ghp_") || strings.Contains(text, "PLANTED") {
		t.Errorf("a token shows in %q", text)
	}
}

func TestMalformedTokensFiles(t *testing.T) {
	t.Parallel()
	entry := func(uid string) string {
		return fmt.Sprintf(`{"uid": %s, "hotkey": "h", "pat": %q, "github_id": "1"}`, uid, planted)
	}
	for _, c := range []struct {
		name, data string
		entries    int // -1: the file is not usable
		notes      []string
	}{
		{"an empty list is a fleet without tokens", `[]`, 0, nil},
		{"null", `null`, -1, nil},
		{"another thing", `{"uid": 1}`, -1, nil},
		{"a text", `"` + planted + `"`, -1, nil},
		{"no entry that can be read", `["` + planted + `", 3]`, -1, nil},
		{
			"entries that lack something", `["` + planted + `", ` + entry("5") + `, {"hotkey": "h"}, {"uid": "` + planted + `"}, {"uid": 8, "hotkey": 7}, {"uid": 9, "pat": ["` + planted + `"]}, ` + entry("-1") + `, ` + entry("70000") + `]`,
			1, []string{
				"the token at index 0 does not count: want an object {uid, hotkey, pat, github_id}",
				"the token at index 2 does not count: uid: want a whole number from 0 to 65535",
				"the token at index 3 does not count: uid: want a whole number from 0 to 65535",
				"the token at index 4 does not count: hotkey: want a text",
				"the token at index 5 does not count: pat: want a text",
				"the token at index 6 does not count: uid: want a whole number from 0 to 65535",
				"the token at index 7 does not count: uid: want a whole number from 0 to 65535",
			},
		},
		{"one uid twice: the last counts", `[` + entry("5") + `, {"uid": 5, "hotkey": "later", "pat": "x"}]`, 1, []string{"uid 5 has several tokens, the last one counts"}},
		{"an account that is none", `[{"uid": 5, "hotkey": "h", "pat": "x", "github_id": "` + planted + `"}]`, 1, nil},
	} {
		list, notes, err := miners.ParseTokens([]byte(c.data))
		if c.entries < 0 {
			if !errors.Is(err, miners.ErrUnusable) {
				t.Errorf("%s: got %v, want ErrUnusable", c.name, err)
			} else {
				silent(t, err.Error())
			}
			continue
		}
		if err != nil || len(list) != c.entries {
			t.Errorf("%s: got %d entries, %v; want %d", c.name, len(list), err, c.entries)
		}
		if diff := cmp.Diff(c.notes, notes); diff != "" {
			t.Errorf("%s: notes (-want +got):\n%s", c.name, diff)
		}
		silent(t, strings.Join(notes, "\n"))
		if c.name == "one uid twice: the last counts" && list[0].Hotkey != "later" {
			t.Errorf("%s: got the one of %q", c.name, list[0].Hotkey)
		}
		if c.name == "an account that is none" && list[0].GitHubID != "" {
			t.Errorf("%s: got %q", c.name, list[0].GitHubID)
		}
	}
}

const theMetagraph = `{"exported_at": "2026-06-18T18:54:00Z", "block": 8213374, "hotkeys": {"0": "h0", "1": "", "111": "h111"}}`

func TestMetagraph(t *testing.T) {
	t.Parallel()
	instant := time.Date(2026, 6, 18, 18, 54, 0, 0, time.UTC)
	three := map[int]string{0: "h0", 1: "", 2: "h2"}
	for _, c := range []struct {
		name, data string
		want       map[int]string
		at         time.Time
	}{
		{"with its instant", theMetagraph, map[int]string{0: "h0", 1: "", 111: "h111"}, instant},
		{"another zone", `{"exported_at": "2026-06-18T20:54:00+02:00", "hotkeys": {"0": "h0", "1": "", "2": "h2"}}`, three, instant},
		{"alone", `{"0": "h0", "1": null, "2": "h2"}`, three, time.Time{}},
		{"without its instant", `{"exported_at": null, "hotkeys": {"0": "h0", "1": "", "2": "h2"}}`, three, time.Time{}},
	} {
		got, err := miners.ParseMetagraph([]byte(c.data))
		if err != nil || !cmp.Equal(got.Hotkeys, c.want) || !got.At.Equal(c.at) {
			t.Errorf("%s: got %v, %v; want %v at %s", c.name, got, err, c.want, c.at)
		}
	}
	for _, c := range []struct{ data, want string }{
		{``, "half-written"},
		{`{`, "half-written"},
		{`null`, "want an object"},
		{`["h0", "h1"]`, "want an object"},
		{`{"hotkeys": [{"uid": 0, "hotkey": "h0"}]}`, "want an object"},
		{`{}`, "not a single uid"},
		{`{"hotkeys": {}}`, "not a single uid"},
		{`{"0": "h", "00": "h"}`, "uid 0 is there twice"},
		{`{"0": "h", "0": "h"}`, "uid 0 is there twice"},
		{`{"netuid": 74, "0": "h"}`, `key "netuid"`},
		{`{"exported_at": "2026-06-18T18:54:00Z", "0": "h"}`, `key "exported_at"`},
		{`{"7": 7}`, "uid 7: hotkey"},
		{`{"exported_at": "yesterday", "hotkeys": {"0": "h"}}`, "exported_at"},
		{`{"exported_at": 1781808840, "hotkeys": {"0": "h"}}`, "exported_at"},
		{`{"70000": "h"}`, "65535"},
	} {
		if got, err := miners.ParseMetagraph([]byte(c.data)); !errors.Is(err, miners.ErrUnusable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want ErrUnusable that says %q", c.data, got, err, c.want)
		}
	}
}

func TestAnOldMetagraphIsNone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 18, 18, 54, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name        string
		at, written time.Time
		old         bool
	}{
		{"as old as it may be", ago(time.Hour), now, false},
		{"older", ago(time.Hour + time.Second), now, true},
		{"its own word counts", now, ago(2 * time.Hour), false},
		{"the file's time stands in", time.Time{}, ago(2 * time.Hour), true},
		{"a clock that is ahead", now.Add(time.Hour), now, false},
	} {
		err := (&miners.Metagraph{At: c.at}).TooOld(c.written, now, time.Hour)
		if errors.Is(err, miners.ErrUnusable) != c.old {
			t.Errorf("%s: got %v, want too old: %v", c.name, err, c.old)
		}
	}
}

// A file that is mounted by itself stays the old one when it is replaced: that is
// said, and nothing is scored from it. /proc shows a removed file as such a mount
// does.
func TestAFileThatIsNoLongerThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "miner_pats.json")
	if err := os.WriteFile(path, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mounted := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	if _, err := os.Stat(mounted); err != nil {
		t.Skipf("this system shows no removed file: %v", err)
	}
	if data, _, err := miners.ReadFile(mounted); err != nil || string(data) != "[]" {
		t.Fatalf("while it is there: %q, %v", data, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := miners.ReadFile(mounted); !errors.Is(err, miners.ErrUnusable) || !strings.Contains(err.Error(), "mount its directory") {
		t.Errorf("got %v, want not usable, and what to mount", err)
	}
}
