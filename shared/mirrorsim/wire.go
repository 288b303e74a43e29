package mirrorsim

import (
	"encoding/json"
	"time"
)

// The shapes that the mirror sends. A pointer is null when nil; a list is
// null when nil, which the mirror never sends: a world sets an empty one.

// Pull is a pull request in a miner's list.
type Pull struct {
	RepoFullName      string            `json:"repo_full_name"`
	Number            int               `json:"pr_number"`
	Title             string            `json:"title"`
	Body              *string           `json:"body"`
	State             string            `json:"state"`
	AuthorGitHubID    any               `json:"author_github_id"` // a string or a number: the mirror sends both
	AuthorLogin       string            `json:"author_login"`
	AuthorAssociation *string           `json:"author_association"`
	CreatedAt         time.Time         `json:"created_at"`
	ClosedAt          *time.Time        `json:"closed_at"`
	MergedAt          *time.Time        `json:"merged_at"`
	LastEditedAt      *time.Time        `json:"last_edited_at"`
	EditedAfterMerge  bool              `json:"edited_after_merge"`
	HoursSinceMerge   *float64          `json:"hours_since_merge"`
	MergedByLogin     *string           `json:"merged_by_login"`
	BaseRef           *string           `json:"base_ref"`
	HeadRef           *string           `json:"head_ref"`
	HeadRepoFullName  *string           `json:"head_repo_full_name"`
	DefaultBranch     *string           `json:"default_branch"`
	HeadSHA           *string           `json:"head_sha"`
	BaseSHA           *string           `json:"base_sha"`
	MergeBaseSHA      *string           `json:"merge_base_sha"`
	Additions         int               `json:"additions"`
	Deletions         int               `json:"deletions"`
	CommitsCount      int               `json:"commits_count"`
	ScoringDataStored bool              `json:"scoring_data_stored"`
	ReviewSummary     ReviewSummary     `json:"review_summary"`
	Labels            []json.RawMessage `json:"labels"`
	LinkedIssues      []json.RawMessage `json:"linked_issues"`
}

// ReviewSummary counts the reviews of a pull request.
type ReviewSummary struct {
	MaintainerChangesRequested int `json:"maintainer_changes_requested_count"`
	ChangesRequested           int `json:"changes_requested_count"`
	Approved                   int `json:"approved_count"`
	Commented                  int `json:"commented_count"`
}

// Issue is an issue in a miner's list.
type Issue struct {
	RepoFullName      string            `json:"repo_full_name"`
	Number            int               `json:"issue_number"`
	Title             string            `json:"title"`
	State             string            `json:"state"`
	StateReason       *string           `json:"state_reason"`
	AuthorGitHubID    *string           `json:"author_github_id"`
	AuthorLogin       *string           `json:"author_login"`
	AuthorAssociation *string           `json:"author_association"`
	CreatedAt         *time.Time        `json:"created_at"`
	ClosedAt          *time.Time        `json:"closed_at"`
	UpdatedAt         *time.Time        `json:"updated_at"`
	LastEditedAt      *time.Time        `json:"last_edited_at"`
	IsTransferred     bool              `json:"is_transferred"`
	SolvedByPR        *int              `json:"solved_by_pr"`
	Labels            []json.RawMessage `json:"labels"`
	SolvingPR         *SolvingPR        `json:"solving_pr"`
}

// SolvingPR is the pull request that closed an issue, inside the issue.
type SolvingPR struct {
	Number           int               `json:"pr_number"`
	AuthorGitHubID   string            `json:"author_github_id"`
	State            string            `json:"state"`
	MergedAt         *time.Time        `json:"merged_at"`
	HoursSinceMerge  *float64          `json:"hours_since_merge"`
	EditedAfterMerge bool              `json:"edited_after_merge"`
	HeadSHA          *string           `json:"head_sha"`
	BaseSHA          *string           `json:"base_sha"`
	MergeBaseSHA     *string           `json:"merge_base_sha"`
	BaseRef          *string           `json:"base_ref"`
	HeadRef          *string           `json:"head_ref"`
	HeadRepoFullName *string           `json:"head_repo_full_name"`
	DefaultBranch    *string           `json:"default_branch"`
	Labels           []json.RawMessage `json:"labels"`
	ReviewSummary    ReviewSummary     `json:"review_summary"`
}

// Files is the answer to a files request.
type Files struct {
	RepoFullName      string  `json:"repo_full_name"`
	Number            int     `json:"pr_number"`
	HeadSHA           *string `json:"head_sha"`
	BaseSHA           *string `json:"base_sha"`
	MergeBaseSHA      *string `json:"merge_base_sha"`
	ScoringDataStored bool    `json:"scoring_data_stored"`
	Files             []File  `json:"files"`
}

// File is one changed file with its whole text before and after.
type File struct {
	Filename         string  `json:"filename"`
	PreviousFilename *string `json:"previous_filename"`
	Status           string  `json:"status"`
	Additions        int     `json:"additions"`
	Deletions        int     `json:"deletions"`
	Changes          int     `json:"changes"`
	IsBinary         bool    `json:"is_binary"`
	ByteSize         *int    `json:"byte_size"`
	HeadContent      *string `json:"head_content"`
	BaseContent      *string `json:"base_content"`
}
