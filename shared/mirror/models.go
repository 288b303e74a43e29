package mirror

import (
	"errors"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// reader reads an item's fields and keeps the first error, so that a decoder
// reads like the table in the mirror's description.
type reader struct{ err error }

func take[T any](r *reader, read func(string) (T, error), field string) T {
	value, err := read(field)
	if r.err == nil {
		r.err = err
	}
	return value
}

// check reads a field for its errors alone: one that no rule needs, but that
// the validator reads too.
func check[T any](r *reader, read func(string) (T, error), fields ...string) {
	for _, field := range fields {
		take(r, read, field)
	}
}

func decodePullRequest(it item) (scoring.PullRequest, error) {
	r := &reader{}
	pr := scoring.PullRequest{
		Repository:        take(r, it.lowered, "repo_full_name"),
		Number:            take(r, it.number, "pr_number"),
		Title:             it.text("title"),
		State:             scoring.State(take(r, it.there, "state")),
		AuthorID:          take(r, it.id, "author_github_id"),
		AuthorLogin:       it.text("author_login"),
		AuthorAssociation: it.text("author_association"),
		CreatedAt:         take(r, it.instant, "created_at"),
		ClosedAt:          take(r, it.instant, "closed_at"),
		MergedAt:          take(r, it.instant, "merged_at"),
		LastEditedAt:      take(r, it.instant, "last_edited_at"),
		EditedAfterMerge:  it.truthy("edited_after_merge"),
		MergedByLogin:     it.text("merged_by_login"),
		BaseRef:           it.text("base_ref"),
		HeadRef:           it.text("head_ref"),
		HeadRepository:    take(r, it.repository, "head_repo_full_name"),
		DefaultBranch:     it.text("default_branch"),
		HeadSHA:           it.text("head_sha"),
		BaseSHA:           it.text("base_sha"),
		MergeBaseSHA:      it.text("merge_base_sha"),
		ScoringDataStored: it.truthy("scoring_data_stored"),
		Body:              it.content("body"),
		Additions:         take(r, it.count, "additions"),
		Deletions:         take(r, it.count, "deletions"),
		Commits:           take(r, it.count, "commits_count"),
		Labels:            take(r, it.labels, "labels"),
		LinkedIssues:      take(r, it.linkedIssues, "linked_issues"),
	}
	// The one date that must be there.
	if r.err == nil && pr.CreatedAt.IsZero() {
		r.err = it.wrong("created_at", "a date")
	}
	review := take(r, it.inner, "review_summary")
	pr.MaintainerChangesRequestedCount = review.requested("maintainer_changes_requested_count")
	pr.ApprovedCount = review.approvals("approved_count")
	if r.err == nil && pr.State == scoring.Merged {
		r.err = it.logins()
		if r.err == nil && it.truthy("default_branch") && !it.isText("default_branch") {
			r.err = it.wrong("default_branch", "a text") // its base cannot be compared with it
		}
	}
	return pr, r.err
}

// logins refuses a merge whose logins cannot be compared: who merged it is
// told, but not as a text, or its author's login is there and is none.
func (it item) logins() error {
	switch {
	case !it.truthy("merged_by_login"):
		return nil
	case !it.isText("merged_by_login"):
		return it.wrong("merged_by_login", "a text")
	case it.has("author_login") && !it.isText("author_login"):
		return it.wrong("author_login", "a text")
	}
	return nil
}

func decodeIssue(it item) (scoring.Issue, error) {
	r := &reader{}
	issue := scoring.Issue{
		Repository:        take(r, it.lowered, "repo_full_name"),
		Number:            take(r, it.number, "issue_number"),
		Title:             it.text("title"),
		State:             scoring.State(take(r, it.there, "state")),
		StateReason:       it.text("state_reason"),
		AuthorID:          it.optionalID("author_github_id"),
		AuthorLogin:       it.text("author_login"),
		AuthorAssociation: it.text("author_association"),
		CreatedAt:         take(r, it.instant, "created_at"),
		ClosedAt:          take(r, it.instant, "closed_at"),
		LastEditedAt:      take(r, it.instant, "last_edited_at"),
		Transferred:       it.truthy("is_transferred"),
		SolvedByPR:        it.solver("solved_by_pr"),
	}
	check(r, it.instant, "updated_at")
	check(r, it.labels, "labels")
	if it.truthy("solving_pr") {
		issue.Solving = decodeSolving(r, take(r, it.inner, "solving_pr"))
	}
	return issue, r.err
}

func decodeSolving(r *reader, it item) *scoring.SolvingPullRequest {
	solving := &scoring.SolvingPullRequest{
		Number:           take(r, it.solvingNumber, "pr_number"),
		AuthorID:         take(r, it.id, "author_github_id"),
		State:            scoring.State(take(r, it.there, "state")),
		MergedAt:         take(r, it.instant, "merged_at"),
		EditedAfterMerge: it.truthy("edited_after_merge"),
		BaseRef:          it.optionalText("base_ref"),
		HeadRef:          it.text("head_ref"),
		HeadRepository:   take(r, it.repository, "head_repo_full_name"),
		DefaultBranch:    it.text("default_branch"),
		HeadSHA:          it.text("head_sha"),
		BaseSHA:          it.text("base_sha"),
		MergeBaseSHA:     it.text("merge_base_sha"),
		Labels:           take(r, it.labels, "labels"),
	}
	review := take(r, it.inner, "review_summary")
	solving.MaintainerChangesRequestedCount = review.requested("maintainer_changes_requested_count")
	return solving
}

func decodeMaintainer(it item) (scoring.Maintainer, error) {
	r := &reader{}
	m := scoring.Maintainer{
		GitHubID:    take(r, it.id, "github_id"),
		Login:       it.text("login"),
		Association: take(r, it.there, "association"),
	}
	return m, r.err
}

func decodeFile(it item) (tokens.File, error) {
	r := &reader{}
	file := tokens.File{
		// The validator takes a file without a name, and then loses the whole
		// pull request over it. Here it costs itself.
		Filename:         take(r, it.wanted, "filename"),
		PreviousFilename: it.text("previous_filename"),
		Status:           take(r, it.there, "status"),
		Additions:        take(r, it.count, "additions"),
		Deletions:        take(r, it.count, "deletions"),
		Changes:          take(r, it.count, "changes"),
		Binary:           it.truthy("is_binary"),
	}
	if r.err != nil {
		return file, r.err
	}
	file.ByteSize = it.size("byte_size")
	file.Head, file.Base = it.content("head_content"), it.content("base_content")
	return file, nil
}

// content is a file's text, nil when it is absent, null or no text.
func (it item) content(field string) *string {
	if !it.isText(field) {
		return nil
	}
	s := it.text(field)
	return &s
}

// labels reads labels. One that has no name makes the whole item malformed,
// as in the validator; one whose name is null or no text is a label without a
// name, which no rule takes.
func (it item) labels(field string) ([]scoring.Label, error) {
	return each(it, field, func(r *reader, inner item) scoring.Label {
		return scoring.Label{
			Name:             take(r, inner.there, "name"),
			ActorID:          inner.optionalID("actor_github_id"),
			ActorAssociation: inner.text("actor_association"),
		}
	})
}

// linkedIssues reads linked issues. One without number or state makes the
// whole item malformed; a number that is none is 0, for no rule asks for it.
func (it item) linkedIssues(field string) ([]scoring.LinkedIssue, error) {
	return each(it, field, func(r *reader, inner item) scoring.LinkedIssue {
		check(r, inner.id, "number")
		check(r, inner.labels, "labels")
		return scoring.LinkedIssue{
			Number:            inner.otherwise("number", 0),
			Title:             inner.text("title"),
			State:             scoring.State(take(r, inner.there, "state")),
			StateReason:       inner.text("state_reason"),
			AuthorID:          inner.author("author_github_id"),
			AuthorAssociation: inner.text("author_association"),
			CreatedAt:         take(r, inner.instant, "created_at"),
			ClosedAt:          take(r, inner.instant, "closed_at"),
			UpdatedAt:         take(r, inner.instant, "updated_at"),
			Transferred:       inner.truthy("is_transferred"),
			SolvedByPR:        inner.solver("solved_by_pr"),
		}
	})
}

// each reads a list inside an item; its first error is the item's.
func each[T any](it item, field string, decode func(*reader, item) T) ([]T, error) {
	list, err := it.list(field)
	if err != nil {
		return nil, err
	}
	var values []T
	for raw := range elements(list) {
		inner, err := object(raw)
		if err != nil {
			return nil, errors.New(field + ": one is not an object")
		}
		r := &reader{}
		values = append(values, decode(r, inner))
		if r.err != nil {
			return nil, errors.New(field + ": " + r.err.Error())
		}
	}
	return values, nil
}
