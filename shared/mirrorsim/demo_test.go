package mirrorsim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring"
)

// round is everything that a fleet would load from a world.
type round struct {
	registry map[string]map[string]any
	pulls    map[string][]mirrorsim.Pull // by GitHub id
	broken   []string
	issues   []mirrorsim.Issue
	open     []mirrorsim.Issue
	files    map[string]mirrorsim.Files // by owner/repo#n
	requests int                        // for pulls, files and maintainers
}

// load asks for everything, as a round does; retried requests count.
func load(t *testing.T, b *bundle, w *mirrorsim.World) round {
	t.Helper()
	r := round{pulls: map[string][]mirrorsim.Pull{}, files: map[string]mirrorsim.Files{}}
	if err := json.Unmarshal(w.Registry, &r.registry); err != nil {
		t.Fatalf("registry: %v", err)
	}
	body := windowsOf(t, r.registry, w.AsOf)
	for repo, settings := range r.registry {
		if settings["maintainer_cut"] != nil {
			b.must(&r, http.MethodGet, "/api/v1/repos/"+repo+"/maintainers", "")
		}
	}
	for _, m := range w.Miners {
		if m.UID == 0 || m.Token != scoring.TokenValid {
			continue
		}
		path := "/api/v1/miners/" + m.GitHubID
		var answer listAnswer
		decode(t, b.must(&r, http.MethodPost, path+"/pulls?limit=200", body), &answer)
		for _, raw := range answer.PullRequests {
			var pull mirrorsim.Pull
			if err := json.Unmarshal(raw, &pull); err != nil {
				r.broken = append(r.broken, string(raw))
				continue
			}
			r.pulls[m.GitHubID] = append(r.pulls[m.GitHubID], pull)
			if fetched(pull) {
				var files mirrorsim.Files
				name := fmt.Sprintf("%s/%d", pull.RepoFullName, pull.Number)
				decode(t, b.must(&r, http.MethodGet, "/api/v1/pulls/"+name+"/files", ""), &files)
				r.files[mirrorsim.FilesKey(pull.RepoFullName, pull.Number)] = files
			}
		}
		r.issues = append(r.issues, issuesOf(t, b.list(http.MethodPost, path+"/issues", body))...)
		r.open = append(r.open, issuesOf(t, b.list(http.MethodGet, path+"/issues", ""))...)
	}
	return r
}

// must repeats a request until it succeeds.
func (b *bundle) must(r *round, method, path, body string) string {
	b.t.Helper()
	for range 10 {
		r.requests++
		if got := b.do(method, path, body); got.status == http.StatusOK {
			return got.body
		}
	}
	b.t.Fatalf("%s %s does not heal", method, path)
	return ""
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("decoding %.200s: %v", text, err)
	}
}

func issuesOf(t *testing.T, answer listAnswer) []mirrorsim.Issue {
	t.Helper()
	issues := make([]mirrorsim.Issue, len(answer.Issues))
	for i, raw := range answer.Issues {
		decode(t, string(raw), &issues[i])
	}
	return issues
}

