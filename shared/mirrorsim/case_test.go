package mirrorsim_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring"
)

// caseData is a case file as far as these tests compare with it.
type caseData struct {
	Registry json.RawMessage `json:"registry"`
	Miners   []scoring.Miner `json:"miners"`
	Mirror   struct {
		Pulls       map[string][]json.RawMessage `json:"pulls"`
		Issues      map[string][]json.RawMessage `json:"issues"`
		OpenIssues  map[string][]json.RawMessage `json:"open_issues"`
		Files       map[string]json.RawMessage   `json:"files"`
		Maintainers map[string][]json.RawMessage `json:"maintainers"`
	} `json:"mirror"`
	Rounds []struct {
		AsOf   time.Time       `json:"as_of"`
		Miners []scoring.Miner `json:"miners"`
	} `json:"rounds"`
}

func readCase(t *testing.T, path string) caseData {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var in io.Reader
	if strings.HasSuffix(path, ".zst") {
		dec, err := zstd.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		defer dec.Close()
		in = dec
	} else if in, err = gzip.NewReader(file); err != nil {
		t.Fatal(err)
	}
	var data caseData
	if err := json.NewDecoder(in).Decode(&data); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

func caseWorld(t *testing.T, path string, round int) *mirrorsim.World {
	t.Helper()
	w, err := mirrorsim.Case(path, round)
	if err != nil {
		t.Fatalf("Case: %v", err)
	}
	return w
}

// A case's lists come as they stand in the file, byte for byte and in its
// order, whatever the windows and whether paged or not.
func TestCaseServesListsAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"testdata/case.json.gz", "testdata/case.json.zst"} {
		t.Run(filepath.Ext(path), func(t *testing.T) {
			t.Parallel()
			data, w := readCase(t, path), caseWorld(t, path, 0)
			b := setup(t, mirrorsim.Config{World: w})
			if !w.AsOf.Equal(data.Rounds[0].AsOf) || len(w.Miners) != len(data.Miners) {
				t.Errorf("as_of %s with %d miners, want %s with %d", w.AsOf, len(w.Miners), data.Rounds[0].AsOf, len(data.Miners))
			}
			future := `{"since_by_repo": {"no/such": "2999-01-01"}}`
			for id, want := range data.Mirror.Pulls {
				for _, query := range []string{"", "?limit=200", "?limit=2"} {
					b.wantList(http.MethodPost, "/api/v1/miners/"+id+"/pulls"+query, future, want)
				}
				b.wantList(http.MethodPost, "/api/v1/miners/"+id+"/issues?limit=3", future, data.Mirror.Issues[id])
				b.wantList(http.MethodGet, "/api/v1/miners/"+id+"/issues?limit=3", "", data.Mirror.OpenIssues[id])
			}
			for key, want := range data.Mirror.Files {
				name, number, _ := strings.Cut(key, "#")
				if r := b.do(http.MethodGet, "/api/v1/pulls/"+strings.ToUpper(name)+"/"+number+"/files", ""); r.body != string(want) {
					t.Errorf("files of %s: %d %.100s, want the file's own bytes", key, r.status, r.body)
				}
			}
			for repo, want := range data.Mirror.Maintainers {
				var answer struct {
					Maintainers []json.RawMessage `json:"maintainers"`
				}
				decode(t, b.do(http.MethodGet, "/api/v1/repos/"+repo+"/maintainers", "").body, &answer)
				wantSame(t, "maintainers of "+repo, want, answer.Maintainers)
			}
			if r := b.do(http.MethodGet, "/api/v1/pulls/no/such/1/files", ""); r.status != http.StatusNotFound {
				t.Errorf("files that the case does not have: %d, want 404", r.status)
			}
		})
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
	if len(got) != len(want) {
		t.Errorf("%s: %d items, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if string(got[i]) != string(want[i]) {
			t.Errorf("%s, item %d:\n%s\nwant\n%s", what, i, got[i], want[i])
		}
	}
}

// A later round fails its own requests for good, has its own miners, and
// marks those whose identity cannot be looked up.
func TestCaseRound(t *testing.T) {
	t.Parallel()
	data, w := readCase(t, "testdata/case.json.gz"), caseWorld(t, "testdata/case.json.gz", 1)
	b := setup(t, mirrorsim.Config{World: w})
	if !w.AsOf.Equal(data.Rounds[1].AsOf) {
		t.Errorf("as_of %s, want %s", w.AsOf, data.Rounds[1].AsOf)
	}
	for i, m := range w.Miners {
		want := data.Rounds[1].Miners[i]
		want.IdentityUnreachable = want.UID == 128 || want.UID == 138
		if m != want {
			t.Errorf("miner %+v, want %+v", m, want)
		}
	}
	for request, want := range map[string]int{
		"POST /api/v1/miners/73606743/issues":        500,
		"POST /api/v1/miners/48964043/issues":        200,
		"GET /api/v1/miners/73606743/issues":         200,
		"POST /api/v1/miners/73606743/pulls":         200,
		"GET /api/v1/pulls/inlet/delta-0/8/files":    500,
		"GET /api/v1/pulls/lagoon/harbor-1/12/files": 500,
		"GET /api/v1/pulls/inlet/delta-0/1/files":    200,
	} {
		method, path, _ := strings.Cut(request, " ")
		for range 4 {
			if r := b.do(method, path, since(1)); r.status != want {
				t.Errorf("%s: %d, want %d each time", request, r.status, want)
			}
		}
	}
}

// A case's failures may be final ones: who is answered so need not try again.
func TestCaseFailsFinally(t *testing.T) {
	t.Parallel()
	w := caseWorld(t, "testdata/case.json.gz", 1)
	if err := w.FailWith("418"); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("FailWith(418): %v, want an error with it", err)
	}
	if err := w.FailWith("400"); err != nil {
		t.Fatal(err)
	}
	b := setup(t, mirrorsim.Config{World: w})
	for range 3 {
		if r := b.do(http.MethodPost, "/api/v1/miners/73606743/issues", since(1)); r.status != http.StatusBadRequest || !json.Valid([]byte(r.body)) {
			t.Errorf("a request that the case fails: %d %s, want 400 each time", r.status, r.body)
		}
	}
	if r := b.do(http.MethodPost, "/api/v1/miners/73606743/pulls", since(1)); r.status != http.StatusOK {
		t.Errorf("another one: %d, want 200", r.status)
	}
}

func TestCaseRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		path  string
		round int
		want  string
	}{
		{filepath.Join(dir, "none.json"), 0, "none.json"},
		{write("text.json", "hello"), 0, "text.json"},
		{write("empty.json", "{}"), 0, "no rounds"},
		{write("dateless.json", `{"registry":{},"rounds":[{}]}`), 0, "as_of"},
		{write("short.json.gz", "x"), 0, "short.json.gz"},
		{write("short.json.zst", "xyz"), 0, "short.json.zst"},
		{"testdata/case.json.gz", 2, "round 2, want 0 to 1"},
		{"testdata/case.json.gz", -1, "round -1, want 0 to 1"},
	} {
		if _, err := mirrorsim.Case(tc.path, tc.round); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Case(%s, %d): %v, want an error with %q", tc.path, tc.round, err, tc.want)
		}
	}
}
