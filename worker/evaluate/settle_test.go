package evaluate_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/evaluate"
)

// file is a file of an answer with both texts, which adds one line.
func file(change func(*tokens.File)) tokens.File {
	f := tokens.File{Filename: "a.go", Status: "modified", Additions: 1, Changes: 1, Head: new("b"), Base: new("a")}
	if change != nil {
		change(&f)
	}
	return f
}

// What makes a files answer inconsistent, and what does not.
func TestInconsistentAnswers(t *testing.T) {
	t.Parallel()
	list := evaluate.Counted{Known: true, Head: "h", Additions: 1}
	none := evaluate.Counted{Known: true, Head: "h"}
	issue := evaluate.Counted{} // a solving pull request that only an issue names
	for _, c := range []struct {
		name  string
		list  evaluate.Counted
		files []tokens.File
		want  string
	}{
		{"all there", list, []tokens.File{file(nil)}, ""},
		{"no files", list, nil, "no files"},
		{"no files of none", none, nil, ""},
		{"no files, no counts", issue, nil, "no files"},
		{"no counts", issue, []tokens.File{file(nil)}, ""},
		{"a file less", evaluate.Counted{Known: true, Head: "h", Additions: 2}, []tokens.File{file(nil)}, "add 1 and delete 0 lines, the list says 2 and 0"},
		{"other deletions", evaluate.Counted{Known: true, Head: "h", Additions: 1, Deletions: 3}, []tokens.File{file(nil)}, "the list says 1 and 3"},
		{"counts of another head", evaluate.Counted{Known: true, Head: "g", Additions: 9}, []tokens.File{file(nil)}, ""},
		{"no head text", list, []tokens.File{file(func(f *tokens.File) { f.Head = nil })}, "a.go has no head text"},
		{"no base text", list, []tokens.File{file(func(f *tokens.File) { f.Base = nil })}, "a.go has no base text"},
		{"no text of an issue's", issue, []tokens.File{file(func(f *tokens.File) { f.Base = nil })}, "no base text"},
		{"added", list, []tokens.File{file(func(f *tokens.File) { f.Status, f.Base = "added", nil })}, ""},
		{"removed", list, []tokens.File{file(func(f *tokens.File) { f.Status, f.Head = "removed", nil })}, ""},
		{"renamed without base", list, []tokens.File{file(func(f *tokens.File) { f.Status, f.Base = "renamed", nil })}, "no base text"},
		{"binary", list, []tokens.File{file(func(f *tokens.File) {
			f.Binary = true
			f.Head = nil
			f.Base = nil
		})}, ""},
		{"as large as a text may be", list, []tokens.File{file(func(f *tokens.File) { f.ByteSize, f.Head = new(1_000_000), nil })}, "no head text"},
		{"larger", list, []tokens.File{file(func(f *tokens.File) {
			f.ByteSize = new(1_000_001)
			f.Head = nil
			f.Base = nil
		})}, ""},
		{"a file twice", evaluate.Counted{Known: true, Head: "h", Additions: 2}, []tokens.File{file(nil), file(nil)}, "a.go is in it twice"},
		{"a negative count", list, []tokens.File{file(func(f *tokens.File) { f.Additions, f.Deletions = 2, -1 })}, "a.go adds 2 and deletes -1 lines"},
		{"an empty text of a size", list, []tokens.File{file(func(f *tokens.File) { f.ByteSize, f.Head = new(9), new("") })}, "a.go has no head text"},
		{"empty texts", list, []tokens.File{file(func(f *tokens.File) {
			f.ByteSize = new(0)
			f.Head = new("")
			f.Base = new("")
		})}, ""},
	} {
		got := evaluate.Inconsistency(c.list, evaluate.AnsweredBy(&mirror.Files{HeadSHA: "h", Stored: true, Files: c.files}))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	skipped := &mirror.Files{HeadSHA: "h", Stored: true, Malformed: []job.Malformed{{Item: "file 1"}}}
	if got := evaluate.Inconsistency(list, evaluate.AnsweredBy(skipped)); got != "" {
		t.Errorf("a file was skipped: got %q, want sums not to be compared", got)
	}
}

// An answer settles by agreeing with its list an hour after the merge, or by
// coming back byte for byte an hour later; until then it leaves a sighting.
func TestAnswersSettle(t *testing.T) {
	t.Parallel()
	list := evaluate.Counted{Known: true, Head: "h", Additions: 1, MergedAt: asOf.Add(-time.Hour)}
	answer := func(change func(*mirror.Files)) *mirror.Files {
		a := &mirror.Files{HeadSHA: "h", Stored: true, Digest: "d", Files: []tokens.File{file(nil)}}
		if change != nil {
			change(a)
		}
		return a
	}
	lessFiles := answer(func(a *mirror.Files) { a.Files = nil })
	seen := func(before time.Duration, digest string) *scorecache.Sighting {
		return &scorecache.Sighting{Digest: digest, At: asOf.Add(-before)}
	}
	for _, c := range []struct {
		name         string
		list         evaluate.Counted
		answer       *mirror.Files
		earlier      *scorecache.Sighting
		inconsistent bool
		keep         bool
		remembered   bool
	}{
		{"consistent, an hour after the merge", list, answer(nil), nil, false, true, false},
		{"consistent, not merged", evaluate.Counted{Known: true, Head: "h", Additions: 1}, answer(nil), nil, false, true, false},
		{"consistent, just merged", evaluate.Counted{Known: true, Head: "h", Additions: 1, MergedAt: asOf.Add(time.Second - time.Hour)}, answer(nil), nil, false, false, true},
		{"merged in the future, by another clock", evaluate.Counted{Known: true, Head: "h", Additions: 1, MergedAt: asOf.Add(time.Minute)}, answer(nil), nil, false, false, true},
		{"the mirror says that it is not all", list, answer(func(a *mirror.Files) { a.Stored = false }), seen(2*time.Hour, "d"), true, false, false},
		{"the mirror says so of another than was seen", list, answer(func(a *mirror.Files) { a.Stored = false }), seen(2*time.Hour, "e"), true, false, true},
		{"consistent, just merged, another was seen", evaluate.Counted{Known: true, Head: "h", Additions: 1, MergedAt: asOf}, answer(nil), seen(2*time.Hour, "e"), false, false, true},
		{"inconsistent", list, lessFiles, nil, true, false, true},
		{"inconsistent, seen just before", list, lessFiles, seen(time.Hour-time.Second, "d"), true, false, false},
		{"inconsistent, seen an hour before", list, lessFiles, seen(time.Hour, "d"), false, true, false},
		{"inconsistent, another was seen", list, lessFiles, seen(2*time.Hour, "e"), true, false, true},
		{"inconsistent, seen in the future: the clock was set back", list, lessFiles, seen(-time.Hour, "d"), true, false, true},
		{"an issue's", evaluate.Counted{MergedAt: list.MergedAt}, answer(nil), nil, false, false, true},
		{"an issue's, seen an hour before", evaluate.Counted{MergedAt: list.MergedAt}, answer(nil), seen(time.Hour, "d"), false, true, false},
		{"another head's", list, answer(func(a *mirror.Files) { a.HeadSHA = "g" }), nil, false, false, true},
		{"seen before the merge, and just merged", evaluate.Counted{MergedAt: asOf}, answer(nil), seen(3*time.Hour, "d"), false, false, false},
	} {
		v := evaluate.Settle(c.list, evaluate.AnsweredBy(c.answer), c.earlier, asOf)
		if (v.Inconsistent != "") != c.inconsistent || v.Keep != c.keep || (v.Sighting != nil) != c.remembered {
			t.Errorf("%s: got %+v, want inconsistent %v, kept %v, remembered %v", c.name, v, c.inconsistent, c.keep, c.remembered)
		}
		if v.Sighting != nil && (v.Sighting.Digest != "d" || !v.Sighting.At.Equal(asOf)) {
			t.Errorf("%s: remembered %+v, want this answer at this instant", c.name, v.Sighting)
		}
	}
}