// windowsOf is the body that a round over a registry sends.
func windowsOf(t *testing.T, registry map[string]map[string]any, asOf time.Time) string {
	t.Helper()
	windows := map[string]time.Time{}
	for repo, settings := range registry {
		days := 30.0
		if own, ok := settings["scoring"].(map[string]any); ok && own["pr_lookback_days"] != nil {
			days = own["pr_lookback_days"].(float64)
		}
		windows[repo] = asOf.AddDate(0, 0, -int(days))
	}
	data, err := json.Marshal(map[string]any{"since_by_repo": windows})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fetched says whether a fleet asks for the files: the rules of loading,
// with the branches that the demo uses.
func fetched(p mirrorsim.Pull) bool {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	role := text(p.AuthorAssociation)
	if !p.ScoringDataStored || role == "OWNER" || role == "MEMBER" || role == "COLLABORATOR" {
		return false
	}
	base := text(p.BaseRef)
	acceptable := base == "main" || strings.EqualFold(p.RepoFullName, "quillworks/canvas") && strings.HasPrefix(base, "release/")
	switch p.State {
	case "OPEN", "CLOSED":
		return true
	case "MERGED":
		own := strings.EqualFold(text(p.MergedByLogin), p.AuthorLogin) && p.ReviewSummary.Approved == 0
		inside := text(p.HeadRef) == "main" && strings.EqualFold(text(p.HeadRepoFullName), p.RepoFullName)
		return p.MergedAt != nil && !own && acceptable && !inside
	}
	return false
}

// The demo is what its description promises, whatever the seed.
func TestDemoHoldsACaseOfEveryRule(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := mirrorsim.Demo(seed)
			b := setup(t, mirrorsim.Config{World: w})
			r := load(t, b, w)
			if r.requests < 190 || r.requests > 230 {
				t.Errorf("%d requests for pulls, files and maintainers, want 190 to 230", r.requests)
			}
			if got := b.server.Stats().ByStatus; got["500"] != 4 || got["404"] != 0 {
				t.Errorf("statuses %v, want the healing miner's four 500s and no 404", got)
			}
			if len(w.Miners) != 24 || len(r.registry) != 6 {
				t.Errorf("%d miners and %d repositories, want 24 and 6", len(w.Miners), len(r.registry))
			}
			checkMiners(t, w.Miners)
			checkRegistry(t, w)
			if missing := missingCases(r); len(missing) > 0 {
				t.Errorf("no case of: %s", strings.Join(missing, "; "))
			}
		})
	}
}

// checkRegistry wants a registry that a round accepts, and windows that the
// mirror gets from it.
func checkRegistry(t *testing.T, w *mirrorsim.World) {
	t.Helper()
	registry, err := scoring.ParseRegistry(w.Registry)
	if err != nil {
		t.Errorf("registry: %v", err)
	}
	share := 0.0
	for _, repo := range registry.Repositories {
		share += repo.EmissionShare
	}
	if share <= 0.5 || share >= 1 {
		t.Errorf("shares add up to %g, want something to be left to recycle", share)
	}
}

func checkMiners(t *testing.T, miners []scoring.Miner) {
	t.Helper()
	uids, accounts, tokens := map[int]bool{}, map[string]bool{}, map[scoring.TokenState]int{}
	for _, m := range miners {
		if uids[m.UID] || m.GitHubID != "" && accounts[m.GitHubID] {
			t.Errorf("miner %+v: uid or account appears twice", m)
		}
		uids[m.UID], accounts[m.GitHubID] = true, true
		if m.UID != 0 {
			tokens[m.Token]++
		}
	}
	if !uids[0] || !uids[111] {
		t.Errorf("uids %v, want 0 and 111 among them", slices.Sorted(maps.Keys(uids)))
	}
	want := map[scoring.TokenState]int{scoring.TokenValid: 21, scoring.TokenNone: 1, scoring.TokenRefused: 1}
	if diff := cmp.Diff(want, tokens); diff != "" {
		t.Errorf("tokens without uid 0 (-want +got):\n%s", diff)
	}
}

// missingCases lists what no item of a round is a case of.
func missingCases(r round) []string {
	missing := map[string]bool{}
	for name := range pullCases {
		missing[name] = true
	}
	for name := range issueCases {
		missing[name] = true
	}
	for name := range fileCases {
		missing[name] = true
	}
	for _, list := range r.pulls {
		for _, p := range list {
			drop(missing, pullCases, p)
		}
	}
	for _, i := range append(r.issues, r.open...) {
		drop(missing, issueCases, i)
	}
	for _, f := range r.files {
		drop(missing, fileCases, f)
	}
	if len(r.broken) != 1 {
		missing[fmt.Sprintf("one malformed item (there are %d)", len(r.broken))] = true
	}
	return slices.Sorted(maps.Keys(missing))
}

func drop[T any](missing map[string]bool, cases map[string]func(T) bool, value T) {
	for name, holds := range cases {
		if missing[name] && holds(value) {
			delete(missing, name)
		}
	}
}

