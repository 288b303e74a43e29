package mirror_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// The minimal items: the validator accepts them without any other field.
const (
	minimalPull  = `"repo_full_name":"a/b","pr_number":1,"state":"OPEN","author_github_id":7,"created_at":"2026-01-02T03:04:05Z"`
	minimalIssue = `"repo_full_name":"a/b","issue_number":1,"state":"OPEN"`
	minimalFile  = `"filename":"f","status":"added"`
	solvingPull  = `"pr_number":1,"author_github_id":7,"state":"MERGED"`
	linkedIssue  = `"number":1,"state":"CLOSED"`
)

// onePull decodes a list of one pull request: the minimal one with more fields. A
// repeated field replaces the first.
func onePull(t *testing.T, more string) (pr scoring.PullRequest, malformed string) {
	t.Helper()
	answer, err := mirror.DecodePullRequests([]byte(`{"github_id":"7","pull_requests":[{` + minimalPull + comma(more) + `}]}`))
	return one(t, answer, err)
}

func oneIssue(t *testing.T, more string) (issue scoring.Issue, malformed string) {
	t.Helper()
	answer, err := mirror.DecodeIssues([]byte(`{"github_id":"7","issues":[{` + minimalIssue + comma(more) + `}]}`))
	return one(t, answer, err)
}

func oneFile(t *testing.T, more string) (file tokens.File, malformed string) {
	t.Helper()
	files, err := mirror.DecodeFiles([]byte(`{"repo_full_name":"a/b","pr_number":1,"files":[{` + minimalFile + comma(more) + `}]}`))
	return one(t, mirror.Answer[tokens.File]{Items: files.Files, Malformed: files.Malformed}, err)
}

func comma(more string) string {
	if more == "" {
		return ""
	}
	return "," + more
}

func one[T any](t *testing.T, answer mirror.Answer[T], err error) (item T, malformed string) {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case len(answer.Items)+len(answer.Malformed) != 1:
		t.Fatalf("got %+v, want one item or one malformed", answer)
	case len(answer.Malformed) == 1:
		return item, answer.Malformed[0].Error
	}
	return answer.Items[0], ""
}

