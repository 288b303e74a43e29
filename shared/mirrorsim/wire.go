package mirrorsim

import "time"

// The shapes that the mirror sends. A pointer is null when nil; a list is
// null when nil, which the mirror never sends: a world sets an empty one.

// The states of pull requests and issues, and the statuses of files.
const (
	stateOpen   = "OPEN"
	stateClosed = "CLOSED"
	stateMerged = "MERGED"

	fileAdded    = "added"
	fileModified = "modified"
	fileRemoved  = "removed"
	fileRenamed  = "renamed"
	fileCopied   = "copied"
	fileChanged  = "changed"
)

// Pull is a pull request in a miner's list.
type Pull struct {
	RepoFullName      string        `json:"repo_full_name"`
	Number            int           `json:"pr_number"`
	Title             string        `json:"title"`
	Body              *string       `json:"body"`
	State             string        `json:"state"`
	AuthorGitHubID    any           `json:"author_github_id"` // a string or a number: the mirror sends both
	AuthorLogin       string        `json:"author_login"`
	AuthorAssociation *string       `json:"author_association"`
	CreatedAt         time.Time     `json:"created_at"`
	ClosedAt          *time.Time    `json:"closed_at"`
	MergedAt          *time.Time    `json:"merged_at"`
	LastEditedAt      *time.Time    `json:"last_edited_at"`
	EditedAfterMerge  bool          `json:"edited_after_merge"`
	HoursSinceMerge   *float64      `json:"hours_since_merge"`
	MergedByLogin     *string       `json:"merged_by_login"`
	BaseRef           *string       `json:"base_ref"`
	HeadRef           *string       `json:"head_ref"`
	HeadRepoFullName  *string       `json:"head_repo_full_name"`
	DefaultBranch     *string       `json:"default_branch"`
	HeadSHA           *string       `json:"head_sha"`
	BaseSHA           *string       `json:"base_sha"`
	MergeBaseSHA      *string       `json:"merge_base_sha"`
	Additions         int           `json:"additions"`
	Deletions         int           `json:"deletions"`
	CommitsCount      int           `json:"commits_count"`
	ScoringDataStored bool          `json:"scoring_data_stored"`
	ReviewSummary     ReviewSummary `json:"review_summary"`
	Labels            []Label       `json:"labels"`
	LinkedIssues      []LinkedIssue `json:"linked_issues"`
}

// ReviewSummary counts the reviews of a pull request.
type ReviewSummary struct {
	MaintainerChangesRequested int `json:"maintainer_changes_requested_count"`
	ChangesRequested           int `json:"changes_requested_count"`
	Approved                   int `json:"approved_count"`
	Commented                  int `json:"commented_count"`
}

// Label is a label with whoever applied it.
type Label struct {
	Name             string  `json:"name"`
	ActorGitHubID    *string `json:"actor_github_id"`
	ActorAssociation *string `json:"actor_association"`
}

// LinkedIssue is an issue that a pull request says it closes.
type LinkedIssue struct {
	Number            int        `json:"number"`
	Title             string     `json:"title"`
	State             string     `json:"state"`
	StateReason       *string    `json:"state_reason"`
	AuthorGitHubID    *string    `json:"author_github_id"`
	AuthorAssociation *string    `json:"author_association"`
	CreatedAt         *time.Time `json:"created_at"`
	ClosedAt          *time.Time `json:"closed_at"`
	UpdatedAt         *time.Time `json:"updated_at"`
	IsTransferred     bool       `json:"is_transferred"`
	SolvedByPR        *int       `json:"solved_by_pr"`
	Labels            []Label    `json:"labels"`
}

// Issue is an issue in a miner's list.
type Issue struct {
	RepoFullName      string     `json:"repo_full_name"`
	Number            int        `json:"issue_number"`
	Title             string     `json:"title"`
	State             string     `json:"state"`
	StateReason       *string    `json:"state_reason"`
	AuthorGitHubID    *string    `json:"author_github_id"`
	AuthorLogin       *string    `json:"author_login"`
	AuthorAssociation *string    `json:"author_association"`
	CreatedAt         *time.Time `json:"created_at"`
	ClosedAt          *time.Time `json:"closed_at"`
	UpdatedAt         *time.Time `json:"updated_at"`
	LastEditedAt      *time.Time `json:"last_edited_at"`
	IsTransferred     bool       `json:"is_transferred"`
	SolvedByPR        *int       `json:"solved_by_pr"`
	Labels            []Label    `json:"labels"`
	SolvingPR         *SolvingPR `json:"solving_pr"`
}

// SolvingPR is the pull request that closed an issue, inside the issue.
type SolvingPR struct {
	Number           int           `json:"pr_number"`
	AuthorGitHubID   string        `json:"author_github_id"`
	State            string        `json:"state"`
	MergedAt         *time.Time    `json:"merged_at"`
	HoursSinceMerge  *float64      `json:"hours_since_merge"`
	EditedAfterMerge bool          `json:"edited_after_merge"`
	HeadSHA          *string       `json:"head_sha"`
	BaseSHA          *string       `json:"base_sha"`
	MergeBaseSHA     *string       `json:"merge_base_sha"`
	BaseRef          *string       `json:"base_ref"`
	HeadRef          *string       `json:"head_ref"`
	HeadRepoFullName *string       `json:"head_repo_full_name"`
	DefaultBranch    *string       `json:"default_branch"`
	Labels           []Label       `json:"labels"`
	ReviewSummary    ReviewSummary `json:"review_summary"`
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

// Maintainer is one account of a maintainers answer.
type Maintainer struct {
	GitHubID    any    `json:"github_id"` // a string or a number: the mirror sends both
	Login       string `json:"login"`
	Association string `json:"association"`
}
