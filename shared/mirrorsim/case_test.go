package mirrorsim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

// caseFile is a case of three rounds that changes all that a case can change.
const caseFile = "testdata/case.json"

func readCase(t *testing.T, path string) *mirrorsim.Case {
	t.Helper()
	c, err := mirrorsim.ReadCase(path)
	if err != nil {
		t.Fatalf("ReadCase: %v", err)
	}
	return c
}

// caseRound serves one round of the case.
func caseRound(t *testing.T, round int) (*bundle, *mirrorsim.World) {
	t.Helper()
	w, err := readCase(t, caseFile).World(round)
	if err != nil {
		t.Fatalf("World(%d): %v", round, err)
	}
	return setup(t, mirrorsim.Config{World: w}), w
}

// A case's lists come as they stand in the file, byte for byte and in its
// order, whatever the windows and whether paged or not.
func TestCaseServesListsAsTheyAre(t *testing.T) {
	t.Parallel()
	mirror := readCase(t, caseFile).Mirror
	b, _ := caseRound(t, 0)
	for range 2 { // the requests that fail first
		b.do(http.MethodPost, "/api/v1/miners/107/pulls", since(1))
		b.do(http.MethodGet, "/api/v1/pulls/acme/rocket/3/files", "")
	}
	future := `{"since_by_repo": {"no/such": "2999-01-01"}}`
	for id, want := range mirror.Pulls {
		for _, query := range []string{"", "?limit=200", "?limit=2"} {
			b.wantList(http.MethodPost, "/api/v1/miners/"+id+"/pulls"+query, future, want)
		}
		b.wantList(http.MethodPost, "/api/v1/miners/"+id+"/issues?limit=3", future, mirror.Issues[id])
		b.wantList(http.MethodGet, "/api/v1/miners/"+id+"/issues?limit=3", "", mirror.OpenIssues[id])
	}
	for key, want := range mirror.Files {
		name, number, _ := strings.Cut(key, "#")
		if r := b.do(http.MethodGet, "/api/v1/pulls/"+strings.ToUpper(name)+"/"+number+"/files", ""); r.body != string(want) {
			t.Errorf("files of %s: %d %.100s, want the file's own bytes", key, r.status, r.body)
		}
	}
	var answer struct {
		Maintainers []json.RawMessage `json:"maintainers"`
	}
	decode(t, b.do(http.MethodGet, "/api/v1/repos/acme/rocket/maintainers", "").body, &answer)
	wantSame(t, "maintainers", mirror.Maintainers["Acme/Rocket"], answer.Maintainers)
	if r := b.do(http.MethodGet, "/api/v1/pulls/no/such/1/files", ""); r.status != http.StatusNotFound {
		t.Errorf("files that the case does not have: %d, want 404", r.status)
	}
}

// wantList goes through all pages of a list.
func (b *bundle) wantList(method, path, body string, want []json.RawMessage) {
	b.t.Helper()
	var got []json.RawMessage
	for cursor := ""; ; {
		answer := b.list(method, path+cursor, body)
		got = append(got, append(answer.PullRequests, answer.Issues...)...)
		if answer.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *answer.NextCursor
	}
	wantSame(b.t, method+" "+path, want, got)
}

