package mirror_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"mirrorfleet/shared/mirror"
)

// hostile are items that have broken other parsers.
var hostile = []string{
	``, `null`, `5`, `"x"`, `[]`, `{}`, `[[[[]]]]`, `{"a":{"b":[{"c":"}]\"\\"}]}}`, `"\\"`, `"\\\""`, `{"\u0066ilename":"x"}`, ` { } `,
	`{"repo_full_name":null,"pr_number":[],"labels":[{}],"linked_issues":[null]}`,
	`{"repo_full_name":"A/B","pr_number":-0,"state":"x","author_github_id":1e9,"created_at":"2026-01-02","labels":[ ],"solving_pr":{"a":[]}}`,
	`{"filename":"\ud800","status":"\u0000","additions":1e400}`, `"` + "\xff\xf0\x9f" + `"`, `{"github_id":true,"association":[]}`,
}

// beside fuzzes one item next to a valid one. The valid one is always read, the other one
// is read or reported, and nothing panics. Only input that is not JSON fails the whole
// answer.
func beside(f *testing.F, before, valid, after string, decode func([]byte) (items, malformed int, last bool, err error)) {
	f.Helper()
	for _, item := range hostile {
		f.Add([]byte(item))
	}
	f.Add([]byte(valid))
	f.Fuzz(func(t *testing.T, item []byte) {
		answer := bytes.Join([][]byte{[]byte(before), item, []byte("," + valid + after)}, nil)
		items, malformed, last, err := decode(answer)
		if !json.Valid(answer) {
			if err == nil {
				t.Fatalf("%q: taken, want it refused: it is not JSON", answer)
			}
			return
		}
		if !json.Valid(item) {
			return // it changes the answer around it
		}
		if err != nil {
			t.Fatalf("%q beside a valid item: %v, want the answer read", item, err)
		}
		if items+malformed != 2 || !last {
			t.Fatalf("%q: got %d items and %d malformed, the valid one last: %t; want both, and the valid one", item, items, malformed, last)
		}
	})
}

func FuzzPullRequests(f *testing.F) {
	const valid = `{` + minimalPull + `,"title":"the valid one"}`
	beside(f, `{"github_id":7,"pull_requests":[`, valid, `]}`, func(data []byte) (int, int, bool, error) {
		a, err := mirror.DecodePullRequests(data)
		return len(a.Items), len(a.Malformed), len(a.Items) > 0 && a.Items[len(a.Items)-1].Title == "the valid one", err
	})
}

func FuzzIssues(f *testing.F) {
	const valid = `{` + minimalIssue + `,"title":"the valid one"}`
	beside(f, `{"github_id":7,"issues":[`, valid, `]}`, func(data []byte) (int, int, bool, error) {
		a, err := mirror.DecodeIssues(data)
		return len(a.Items), len(a.Malformed), len(a.Items) > 0 && a.Items[len(a.Items)-1].Title == "the valid one", err
	})
}

func FuzzFiles(f *testing.F) {
	const valid = `{"filename":"the valid one","status":"added","head_content":"a\nb"}`
	beside(f, `{"repo_full_name":"a/b","pr_number":1,"files":[`, valid, `]}`, func(data []byte) (int, int, bool, error) {
		a, err := mirror.DecodeFiles(data)
		last := len(a.Files) > 0 && a.Files[len(a.Files)-1].Filename == "the valid one" && *a.Files[len(a.Files)-1].Head == "a\nb"
		return len(a.Files), len(a.Malformed), last, err
	})
}

func FuzzMaintainers(f *testing.F) {
	const valid = `{"github_id":7,"login":"the valid one","association":"OWNER"}`
	beside(f, `{"repo_full_name":"a/b","maintainers":[`, valid, `]}`, func(data []byte) (int, int, bool, error) {
		a, err := mirror.DecodeMaintainers(data)
		return len(a.Items), len(a.Malformed), len(a.Items) > 0 && a.Items[len(a.Items)-1].Login == "the valid one", err
	})
}

// FuzzTexts compares the texts of a file with those of encoding/json, for valid UTF-8,
// where both promise the same.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{`""`, `"\ud83d\ude00\ud800x\udc00\\\"\/\b\f\n\r\t\u00e9"`, `"é\n€"`, `"\\\\\""`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want string
		if json.Unmarshal(text, &want) != nil || !bytes.Equal(text, bytes.ToValidUTF8(text, nil)) || bytes.HasPrefix(bytes.TrimSpace(text), []byte("null")) {
			return
		}
		got, err := mirror.DecodeFiles([]byte(`{"repo_full_name":"a/b","pr_number":1,"files":[{` + minimalFile + `,"head_content":` + string(text) + `}]}`))
		if err != nil || len(got.Files) != 1 || got.Files[0].Head == nil || *got.Files[0].Head != want {
			t.Fatalf("%s: got %+v, %v, want %q", text, got, err, want)
		}
	})
}

// FuzzInstant: a date is within Python's years, to the microsecond. Go writes it as a
// text that reads back as the same date.
func FuzzInstant(f *testing.F) {
	for _, s := range []string{"2024-01-15T10:30:00Z", "20240115 103000,5+05:30:15", "2024-01-15", "9999-12-31T23:59:59-01:00", "2024-01-15é10", "Z", "-", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := mirror.Instant(s)
		if err != nil {
			return
		}
		if at.Year() < 1 || at.Year() > 9999 || at.Location() != time.UTC || at.Nanosecond()%1000 != 0 {
			t.Fatalf("%q: got %s, want UTC within the years 1 to 9999, to the microsecond", s, at)
		}
		if again, err := mirror.Instant(at.Format(time.RFC3339Nano)); err != nil || !again.Equal(at) {
			t.Fatalf("%q: read as %s, and that as %s, %v", s, at, again, err)
		}
	})
}
