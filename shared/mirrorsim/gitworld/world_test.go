package gitworld_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/gitdiff/gittest"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/mirrorsim/gitworld"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

func TestGitWorld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitworld.Config{Dirs: []string{story(t).Dir}})
	url := setup(t, w)
	r := load(t, url, w)

	wantRegistry := `{"acme/rocket":{"emission_share":1,"issue_discovery_share":0,"additional_acceptable_branches":[],"scoring":{"pr_lookback_days":90}}}`
	if got := compact(t, w.Registry); got != wantRegistry {
		t.Errorf("registry %s\nwant     %s", got, wantRegistry)
	}
	if _, err := input.ParseRegistry(w.Registry); err != nil {
		t.Errorf("registry: %v", err)
	}
	// Bo is the most active; the account's number stands in the address.
	if len(w.Miners) != 4 || w.Miners[0].UID != 0 || w.Miners[1].GitHubID != "12345" || w.Miners[2].UID != 2 || w.Miners[3].UID != 111 {
		t.Errorf("miners %+v, want uids 0, 1 (12345), 2 and 111", w.Miners)
	}
	cy := w.Miners[2].GitHubID
	if len(r.pulls) != 2 || len(r.pulls["12345"]) != 2 || len(r.pulls[cy]) != 1 {
		t.Fatalf("pull requests of %v, want two of 12345 and one of %s", slices.Sorted(maps.Keys(r.pulls)), cy)
	}
	squash, merge := r.pulls["12345"][0], r.pulls[cy][0]
	if squash.Number != 4 || squash.Title != "Move things" || squash.AuthorLogin != "bothedog" || squash.MergeBaseSHA == nil || squash.State != "MERGED" {
		t.Errorf("squash %+v, want #4 %q by bothedog with a merge base", squash, "Move things")
	}
	if merge.Number != 3 || merge.Title != "Fix the dir" || merge.AuthorLogin != "cy" || *orNone(merge.MergedByLogin) != "ada" ||
		*orNone(merge.HeadRef) != "fix" || *orNone(merge.HeadRepoFullName) != "cy/rocket" || merge.Additions != 1 {
		t.Errorf("merge %+v, want #3 %q by cy, merged by ada from cy/rocket fix", merge, "Fix the dir")
	}
	if want := squash.MergedAt.Add(time.Hour); !w.AsOf.Equal(want) {
		t.Errorf("as_of %s, want an hour after the newest pull request, %s", w.AsOf, want)
	}
	wantFiles(t, r.files["acme/rocket#2"],
		"modified main.go +1 -0 head 128 base 99", "added new.go +1 -0 head 10 base null")
	wantFiles(t, r.files["acme/rocket#3"], "added sub/dir/fix.go +1 -0 head 12 base null")
	wantFiles(t, r.files["acme/rocket#4"],
		"removed gone.txt +0 -1 head null base 4",
		"added huge.txt +70000 -0 head null base null", // over 1 MB
		"modified logo.png +0 -0 head null base null binary",
		"renamed moved.go from old.go +0 -0 head 106 base 106",
		"added quoted \"ü\".md +1 -0 head 6 base null")
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var buf bytes.Buffer
	must.Do(t, json.Compact(&buf, raw))
	return buf.String()
}

