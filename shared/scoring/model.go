package scoring

import "time"

// State is the state of a pull request or an issue, in the mirror's words.
type State string

// The states that the rules know; any other drops the item that has it.
const (
	Merged State = "MERGED"
	Open   State = "OPEN"
	Closed State = "CLOSED"
)

// Completed is the only state reason with which a closed issue counts as solved.
const Completed = "COMPLETED"

// IsMaintainer says whether an association is a maintainer's:
// docs/rules/scoring.md#terms. Case matters: the mirror sends capitals.
func IsMaintainer(association string) bool {
	return association == "OWNER" || association == "MEMBER" || association == "COLLABORATOR"
}

// PullRequest is what the mirror says of one pull request. Repository names are
// lower-cased. An absent text is "", an absent instant is the zero time.
type PullRequest struct {
	Repository        string    `json:"repository"`
	Number            int       `json:"number"`
	Title             string    `json:"title,omitempty"`
	State             State     `json:"state"`
	AuthorID          string    `json:"author_id,omitempty"`
	AuthorLogin       string    `json:"author_login,omitempty"`
	AuthorAssociation string    `json:"author_association,omitempty"`
	CreatedAt         time.Time `json:"created_at,omitzero"`
	ClosedAt          time.Time `json:"closed_at,omitzero"`
	MergedAt          time.Time `json:"merged_at,omitzero"`
	LastEditedAt      time.Time `json:"last_edited_at,omitzero"`
	EditedAfterMerge  bool      `json:"edited_after_merge,omitempty"`
	MergedByLogin     string    `json:"merged_by_login,omitempty"`
	BaseRef           string    `json:"base_ref,omitempty"`
	HeadRef           string    `json:"head_ref,omitempty"`
	HeadRepository    string    `json:"head_repository,omitempty"`
	DefaultBranch     string    `json:"default_branch,omitempty"`
	HeadSHA           string    `json:"head_sha,omitempty"`
	BaseSHA           string    `json:"base_sha,omitempty"`
	MergeBaseSHA      string    `json:"merge_base_sha,omitempty"`
	ScoringDataStored bool      `json:"scoring_data_stored,omitempty"`
	Body              *string   `json:"body,omitempty"`
	// Additions and Deletions are the lines of all files at HeadSHA.
	Additions                       int           `json:"additions,omitempty"`
	Deletions                       int           `json:"deletions,omitempty"`
	Commits                         int           `json:"commits,omitempty"`
	MaintainerChangesRequestedCount int           `json:"maintainer_changes_requested_count,omitempty"`
	ApprovedCount                   int           `json:"approved_count,omitempty"`
	Labels                          []Label       `json:"labels,omitempty"`
	LinkedIssues                    []LinkedIssue `json:"linked_issues,omitempty"`
}

// Label is one label of a pull request. The actor is the account that applied it.
type Label struct {
	Name             string `json:"name"`
	ActorID          string `json:"actor_id,omitempty"`
	ActorAssociation string `json:"actor_association,omitempty"`
}

// LinkedIssue is an issue that a pull request says it closes.
type LinkedIssue struct {
	Number      int    `json:"number"`
	Title       string `json:"title,omitempty"`
	State       State  `json:"state"`
	StateReason string `json:"state_reason,omitempty"`
	// AuthorID is nil when the mirror names no author: the issue is then not valid.
	// An empty id is an author to the validator, and differs from the author of the
	// pull request.
	AuthorID          *string   `json:"author_id,omitempty"`
	AuthorAssociation string    `json:"author_association,omitempty"`
	CreatedAt         time.Time `json:"created_at,omitzero"`
	ClosedAt          time.Time `json:"closed_at,omitzero"`
	UpdatedAt         time.Time `json:"updated_at,omitzero"`
	Transferred       bool      `json:"transferred,omitempty"`
	// SolvedByPR is nil when the mirror names no solver.
	SolvedByPR *int `json:"solved_by_pr,omitempty"`
}

// Issue is what the mirror says of one issue.
type Issue struct {
	Repository        string    `json:"repository"`
	Number            int       `json:"number"`
	Title             string    `json:"title,omitempty"`
	State             State     `json:"state"`
	StateReason       string    `json:"state_reason,omitempty"`
	AuthorID          string    `json:"author_id,omitempty"`
	AuthorLogin       string    `json:"author_login,omitempty"`
	AuthorAssociation string    `json:"author_association,omitempty"`
	CreatedAt         time.Time `json:"created_at,omitzero"`
	ClosedAt          time.Time `json:"closed_at,omitzero"`
	LastEditedAt      time.Time `json:"last_edited_at,omitzero"`
	Transferred       bool      `json:"transferred,omitempty"`
	// SolvedByPR is nil when the mirror names no solver.
	SolvedByPR *int `json:"solved_by_pr,omitempty"`
	// Solving is nil when the mirror sends no solving pull request.
	Solving *SolvingPullRequest `json:"solving,omitempty"`
}

// SolvingPullRequest is the pull request that closed an issue, as far as the
// issue's own answer tells.
type SolvingPullRequest struct {
	Number           int       `json:"number"`
	AuthorID         string    `json:"author_id,omitempty"`
	State            State     `json:"state"`
	MergedAt         time.Time `json:"merged_at,omitzero"`
	EditedAfterMerge bool      `json:"edited_after_merge,omitempty"`
	// BaseRef is nil when the mirror names no base: the branch rule is then skipped.
	// An empty base is a base, and no acceptable branch.
	BaseRef                         *string `json:"base_ref,omitempty"`
	HeadRef                         string  `json:"head_ref,omitempty"`
	HeadRepository                  string  `json:"head_repository,omitempty"`
	DefaultBranch                   string  `json:"default_branch,omitempty"`
	HeadSHA                         string  `json:"head_sha,omitempty"`
	BaseSHA                         string  `json:"base_sha,omitempty"`
	MergeBaseSHA                    string  `json:"merge_base_sha,omitempty"`
	MaintainerChangesRequestedCount int     `json:"maintainer_changes_requested_count,omitempty"`
	Labels                          []Label `json:"labels,omitempty"`
}

// Maintainer is one account with a maintainer's role in a repository.
type Maintainer struct {
	GitHubID    string `json:"github_id"`
	Login       string `json:"login,omitempty"`
	Association string `json:"association"`
}