// These are the items that the validator drops, and those that it accepts. They were
// found by giving it every field deleted, and replaced by values of every type: 3,228
// items. The two items that it accepts and this client does not are marked.
func TestWhatIsMalformed(t *testing.T) {
	t.Parallel()
	pull := func(more string) string { _, m := onePull(t, more); return m }
	issue := func(more string) string { _, m := oneIssue(t, more); return m }
	file := func(more string) string { _, m := oneFile(t, more); return m }
	for _, c := range []struct {
		decode func(string) string
		field  string
		good   []string
		bad    []string
	}{
		{pull, "repo_full_name", []string{`"A/B"`, `""`}, []string{`null`, `5`, `[]`, `true`}},
		{pull, "pr_number", []string{`5`, `"5"`, `" 5 "`, `5.0`, `"1_000"`, `"+3"`}, []string{`null`, `"x"`, `1.5`, `true`}}, // the validator takes them
		{pull, "title", []string{`null`, `5`, `{}`}, nil},
		{pull, "state", []string{`null`, `5`, `"ODD"`}, nil},
		{pull, "author_github_id", []string{`null`, `5`, `"x"`, `{}`, `1234567890123456789012`}, nil},
		{pull, "created_at", []string{`"2026-01-02"`}, []string{`null`, `""`, `5`, `"soon"`, `false`}},
		{pull, "merged_at", []string{`null`, `""`, `0`, `false`, `[]`, `{}`}, []string{`5`, `" "`, `"soon"`, `true`, `[1]`, `"2026-13-01"`}},
		{pull, "closed_at", []string{`null`}, []string{`"soon"`}},
		{pull, "last_edited_at", []string{`null`}, []string{`"soon"`}},
		{pull, "hours_since_merge", []string{`null`, `"x"`, `[]`}, nil},
		{pull, "body", []string{`null`, `5`, `[]`}, nil},
		{pull, "head_repo_full_name", []string{`null`, `""`, `0`, `false`, `[]`}, []string{`5`, `true`, `["a"]`}},
		{pull, "head_sha", []string{`null`, `5`, `[]`}, nil},
		{pull, "additions", []string{`0`, `1.9`, `"5"`, `true`, `1e300`, `-0`}, []string{`null`, `""`, `"1.5"`, `"x"`, `[]`, `{}`, `1e999`, `"__1"`, `"1__0"`}},
		{pull, "deletions", []string{`0`}, []string{`null`}},
		{pull, "commits_count", []string{`0`}, []string{`null`}},
		{pull, "scoring_data_stored", []string{`null`, `5`, `"x"`, `[]`}, nil},
		{pull, "review_summary", []string{`null`, `{}`, `[]`, `""`, `0`, `{"approved_count":null}`}, []string{`[1]`, `"x"`, `5`, `true`}},
		{pull, "labels", []string{`null`, `[]`, `{}`, `""`, `0`, `[{"name":null}]`, `[{"name":5}]`}, []string{`[{}]`, `["x"]`, `[null]`, `"x"`, `5`, `{"name":"x"}`, `[[]]`}},
		{pull, "linked_issues", []string{
			`null`, `[]`, `[{` + linkedIssue + `}]`, `[{"number":null,"state":null}]`, `[{` + linkedIssue + `,"solved_by_pr":"x"}]`,
			`[{` + linkedIssue + `,"created_at":""}]`, `[{` + linkedIssue + `,"author_github_id":[]}]`,
		}, []string{
			`[{"number":1}]`, `[{"state":"OPEN"}]`, `[null]`, `["x"]`, `[{` + linkedIssue + `,"updated_at":"x"}]`, `[{` + linkedIssue + `,"labels":[{}]}]`,
		}},
		{issue, "repo_full_name", []string{`""`}, []string{`null`}},
		{issue, "issue_number", []string{`5`, `"5"`}, []string{`null`, `"x"`}}, // the validator takes them
		{issue, "author_github_id", []string{`null`, `5`}, nil},
		{issue, "created_at", []string{`null`, `""`}, []string{`"x"`}},
		{issue, "updated_at", []string{`null`}, []string{`"x"`}},
		{issue, "labels", []string{`null`}, []string{`[{}]`}},
		{issue, "solved_by_pr", []string{`null`, `"x"`, `[]`}, nil},
		{issue, "solving_pr", []string{`null`, `{}`, `0`, `""`, `{` + solvingPull + `}`}, []string{
			`[1]`, `"x"`, `{"pr_number":1}`, `{` + solvingPull + `,"merged_at":"x"}`, `{` + solvingPull + `,"labels":[{}]}`,
			`{` + solvingPull + `,"head_repo_full_name":5}`, `{` + solvingPull + `,"review_summary":"x"}`,
		}},
		{file, "filename", []string{`""`, `"a/é"`}, []string{`null`, `5`}}, // the validator takes them
		{file, "status", []string{`null`, `5`, `"odd"`}, nil},
		{file, "changes", []string{`5`}, []string{`null`, `"x"`}},
		{file, "is_binary", []string{`null`, `5`}, nil},
		{file, "byte_size", []string{`null`, `-1`, `"x"`, `1e99`, `{}`}, nil},
		{file, "byte_size", []string{`null`, `"x"`}, nil},
		{file, "head_content", []string{`null`, `5`, `""`}, nil},
	} {
		for _, value := range c.good {
			if got := c.decode(fmt.Sprintf("%q:%s", c.field, value)); got != "" {
				t.Errorf("%s %s: malformed (%s), want it taken", c.field, value, got)
			}
		}
		for _, value := range c.bad {
			if got := c.decode(fmt.Sprintf("%q:%s", c.field, value)); !strings.Contains(got, c.field) && !strings.Contains(value, "{") {
				t.Errorf("%s %s: got malformed %q, want an error that names the field", c.field, value, got)
			} else if got == "" {
				t.Errorf("%s %s: taken, want it malformed", c.field, value)
			}
		}
	}
}