func merged(holds func(p mirrorsim.Pull) bool) func(mirrorsim.Pull) bool {
	return func(p mirrorsim.Pull) bool { return p.State == "MERGED" && holds(p) }
}

func linked(holds func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool) func(mirrorsim.Pull) bool {
	return merged(func(p mirrorsim.Pull) bool {
		return slices.ContainsFunc(p.LinkedIssues, func(i mirrorsim.LinkedIssue) bool { return holds(p, i) })
	})
}

func labelled(holds func(l mirrorsim.Label) bool) func(mirrorsim.Pull) bool {
	return func(p mirrorsim.Pull) bool { return slices.ContainsFunc(p.Labels, holds) }
}

var pullCases = map[string]func(mirrorsim.Pull) bool{
	"merged":                    merged(func(mirrorsim.Pull) bool { return true }),
	"open":                      func(p mirrorsim.Pull) bool { return p.State == "OPEN" },
	"closed":                    func(p mirrorsim.Pull) bool { return p.State == "CLOSED" },
	"another state":             func(p mirrorsim.Pull) bool { return p.State == "DRAFT" },
	"nothing stored":            func(p mirrorsim.Pull) bool { return !p.ScoringDataStored },
	"a maintainer's":            func(p mirrorsim.Pull) bool { return p.AuthorAssociation != nil && *p.AuthorAssociation == "MEMBER" },
	"merged without an instant": merged(func(p mirrorsim.Pull) bool { return p.MergedAt == nil }),
	"merged by its author":      merged(func(p mirrorsim.Pull) bool { return p.MergedByLogin != nil && *p.MergedByLogin == "CY-Mooring" }),
	"self-merged with approval": merged(func(p mirrorsim.Pull) bool { return p.MergedByLogin != nil && *p.MergedByLogin == p.AuthorLogin }),
	"merged by nobody known":    merged(func(p mirrorsim.Pull) bool { return p.MergedByLogin == nil }),
	"wrong base":                merged(func(p mirrorsim.Pull) bool { return p.BaseRef != nil && *p.BaseRef == "experiment" }),
	"no base":                   merged(func(p mirrorsim.Pull) bool { return p.BaseRef == nil }),
	"additional branch":         merged(func(p mirrorsim.Pull) bool { return p.BaseRef != nil && *p.BaseRef == "release/2.4" }),
	"from an acceptable branch": merged(func(p mirrorsim.Pull) bool { return p.HeadRef != nil && *p.HeadRef == "main" }),
	"no head ref":               merged(func(p mirrorsim.Pull) bool { return p.HeadRef == nil }),
	"no default branch":         merged(func(p mirrorsim.Pull) bool { return p.DefaultBranch == nil }),
	"from the same repository":  merged(func(p mirrorsim.Pull) bool { return p.HeadRepoFullName != nil && *p.HeadRepoFullName == p.RepoFullName }),
	"no merge base":             func(p mirrorsim.Pull) bool { return p.MergeBaseSHA == nil },
	"account as a number":       func(p mirrorsim.Pull) bool { _, isNumber := p.AuthorGitHubID.(float64); return isNumber },
	"edited after merge":        merged(func(p mirrorsim.Pull) bool { return p.EditedAfterMerge && len(p.LinkedIssues) > 0 }),
	"one objection":             merged(func(p mirrorsim.Pull) bool { return p.ReviewSummary.MaintainerChangesRequested == 1 }),
	"too many objections":       merged(func(p mirrorsim.Pull) bool { return p.ReviewSummary.MaintainerChangesRequested == 9 }),
	"label by a maintainer":     labelled(func(l mirrorsim.Label) bool { return l.ActorAssociation != nil && *l.ActorAssociation == "MEMBER" }),
	"label by anyone":           labelled(func(l mirrorsim.Label) bool { return l.ActorAssociation != nil && *l.ActorAssociation == "CONTRIBUTOR" }),
	"label by nobody known":     labelled(func(l mirrorsim.Label) bool { return l.ActorAssociation == nil }),
	"label without a name":      labelled(func(l mirrorsim.Label) bool { return l.Name == "" }),
	"several labels":            func(p mirrorsim.Pull) bool { return len(p.Labels) > 2 },
	"linked issue by an owner":  linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return *orNone(i.AuthorAssociation) == "OWNER" }),
	"linked issue, own solver": linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool {
		return i.SolvedByPR != nil && *i.SolvedByPR == p.Number
	}),
	"linked issue, other solver": linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool {
		return i.SolvedByPR != nil && *i.SolvedByPR != p.Number
	}),
	"linked issue, no instants": linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return i.CreatedAt == nil && i.ClosedAt == nil }),
	"linked issue transferred":  linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return i.IsTransferred }),
	"linked issue, no author":   linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return i.AuthorGitHubID == nil }),
	"linked issue, own author":  linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return *orNone(i.AuthorGitHubID) == idText(p) }),
	"linked issue too young": linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool {
		return i.CreatedAt != nil && i.CreatedAt.After(p.CreatedAt)
	}),
	"linked issue not completed": linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return *orNone(i.StateReason) == "NOT_PLANNED" }),
	"linked issue open":          linked(func(_ mirrorsim.Pull, i mirrorsim.LinkedIssue) bool { return i.State == "OPEN" }),
	"linked issue closed early": linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool {
		return i.ClosedAt != nil && i.ClosedAt.Before(*p.MergedAt)
	}),
	"linked issue closed late": linked(func(p mirrorsim.Pull, i mirrorsim.LinkedIssue) bool {
		return i.ClosedAt != nil && i.ClosedAt.After(p.MergedAt.AddDate(0, 0, 1))
	}),
}

