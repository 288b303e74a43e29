package mirror_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	data := must.Get(os.ReadFile(filepath.Join("testdata", "answers", name)))(t)
	return data
}

func at(month time.Month, day, hour, minute, second int) time.Time {
	return time.Date(2026, month, day, hour, minute, second, 0, time.UTC)
}

// These answers have every field of the mirror's, and one malformed item of each kind.
func TestAnswersAreRead(t *testing.T) {
	t.Parallel()
	fortyOne := 41
	text := func(s string) *string { return &s }
	pulls, err := mirror.DecodePullRequests(read(t, "pulls.json"))
	check(t, "pulls", err, pulls, mirror.Answer[scoring.PullRequest]{
		Items: []scoring.PullRequest{{
			Repository: "acme/rocket", Number: 41, Title: `Fix the "valve" é`, State: scoring.Merged,
			AuthorID: "1001", AuthorLogin: "ada", AuthorAssociation: "CONTRIBUTOR",
			CreatedAt: at(1, 10, 9, 0, 0), ClosedAt: at(1, 12, 10, 0, 0), MergedAt: at(1, 12, 10, 0, 0).Add(123456 * time.Microsecond),
			MergedByLogin: "grace", BaseRef: "main", HeadRef: "valve", HeadRepository: "ada/rocket", DefaultBranch: "main",
			HeadSHA: "aaa", BaseSHA: "bbb", MergeBaseSHA: "ccc", ScoringDataStored: true,
			Body: text("Closes #40\r\n"), Additions: 12, Deletions: 3, Commits: 2,
			MaintainerChangesRequestedCount: 1, ApprovedCount: 3,
			Labels: []scoring.Label{{Name: "bug", ActorID: "55", ActorAssociation: "OWNER"}, {Name: "old"}},
			LinkedIssues: []scoring.LinkedIssue{{
				Number: 40, Title: "Valve leaks", State: scoring.Closed, StateReason: scoring.Completed, AuthorID: new("77"), AuthorAssociation: "NONE",
				CreatedAt: at(1, 1, 0, 0, 0), ClosedAt: at(1, 12, 10, 0, 1), UpdatedAt: at(1, 12, 10, 0, 1),
				SolvedByPR: &fortyOne,
			}},
		}},
		Malformed: []job.Malformed{{Item: "acme/rocket#42", Error: "created_at is missing, want a date"}},
	})
	issues, err := mirror.DecodeIssues(read(t, "issues.json"))
	check(t, "issues", err, issues, mirror.Answer[scoring.Issue]{Items: []scoring.Issue{
		{
			Repository: "acme/rocket", Number: 40, Title: "Valve leaks", State: scoring.Closed, StateReason: scoring.Completed,
			AuthorID: "1001", AuthorLogin: "ada", AuthorAssociation: "NONE",
			CreatedAt: at(1, 1, 0, 0, 0), ClosedAt: at(1, 12, 10, 0, 1), LastEditedAt: at(1, 2, 0, 0, 0),
			Transferred: true, SolvedByPR: &fortyOne,
			Solving: &scoring.SolvingPullRequest{
				Number: 41, AuthorID: "88", State: scoring.Merged, MergedAt: at(1, 12, 10, 0, 0), EditedAfterMerge: true,
				BaseRef: new("main"), HeadRef: "valve", HeadRepository: "linus/rocket", DefaultBranch: "main", HeadSHA: "aaa", BaseSHA: "bbb",
				MaintainerChangesRequestedCount: 2, Labels: []scoring.Label{{Name: "fix", ActorID: "55", ActorAssociation: "OWNER"}},
			},
		},
		{Repository: "acme/rocket", Number: 43, Title: "Open", State: scoring.Open},
	}})
	body := read(t, "files.json")
	files, err := mirror.DecodeFiles(body)
	check(t, "files", err, files, mirror.Files{
		HeadSHA: "aaa", BaseSHA: "bbb", MergeBaseSHA: "ccc", Stored: true, Digest: fmt.Sprintf("%x", sha256.Sum256(body)),
		Files: []tokens.File{
			{
				Filename: "valve.go", PreviousFilename: "pipe.go", Status: "renamed", Additions: 2, Deletions: 1, Changes: 3, ByteSize: new(20),
				Head: text("package valve\n\n// é 🚀 </b>\n"), Base: text("package pipe\n"),
			},
			{Filename: "logo.png", Status: "added", Binary: true},
			{Filename: "empty.txt", Status: "modified", Deletions: 4, Changes: 4, Head: text(""), Base: text("1\n2\n3\n4\n")},
		},
		Malformed: []job.Malformed{{Item: "broken.go", Error: "status is missing, want a text"}},
	})
	maintainers, err := mirror.DecodeMaintainers(read(t, "maintainers.json"))
	check(t, "maintainers", err, maintainers, mirror.Answer[scoring.Maintainer]{
		Items: []scoring.Maintainer{
			{GitHubID: "55", Login: "grace", Association: "OWNER"}, {GitHubID: "56", Association: "COLLABORATOR"},
		},
		Malformed: []job.Malformed{{Item: "57", Error: "association is missing, want a text"}},
	})
}

func check[T any](t *testing.T, what string, err error, got, want T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