func TestWhatMustBeThere(t *testing.T) {
	t.Parallel()
	for item, decode := range map[string]func(string) int{
		minimalPull: func(s string) int {
			a, _ := mirror.DecodePullRequests([]byte(`{"github_id":"7","pull_requests":[{` + s + `}]}`))
			return len(a.Items)
		},
		minimalIssue: func(s string) int {
			a, _ := mirror.DecodeIssues([]byte(`{"github_id":"7","issues":[{` + s + `}]}`))
			return len(a.Items)
		},
		minimalFile: func(s string) int {
			a, _ := mirror.DecodeFiles([]byte(`{"repo_full_name":"a/b","pr_number":1,"files":[{` + s + `}]}`))
			return len(a.Files)
		},
		`"github_id":1,"association":"OWNER"`: func(s string) int {
			a, _ := mirror.DecodeMaintainers([]byte(`{"repo_full_name":"a/b","maintainers":[{` + s + `}]}`))
			return len(a.Items)
		},
	} {
		if decode(item) != 1 {
			t.Errorf("%s: malformed, want it taken", item)
		}
		fields := strings.Split(item, `,"`)
		for i := range fields {
			less := strings.Join(append(append([]string(nil), fields[:i]...), fields[i+1:]...), `,"`)
			if !strings.HasPrefix(less, `"`) {
				less = `"` + less
			}
			if decode(less) != 0 {
				t.Errorf("%s: taken, want it malformed", less)
			}
		}
	}
}

func TestWhatOddValuesBecome(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]string{
		`"author_github_id":null`:                        `{"author_id":"None"}`,
		`"author_github_id":true`:                        `{"author_id":"True"}`,
		`"author_github_id":12345678901234567890`:        `{"author_id":"12345678901234567890"}`,
		`"title":5,"base_ref":[],"author_association":1`: `{}`,
		`"scoring_data_stored":"false"`:                  `{"scoring_data_stored":true}`, // Python's truth
		`"scoring_data_stored":[ ]`:                      `{}`,
		`"edited_after_merge":0e5`:                       `{}`,
		`"edited_after_merge":{"a":1}`:                   `{"edited_after_merge":true}`,
		`"review_summary":{"maintainer_changes_requested_count":"2","approved_count":null}`: `{"approved_count":-1}`, // a text is not multiplied with
		`"review_summary":{"maintainer_changes_requested_count":true}`:                      `{"maintainer_changes_requested_count":1}`,
		`"review_summary":{"maintainer_changes_requested_count":2.5}`:                       `{"maintainer_changes_requested_count":2}`,
		`"review_summary":{"maintainer_changes_requested_count":18446744073709551617}`:      `{"maintainer_changes_requested_count":2147483647}`,
		`"review_summary":{"maintainer_changes_requested_count":null}`:                      `{}`,
		`"review_summary":{"approved_count":"0"}`:                                           `{"approved_count":-1}`, // no number: not 0
		`"review_summary":{"approved_count":0.0}`:                                           `{}`,
		`"review_summary":{"approved_count":0.5}`:                                           `{"approved_count":1}`,
		`"review_summary":{"approved_count":false}`:                                         `{}`,
		`"author_login":null`: `{}`, // nobody compares it
		`"linked_issues":[{"number":1,"state":"OPEN","author_github_id":""}]`: `{"linked_issues":[{"number":1,"state":"OPEN","author_id":""}]}`,
		`"labels":[{"name":null}]`: `{"labels":[{"name":""}]}`,
		`"linked_issues":[{"number":null,"state":5,"solved_by_pr":"x"},{"number":"2","state":"OPEN","solved_by_pr":""}]`: `{"linked_issues":[{"number":0,"state":"","solved_by_pr":-1},{"number":2,"state":"OPEN","solved_by_pr":0}]}`,
		`"t\u0069tle":"escaped key"`: `{"title":"escaped key"}`,
		`"Title":"another key"`:      `{}`,
		`"title":"\ud83d\ude00 \ud800 \udc00\u0041 \"\\\/\b\f\n\r\t\u0000"`: `{"title":"😀 � �A \"\\/\b\f\n\r\t\u0000"}`,
		"\"title\":\"\xff\xe2\x82x\xf0\x9f\x98\"":                           `{"title":"��x�"}`, // as Python's errors="replace"
	} {
		pr, malformed := onePull(t, more)
		if malformed != "" {
			t.Errorf("%s: malformed: %s", more, malformed)
			continue
		}
		plain, _ := onePull(t, "")
		must.Do(t, json.Unmarshal([]byte(want), &plain))
		if pr.AuthorID == "7" {
			plain.AuthorID = "7"
		}
		check(t, more, nil, pr, plain)
	}
}