func orNone(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

func idText(p mirrorsim.Pull) string {
	if number, isNumber := p.AuthorGitHubID.(float64); isNumber {
		return fmt.Sprintf("%.0f", number)
	}
	return fmt.Sprint(p.AuthorGitHubID)
}

func solved(holds func(i mirrorsim.Issue) bool) func(mirrorsim.Issue) bool {
	return func(i mirrorsim.Issue) bool { return i.SolvingPR != nil && holds(i) }
}

var issueCases = map[string]func(mirrorsim.Issue) bool{
	"issue open":                 func(i mirrorsim.Issue) bool { return i.State == "OPEN" },
	"issue transferred":          func(i mirrorsim.Issue) bool { return i.IsTransferred },
	"issue not completed":        func(i mirrorsim.Issue) bool { return *orNone(i.StateReason) == "NOT_PLANNED" },
	"issue without solver":       func(i mirrorsim.Issue) bool { return i.State == "CLOSED" && i.SolvingPR == nil },
	"issue without author":       func(i mirrorsim.Issue) bool { return i.AuthorGitHubID == nil },
	"issue without creation":     func(i mirrorsim.Issue) bool { return i.CreatedAt == nil },
	"issue by an owner":          func(i mirrorsim.Issue) bool { return *orNone(i.AuthorAssociation) == "OWNER" },
	"solver closed":              solved(func(i mirrorsim.Issue) bool { return i.SolvingPR.State == "CLOSED" }),
	"solver in wrong branch":     solved(func(i mirrorsim.Issue) bool { return *orNone(i.SolvingPR.BaseRef) == "experiment" }),
	"solver edited after merge":  solved(func(i mirrorsim.Issue) bool { return i.SolvingPR.EditedAfterMerge }),
	"issue edited after merge":   solved(func(i mirrorsim.Issue) bool { return i.LastEditedAt != nil }),
	"issue solved by its author": solved(func(i mirrorsim.Issue) bool { return *orNone(i.AuthorGitHubID) == i.SolvingPR.AuthorGitHubID }),
}

func file(holds func(f mirrorsim.File) bool) func(mirrorsim.Files) bool {
	return func(f mirrorsim.Files) bool { return slices.ContainsFunc(f.Files, holds) }
}

func status(want string) func(mirrorsim.Files) bool {
	return file(func(f mirrorsim.File) bool { return f.Status == want })
}

var fileCases = map[string]func(mirrorsim.Files) bool{
	"no files":      func(f mirrorsim.Files) bool { return len(f.Files) == 0 },
	"file added":    status("added"),
	"file modified": status("modified"),
	"file removed":  status("removed"),
	"file renamed":  status("renamed"),
	"file copied":   status("copied"),
	"file binary":   file(func(f mirrorsim.File) bool { return f.IsBinary && f.HeadContent == nil }),
	"file over what the mirror sends": file(func(f mirrorsim.File) bool {
		return f.HeadContent == nil && f.ByteSize != nil && *f.ByteSize > 1<<20
	}),
	"file over what is parsed": file(func(f mirrorsim.File) bool { return f.HeadContent != nil && len(*f.HeadContent) > 1_000_000 }),
	"file without base": file(func(f mirrorsim.File) bool {
		return f.Status == "modified" && f.HeadContent != nil && f.BaseContent == nil
	}),
	"file of an unknown extension": file(func(f mirrorsim.File) bool { return strings.HasSuffix(f.Filename, ".blend1") }),
	"file of tests":                file(func(f mirrorsim.File) bool { return strings.Contains(f.Filename, "test") }),
	"inline test": file(func(f mirrorsim.File) bool {
		return f.HeadContent != nil && strings.Contains(*f.HeadContent, "#[cfg(test)]")
	}),
	"more lines than count": file(func(f mirrorsim.File) bool { return f.Changes > 300 && f.HeadContent != nil }),
	"Makefile":              file(func(f mirrorsim.File) bool { return f.Filename == "Makefile" }),
	"go":                    extension(".go"),
	"python":                extension(".py"),
	"typescript":            extension(".ts"),
	"rust":                  extension(".rs"),
	"java":                  extension(".java"),
	"c":                     extension(".c"),
	"c#":                    extension(".cs"),
	"ruby":                  extension(".rb"),
	"json":                  extension(".json"),
	"markdown":              extension(".md"),
	"yaml":                  extension(".yaml"),
	"shell":                 extension(".sh"),
}

// extension wants an edited file whose two texts differ.
func extension(name string) func(mirrorsim.Files) bool {
	return file(func(f mirrorsim.File) bool {
		return strings.HasSuffix(f.Filename, name) && f.HeadContent != nil && f.BaseContent != nil && *f.HeadContent != *f.BaseContent
	})
}

// A seed gives one world, byte for byte; another seed another.
func TestDemoFollowsTheSeed(t *testing.T) {
	t.Parallel()
	one := mirrorsim.Dump(mirrorsim.Demo(1))
	if again := mirrorsim.Dump(mirrorsim.Demo(1)); one != again {
		t.Error("the same seed gave another world")
	}
	if other := mirrorsim.Dump(mirrorsim.Demo(2)); one == other {
		t.Error("another seed gave the same world")
	}
}

// Every language of the demo has blocks, with the words that copies replace.
func TestDemoSources(t *testing.T) {
	t.Parallel()
	for _, language := range append(mirrorsim.SourceLanguages(), "md") {
		header, bodies := mirrorsim.Blocks(language)
		if header == "" || len(bodies) < 2 {
			t.Errorf("%s: header %q and %d blocks, want a header and at least two", language, header, len(bodies))
		}
		for i, body := range bodies {
			if !strings.Contains(strings.ToLower(body), "thing") || !strings.Contains(body, "phrase") && !strings.Contains(body, "7001") {
				t.Errorf("%s, block %d has no word to replace:\n%s", language, i, body)
			}
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	w := mirrorsim.Demo(1)
	miners, registry, err := w.Write(dir)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	var got []scoring.Miner
	data, err := os.ReadFile(miners)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, string(data), &got)
	if diff := cmp.Diff(w.Miners, got); diff != "" {
		t.Errorf("miners file (-want +got):\n%s", diff)
	}
	data, err = os.ReadFile(registry)
	if err != nil || !cmp.Equal(data, []byte(w.Registry)) {
		t.Errorf("registry file: %v, %s; want the world's registry", err, data)
	}
	if _, _, err := w.Write(miners); err == nil || !strings.Contains(err.Error(), miners) {
		t.Errorf("Write into a file: %v, want an error that names it", err)
	}
}
