package scoring

import (
	"strings"
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// mergeGate applies docs/rules/scoring.md#merge-gate. It returns the reason why a
// merged pull request does not count, or nil when it counts.
func mergeGate(pr *PullRequest, repo *input.Repository) *Reason {
	if pr.MergedAt.IsZero() {
		return reject(DropNoMergedAt)
	}
	// GitHub lets nobody approve a pull request of their own, so any approval is by
	// somebody else. An empty merged_by_login passes: the mirror does not know it.
	if pr.MergedByLogin != "" && python.Lower(pr.MergedByLogin) == python.Lower(pr.AuthorLogin) && pr.ApprovedCount == 0 {
		return reject(DropSelfMerged, "merged_by", pr.MergedByLogin, "author", pr.AuthorLogin, "approved_count", "0")
	}
	return branchRule(branches{
		repository:     pr.Repository,
		base:           pr.BaseRef,
		head:           pr.HeadRef,
		headRepository: pr.HeadRepository,
		defaultBranch:  pr.DefaultBranch,
	}, repo)
}

func reject(code Code, values ...string) *Reason {
	r := because(code, values...)
	return &r
}

// branches are the names that the branch rule compares.
type branches struct {
	repository, base, head, headRepository, defaultBranch string
}

// branchRule is the third rule of docs/rules/scoring.md#merge-gate. It returns the
// reason for a base that is not acceptable or a head that is: a merge between two
// acceptable branches moves code that was merged before. The head is compared only
// inside the repository, because a fork may name its branches like ours.
func branchRule(b branches, repo *input.Repository) *Reason {
	acceptable := make([]string, 0, 1+len(repo.AdditionalBranches))
	if b.defaultBranch == "" {
		b.defaultBranch = "main"
	}
	acceptable = append(append(acceptable, b.defaultBranch), repo.AdditionalBranches...)
	if !python.MatchAny(acceptable, b.base) {
		return reject(DropBaseBranch, "base_ref", b.base, "acceptable", strings.Join(acceptable, ", "))
	}
	if b.head != "" && b.headRepository == b.repository && python.MatchAny(acceptable, b.head) {
		return reject(DropHeadBranch, "head_ref", b.head, "acceptable", strings.Join(acceptable, ", "))
	}
	return nil
}

// micros is an instant in whole microseconds, the resolution of Python's datetime.
// Two instants within one microsecond are equal to the validator.
func micros(t time.Time) int64 { return t.UnixMicro() }

// after says whether a is later than b to the validator.
func after(a, b time.Time) bool { return micros(a) > micros(b) }
