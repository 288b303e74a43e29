package mirror

import (
	"errors"

	"mirrorfleet/shared/scoring"
)

// reader reads an item's fields and keeps the first error, so that a decoder
// reads like the table in the mirror's description.
type reader struct {
	item
	err error
}

func take[T any](r *reader, read func(string) (T, error), field string) T {
	value, err := read(field)
	if r.err == nil {
		r.err = err
	}
	return value
}

func decodePullRequest(it item) (scoring.PullRequest, error) {
	r := &reader{item: it}
	pr := scoring.PullRequest{
		Repository:        take(r, it.lowered, "repo_full_name"),
		Number:            take(r, it.number, "pr_number"),
		Title:             take(r, it.text, "title"),
		State:             scoring.State(take(r, it.listed, "state")),
		AuthorID:          take(r, it.id, "author_github_id"),
		AuthorLogin:       take(r, it.text, "author_login"),
		AuthorAssociation: take(r, it.text, "author_association"),
		CreatedAt:         take(r, it.instant, "created_at"),
		ClosedAt:          take(r, it.instant, "closed_at"),
		MergedAt:          take(r, it.instant, "merged_at"),
		LastEditedAt:      take(r, it.instant, "last_edited_at"),
		EditedAfterMerge:  it.truthy("edited_after_merge"),
		MergedByLogin:     take(r, it.text, "merged_by_login"),
		BaseRef:           take(r, it.text, "base_ref"),
		HeadRef:           take(r, it.text, "head_ref"),
		HeadRepository:    take(r, it.repository, "head_repo_full_name"),
		DefaultBranch:     take(r, it.text, "default_branch"),
		HeadSHA:           take(r, it.text, "head_sha"),
		BaseSHA:           take(r, it.text, "base_sha"),
		MergeBaseSHA:      take(r, it.text, "merge_base_sha"),
		ScoringDataStored: it.truthy("scoring_data_stored"),
		Labels:            take(r, it.labels, "labels"),
		LinkedIssues:      take(r, it.linkedIssues, "linked_issues"),
	}
	if r.err == nil && pr.CreatedAt.IsZero() {
		r.err = it.wrong("created_at", "a date")
	}
	for _, field := range []string{"additions", "deletions", "commits_count"} {
		take(r, it.count, field)
	}
	review := take(r, it.inner, "review_summary")
	pr.MaintainerChangesRequestedCount = take(r, review.reviews, "maintainer_changes_requested_count")
	pr.ApprovedCount = take(r, review.reviews, "approved_count")
	return pr, r.err
}

func decodeIssue(it item) (scoring.Issue, error) {
	r := &reader{item: it}
	issue := scoring.Issue{
		Repository:        take(r, it.lowered, "repo_full_name"),
		Number:            take(r, it.number, "issue_number"),
		Title:             take(r, it.text, "title"),
		State:             scoring.State(take(r, it.listed, "state")),
		StateReason:       take(r, it.text, "state_reason"),
		AuthorID:          take(r, it.optionalID, "author_github_id"),
		AuthorLogin:       take(r, it.text, "author_login"),
		AuthorAssociation: take(r, it.text, "author_association"),
		CreatedAt:         take(r, it.instant, "created_at"),
		ClosedAt:          take(r, it.instant, "closed_at"),
		LastEditedAt:      take(r, it.instant, "last_edited_at"),
		Transferred:       it.truthy("is_transferred"),
		SolvedByPR:        take(r, it.solver, "solved_by_pr"),
	}
	take(r, it.instant, "updated_at")
	take(r, it.labels, "labels")
	if it.truthy("solving_pr") {
		inner := take(r, it.inner, "solving_pr")
		issue.Solving = decodeSolving(r, inner)
	}
	return issue, r.err
}

func decodeSolving(r *reader, it item) *scoring.SolvingPullRequest {
	solving := &scoring.SolvingPullRequest{
		Number:           take(r, it.number, "pr_number"),
		AuthorID:         take(r, it.id, "author_github_id"),
		State:            scoring.State(take(r, it.listed, "state")),
		MergedAt:         take(r, it.instant, "merged_at"),
		EditedAfterMerge: it.truthy("edited_after_merge"),
		BaseRef:          take(r, it.text, "base_ref"),
		HeadRef:          take(r, it.text, "head_ref"),
		HeadRepository:   take(r, it.repository, "head_repo_full_name"),
		DefaultBranch:    take(r, it.text, "default_branch"),
		HeadSHA:          take(r, it.text, "head_sha"),
		BaseSHA:          take(r, it.text, "base_sha"),
		MergeBaseSHA:     take(r, it.text, "merge_base_sha"),
		Labels:           take(r, it.labels, "labels"),
	}
	review := take(r, it.inner, "review_summary")
	solving.MaintainerChangesRequestedCount = take(r, review.reviews, "maintainer_changes_requested_count")
	return solving
}

// reviews is a count of a review summary; absent and null are 0.
func (it item) reviews(field string) (int, error) {
	if len(it.present(field)) == 0 {
		return 0, nil
	}
	return it.count(field)
}

// labels reads labels. One that has no name makes the whole item malformed,
// as in the validator; one whose name is null or no text is a label without a
// name, which no rule takes.
func (it item) labels(field string) ([]scoring.Label, error) {
	list, err := it.list(field)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	labels := make([]scoring.Label, 0, len(list))
	for _, raw := range list {
		inner, err := object(raw)
		if err != nil {
			return nil, errors.New("labels: one is not an object")
		}
		if !inner.has("name") {
			return nil, errors.New("labels: one has no name")
		}
		r := &reader{item: inner}
		labels = append(labels, scoring.Label{
			Name:             take(r, inner.text, "name"),
			ActorID:          take(r, inner.optionalID, "actor_github_id"),
			ActorAssociation: take(r, inner.text, "actor_association"),
		})
		if r.err != nil {
			return nil, r.err
		}
	}
	return labels, nil
}

func (it item) linkedIssues(field string) ([]scoring.LinkedIssue, error) {
	list, err := it.list(field)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	linked := make([]scoring.LinkedIssue, 0, len(list))
	for _, raw := range list {
		inner, err := object(raw)
		if err != nil {
			return nil, errors.New("linked_issues: one is not an object")
		}
		r := &reader{item: inner}
		linked = append(linked, scoring.LinkedIssue{
			Number:            take(r, inner.listedNumber, "number"),
			State:             scoring.State(take(r, inner.listed, "state")),
			StateReason:       take(r, inner.text, "state_reason"),
			AuthorID:          take(r, inner.optionalID, "author_github_id"),
			AuthorAssociation: take(r, inner.text, "author_association"),
			CreatedAt:         take(r, inner.instant, "created_at"),
			ClosedAt:          take(r, inner.instant, "closed_at"),
			Transferred:       inner.truthy("is_transferred"),
			SolvedByPR:        take(r, inner.solver, "solved_by_pr"),
		})
		take(r, inner.instant, "updated_at")
		take(r, inner.labels, "labels")
		if r.err != nil {
			return nil, r.err
		}
	}
	return linked, nil
}