// A solving pull request without a base comes from an older mirror. One whose base has no
// name went to no branch that counts. The two must stay apart.
func TestTheBaseOfASolver(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]*string{
		``:                   nil,
		`,"base_ref":null`:   nil,
		`,"base_ref":""`:     new(""),
		`,"base_ref":[]`:     new(""), // Python's falsehood
		`,"base_ref":"main"`: new("main"),
	} {
		issue, malformed := oneIssue(t, `"solving_pr":{`+solvingPull+more+`}`)
		if malformed != "" {
			t.Errorf("%s: malformed: %s", more, malformed)
			continue
		}
		check(t, more, nil, issue.Solving.BaseRef, want)
	}
}

// A solving pull request whose number is not a number can never be fetched. Its issue
// still counts.
func TestTheNumberOfASolver(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]int{`7`: 7, `"7"`: 7, `7.0`: 7, `0`: 0, `null`: -1, `"x"`: -1, `1.5`: -1, `true`: -1, `[]`: -1} {
		issue, malformed := oneIssue(t, `"solving_pr":{`+solvingPull+`,"pr_number":`+number+`}`)
		if malformed != "" {
			t.Errorf("%s: malformed: %s", number, malformed)
			continue
		}
		check(t, number, nil, issue.Solving.Number, want)
	}
	if _, malformed := oneIssue(t, `"solving_pr":{"author_github_id":7,"state":"MERGED"}`); malformed == "" {
		t.Error("no number at all: taken, want it malformed")
	}
}

// A merge into a branch that cannot be compared with the default one is malformed. For
// other states nothing compares the branch.
func TestDefaultBranchesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"MERGED", "OPEN"} {
		for value, bad := range map[string]bool{`"x"`: false, `null`: false, `""`: false, `[]`: false, `5`: true, `["main"]`: true} {
			_, malformed := onePull(t, `"state":"`+state+`","default_branch":`+value)
			if want := bad && state == "MERGED"; (malformed != "") != want {
				t.Errorf("%s, %s: malformed %q, want %v", state, value, malformed, want)
			}
		}
	}
}

// A merge is compared by its logins, so one with unusable logins is malformed. For an
// open pull request nothing compares them.
func TestLoginsThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	for more, bad := range map[string]bool{
		`"merged_by_login":"a","author_login":"a"`:  false,
		`"merged_by_login":"a"`:                     false, // an absent login is empty
		`"merged_by_login":"a","author_login":null`: true,
		`"merged_by_login":"a","author_login":5`:    true,
		`"merged_by_login":5,"author_login":"a"`:    true,
		`"merged_by_login":["a"]`:                   true,
		`"merged_by_login":null,"author_login":5`:   false,
		`"merged_by_login":"","author_login":null`:  false,
	} {
		for _, state := range []string{"MERGED", "OPEN"} {
			_, malformed := onePull(t, `"state":"`+state+`",`+more)
			if want := bad && state == "MERGED"; (malformed != "") != want {
				t.Errorf("%s, %s: malformed %q, want %v", state, more, malformed, want)
			}
		}
	}
}