func orNone(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

// wantFiles compares files by what they are, not by their texts.
func wantFiles(t *testing.T, files mirrorsim.Files, want ...string) {
	t.Helper()
	var got []string
	size := func(s *string) string {
		if s == nil {
			return "null"
		}
		return fmt.Sprint(len(*s))
	}
	for _, f := range files.Files {
		line := f.Status + " " + f.Filename
		if f.PreviousFilename != nil {
			line += " from " + *f.PreviousFilename
		}
		line += fmt.Sprintf(" +%d -%d head %s base %s", f.Additions, f.Deletions, size(f.HeadContent), size(f.BaseContent))
		if f.IsBinary {
			line += " binary"
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of %s#%d (-want +got):\n%s", files.RepoFullName, files.Number, diff)
	}
}

// Several histories share evenly, two clones of one name are told apart, and
// the latest pull requests are taken.
func TestGitWorldOfSeveral(t *testing.T) {
	t.Parallel()
	one, two := story(t), story(t)
	w := newWorld(t, gitworld.Config{Dirs: []string{one.Dir, two.Dir, filepath.Join(one.Dir, ".git")}, Pulls: 1})
	url := setup(t, w)
	r := load(t, url, w)
	want := []string{"acme/rocket", "acme/rocket-2", "acme/rocket-3"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(r.registry))); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
	total := 0.0
	for _, settings := range r.registry {
		total += settings["emission_share"].(float64)
	}
	if total > 1 || total < 0.99 {
		t.Errorf("shares add up to %g, want 1 at most and nearly that", total)
	}
	if w.Size() != 3 || len(r.files) != 3 {
		t.Errorf("%d pull requests with %d files answers, want the latest of each", w.Size(), len(r.files))
	}
}

// Pull requests further back than the lookback are moved into it, in their
// order; with KeepDates they stay, and are outside.
func TestGitDates(t *testing.T) {
	t.Parallel()
	h := gittest.New(t, "slow")
	h.Write("a.txt", "0\n")
	h.Commit("Ada", "ada@example.org", "start")
	for n := 1; n <= 5; n++ {
		h.Now = h.Now.AddDate(0, 0, 100)
		h.Write("a.txt", fmt.Sprint(n, "\n"))
		h.Commit("Ada", "ada@example.org", fmt.Sprintf("change (#%d)", n))
	}
	for keep, want := range map[bool]int{false: 5, true: 1} {
		w := newWorld(t, gitworld.Config{Dirs: []string{h.Dir}, KeepDates: keep})
		url := setup(t, w)
		r := load(t, url, w)
		pulls := r.pulls[w.Miners[1].GitHubID]
		if len(pulls) != want {
			t.Fatalf("keep dates %v: %d pull requests inside the lookback, want %d", keep, len(pulls), want)
		}
		for i, p := range pulls {
			if p.Number != 5-i || p.MergedAt.Before(p.CreatedAt) || !p.MergedAt.Before(w.AsOf) {
				t.Errorf("keep dates %v: place %d has #%d, created %s, merged %s; want #%d, before %s", keep, i, p.Number, p.CreatedAt, p.MergedAt, 5-i, w.AsOf)
			}
		}
		if last := len(pulls) - 1; !keep && pulls[0].MergedAt.Sub(*pulls[last].MergedAt) < 80*24*time.Hour {
			t.Errorf("moved dates lie between %s and %s, want most of the lookback between them", pulls[last].MergedAt, pulls[0].MergedAt)
		}
	}
}

// Texts are read by many at once, over one process; it is gone after Close.
func TestGitFilesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitworld.Config{Dirs: []string{story(t).Dir}})
	url := setup(t, w)
	want := do(t, http.MethodGet, url+"/api/v1/pulls/acme/rocket/4/files", "").body
	replies := make(chan reply, 16)
	for range cap(replies) {
		go func() { replies <- do(t, http.MethodGet, url+"/api/v1/pulls/ACME/rocket/4/files", "") }()
	}
	for range cap(replies) {
		if r := <-replies; r.err != nil || r.body != want {
			t.Errorf("files at once: %d, error %v, %d bytes; want the same %d as before", r.status, r.err, len(r.body), len(want))
		}
	}
	if r := do(t, http.MethodGet, url+"/api/v1/pulls/acme/rocket/1/files", ""); r.status != http.StatusNotFound {
		t.Errorf("files of a commit without a parent: %d, want 404", r.status)
	}
}

func TestGitRefuses(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	plain := gittest.New(t, "plain")
	plain.Write("a", "b")
	plain.Commit("Ada", "ada@example.org", "no pull request")
	for _, tc := range []struct {
		cfg  gitworld.Config
		want string
	}{
		{gitworld.Config{}, "no directory"},
		{gitworld.Config{Dirs: []string{empty}, Pulls: -1}, "-1"},
		{gitworld.Config{Dirs: []string{empty}}, empty},
		{gitworld.Config{Dirs: []string{plain.Dir}}, "no pull requests"},
		{gitworld.Config{Dirs: []string{filepath.Join(empty, "nowhere")}}, "nowhere"},
	} {
		if _, err := gitworld.New(t.Context(), tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("New(%+v): %v, want an error with %q", tc.cfg, err, tc.want)
		}
	}
}