func wantSame(t *testing.T, what string, want, got []json.RawMessage) {
	t.Helper()
	text := func(items []json.RawMessage) []string {
		texts := []string{}
		for _, raw := range items {
			texts = append(texts, string(raw))
		}
		return texts
	}
	if diff := cmp.Diff(text(want), text(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// A round fails its own requests, for good or at first; its own miners and
// identities hold in it alone, its own mirror and registry from it on.
func TestCaseRounds(t *testing.T) {
	t.Parallel()
	first := []input.Miner{
		{UID: 0, Hotkey: "h0", Token: input.TokenNone},
		{UID: 7, Hotkey: "h7", GitHubID: "107", Token: input.TokenValid},
		{UID: 8, Hotkey: "h8", GitHubID: "108", Token: input.TokenValid},
	}
	const (
		pulls, issues = "POST /api/v1/miners/107/pulls", "POST /api/v1/miners/107/issues"
		files, others = "GET /api/v1/pulls/acme/rocket/3/files", "GET /api/v1/pulls/acme/rocket/4/files"
	)
	for round, want := range []struct {
		as, registry string
		miners       []input.Miner
		statuses     map[string][]int // of one request after the other
	}{
		{
			"2026-06-18T18:54:00Z", `{"Acme/Rocket":{"emission_share":0.5}}`, first,
			map[string][]int{pulls: {500, 500, 200, 200}, files: {500, 200, 200}, issues: {200}, others: {200}},
		},
		{
			"2026-06-18T20:56:34Z", `{"acme/rocket":{"emission_share":0.25}}`,
			[]input.Miner{
				{UID: 8, Hotkey: "h8", GitHubID: "108", Token: input.TokenValid, IdentityUnreachable: true},
				{UID: 9, Hotkey: "h9", GitHubID: "107", Token: input.TokenValid},
			},
			map[string][]int{pulls: {200, 200}, files: {500, 500, 500, 500}, issues: {500, 500, 500, 500}, others: {200}},
		},
		{
			"2026-06-18T22:54:00Z", `{"acme/rocket":{"emission_share":0.25}}`, first,
			map[string][]int{pulls: {200}, files: {404}, issues: {200}, others: {404}, "GET /api/v1/pulls/acme/rocket/6/files": {200}},
		},
	} {
		b, w := caseRound(t, round)
		if got := w.AsOf.Format("2006-01-02T15:04:05Z07:00"); got != want.as || compact(t, w.Registry) != want.registry {
			t.Errorf("round %d: as_of %s, registry %s; want %s and %s", round, got, w.Registry, want.as, want.registry)
		}
		if diff := cmp.Diff(want.miners, w.Miners); diff != "" {
			t.Errorf("round %d: miners (-want +got):\n%s", round, diff)
		}
		for request, statuses := range want.statuses {
			method, path, _ := strings.Cut(request, " ")
			for i, status := range statuses {
				if r := b.do(method, path, since(1)); r.status != status {
					t.Errorf("round %d: %s, time %d: %d, want %d", round, request, i, r.status, status)
				}
			}
		}
	}
}

// A case's failures may be final ones: who is answered so need not try again.
func TestCaseFailsFinally(t *testing.T) {
	t.Parallel()
	w := must.Get(readCase(t, caseFile).World(1))(t)
	if err := w.FailWith("418"); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("FailWith(418): %v, want an error with it", err)
	}
	must.Do(t, w.FailWith("400"))
	b := setup(t, mirrorsim.Config{World: w})
	for range 3 {
		if r := b.do(http.MethodPost, "/api/v1/miners/107/issues", since(1)); r.status != http.StatusBadRequest || !json.Valid([]byte(r.body)) {
			t.Errorf("a request that the case fails: %d %s, want 400 each time", r.status, r.body)
		}
	}
}

// A compressed case is the case.
func TestCaseCompressed(t *testing.T) {
	t.Parallel()
	data := must.Get(os.ReadFile(caseFile))(t)
	want := must.Get(json.Marshal(readCase(t, caseFile)))(t)
	for extension, compressor := range map[string]func(io.Writer) (io.WriteCloser, error){
		".gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		".zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	} {
		path := filepath.Join(t.TempDir(), "case.json"+extension)
		file := must.Get(os.Create(path))(t)
		defer file.Close()
		out, err := compressor(file)
		if err == nil {
			_, err = out.Write(data)
		}
		if err != nil || out.Close() != nil {
			t.Fatalf("compressing: %v", err)
		}
		if got, err := json.Marshal(readCase(t, path)); err != nil || string(got) != string(want) {
			t.Errorf("%s: error %v; got\n%s\nwant\n%s", extension, err, got, want)
		}
	}
}

func TestCaseRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"text.json":       {"hello", "text.json"},
		"empty.json":      {"{}", "no rounds"},
		"dateless.json":   {`{"registry":{},"rounds":[{}]}`, "as_of"},
		"never.json":      {`{"registry":{},"rounds":[{"as_of":"2026-06-18T18:54:00Z","fail_first":{"pulls:7":0}}]}`, "pulls:7 0: want 1 or more"},
		"short.json.gz":   {"x", "short.json.gz"},
		"short.json.zst":  {"xyz", "short.json.zst"},
		"nowhere/at.json": {"", "at.json"},
	} {
		path := filepath.Join(dir, name)
		if !strings.Contains(name, "/") {
			must.Do(t, os.WriteFile(path, []byte(c.text), 0o600))
		}
		if _, err := mirrorsim.ReadCase(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ReadCase(%s): %v, want an error with %q", name, err, c.want)
		}
	}
	for round, want := range map[int]string{-1: "round -1, want 0 to 2", 3: "round 3, want 0 to 2"} {
		if _, err := readCase(t, caseFile).World(round); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("World(%d): %v, want an error with %q", round, err, want)
		}
	}
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var buf bytes.Buffer
	must.Do(t, json.Compact(&buf, raw))
	return buf.String()
}