// A fault of the answer itself fails all of it.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	pulls := func(s string) error { _, err := mirror.DecodePullRequests([]byte(s)); return err }
	files := func(s string) error { _, err := mirror.DecodeFiles([]byte(s)); return err }
	maintainers := func(s string) error { _, err := mirror.DecodeMaintainers([]byte(s)); return err }
	for _, c := range []struct {
		decode    func(string) error
		good, bad []string
	}{
		{
			pulls,
			[]string{` {"github_id":null} `, `{"github_id":1,"pull_requests":null,"since":"","next_cursor":""}`},
			[]string{
				``, `null`, `[]`, `5`, `{}`, `{"github_id":1`, `{"github_id":1}{}`, `{"github_id":1,"since":"x"}`, `{"github_id":1,"generated_at":5}`,
				`{"github_id":1,"pull_requests":"x"}`, `{"github_id":1,"pull_requests":{"a":1}}`, `{"github_id":NaN}`, "{\"github_id\":\"\n\"}",
			},
		},
		{
			files,
			[]string{`{"repo_full_name":"a/b","pr_number":"1"}`, `{"repo_full_name":"A/B","pr_number":1.5,"files":0}`},
			[]string{`{"pr_number":1}`, `{"repo_full_name":"a/b"}`, `{"repo_full_name":null,"pr_number":1}`, `{"repo_full_name":"a/b","pr_number":null}`, `{"repo_full_name":"a/c","pr_number":1}`, `{"repo_full_name":"a/b","pr_number":2}`},
		},
		{maintainers, []string{`{"repo_full_name":"a/b"}`}, []string{`{}`, `{"repo_full_name":5}`, `{"repo_full_name":"a/c"}`, `{"repo_full_name":"a/b","maintainers":5}`}},
	} {
		for _, s := range c.good {
			if err := c.decode(s); err != nil {
				t.Errorf("%s: got %v, want an answer", s, err)
			}
		}
		for _, s := range c.bad {
			if err := c.decode(s); err == nil {
				t.Errorf("%s: taken, want an error", s)
			}
		}
	}
}

// These dates are read as the validator's parser reads them.
func TestInstants(t *testing.T) {
	t.Parallel()
	const form = "2006-01-02T15:04:05.000000"
	for s, want := range map[string]string{
		"2024-01-15T10:30:00Z": "2024-01-15T10:30:00.000000", "2024-01-15 10:30:00.123456+02:00": "2024-01-15T08:30:00.123456",
		"20240115T103000Z": "2024-01-15T10:30:00.000000", "2024-01-15": "2024-01-15T00:00:00.000000", "2024-01-15T10:30:00,5-0130": "2024-01-15T12:00:00.500000",
		"2024-01-15T10": "2024-01-15T10:00:00.000000", "2024-01-15T10:30:00.1234567Z": "2024-01-15T10:30:00.123456", "2024-02-29T23:59:59.999999Z": "2024-02-29T23:59:59.999999",
		"2024-01-15T10:30:00+05:30:15": "2024-01-15T04:59:45.000000", "2024-01-15é10:30": "2024-01-15T10:30:00.000000", "\t2024-01-15T10:30:00\n": "2024-01-15T10:30:00.000000",
		"0001-01-01T00:00:00Z": "0001-01-01T00:00:00.000000",
		// These are no dates.
		"": "", "2024": "", "2024-1-5": "", "2024-13-01": "", "2023-02-29": "", "0000-01-01": "", "2024-01-15T": "", "2024-01-15T24:00:00Z": "",
		"2024-01-15T10:30:60Z": "", "2024-01-15T5:04:05Z": "", "2024-01-15T10:30:00+24:00": "", "2024-01-15T10:30:00z": "", "2024-01-15T10:3000": "",
		"2024-01-15T10:30:00+-1:00": "", "0001-01-01T00:00:00+01:00": "", "9999-12-31T23:59:59-01:00": "", "2024-W03-1": "",
	} {
		got := ""
		if t, err := mirror.Instant(s); err == nil {
			got = t.Format(form)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	if first, err := mirror.Instant("0001-01-01T00:00:00Z"); err != nil || first.IsZero() {
		t.Errorf("the first instant: got %v, %v; want one that does not pass for none", first, err)
	}
}
