package scoring

import (
	"strings"
	"time"

	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/python"
)

// mergeGate applies docs/rules/scoring.md#merge-gate. It returns why a merged
// pull request does not count, or nil when it does.
func mergeGate(pr *PullRequest, repo *input.Repository) *Reason {
	if pr.MergedAt.IsZero() {
		return reject(DropNoMergedAt)
	}
	// GitHub lets nobody approve a pull request of their own: an approval is
	// another's.
	if pr.MergedByLogin != "" && python.Lower(pr.MergedByLogin) == python.Lower(pr.AuthorLogin) && pr.ApprovedCount == 0 {
		return reject(DropSelfMerged, "merged_by", pr.MergedByLogin, "author", pr.AuthorLogin, "approved_count", "0")
	}
	return branchRule(branches{
		repository: pr.Repository, base: pr.BaseRef, head: pr.HeadRef,
		headRepository: pr.HeadRepository, defaultBranch: pr.DefaultBranch,
	}, repo)
}

func reject(code Code, values ...string) *Reason {
	r := because(code, values...)
	return &r
}

// branches is what the branch rule looks at.
type branches struct {
	repository, base, head, headRepository, defaultBranch string
}

// branchRule says why a merge went from or to a branch that does not count, or
// nil. Names of fork branches are arbitrary: the head matters only inside the
// repository.
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

// micros is an instant as the rules compare it: in whole microseconds, which
// is what the validator keeps of one.
func micros(t time.Time) int64 { return t.UnixMicro() }

// after says whether a is later than b.
func after(a, b time.Time) bool { return micros(a) > micros(b) }
