package scoring

import "time"

// State is where a pull request or an issue stands, as the mirror says it.
type State string

// The states that the rules know; any other drops the item that has it.
const (
	Merged State = "MERGED"
	Open   State = "OPEN"
	Closed State = "CLOSED"
)

// PullRequest is what the mirror says of one pull request. Repository names
// are lower-cased; an absent text is "", an absent instant the zero time.
type PullRequest struct {
	Repository                      string
	Number                          int
	Title                           string
	State                           State
	AuthorID                        string
	AuthorLogin                     string
	AuthorAssociation               string
	CreatedAt                       time.Time
	ClosedAt                        time.Time
	MergedAt                        time.Time
	LastEditedAt                    time.Time
	EditedAfterMerge                bool
	MergedByLogin                   string
	BaseRef                         string
	HeadRef                         string
	HeadRepository                  string
	DefaultBranch                   string
	HeadSHA                         string
	BaseSHA                         string
	MergeBaseSHA                    string
	ScoringDataStored               bool
	MaintainerChangesRequestedCount int
	ApprovedCount                   int
	Labels                          []Label
	LinkedIssues                    []LinkedIssue
}

// Label is one label of a pull request, with whoever applied it.
type Label struct {
	Name             string
	ActorID          string
	ActorAssociation string
}

// LinkedIssue is an issue that a pull request says it closes.
type LinkedIssue struct {
	Number            int
	State             State
	StateReason       string
	AuthorID          string
	AuthorAssociation string
	CreatedAt         time.Time
	ClosedAt          time.Time
	Transferred       bool
	// SolvedByPR is nil when the mirror names no solver.
	SolvedByPR *int
}

// Issue is what the mirror says of one issue.
type Issue struct {
	Repository        string
	Number            int
	Title             string
	State             State
	StateReason       string
	AuthorID          string
	AuthorLogin       string
	AuthorAssociation string
	CreatedAt         time.Time
	ClosedAt          time.Time
	LastEditedAt      time.Time
	Transferred       bool
	// SolvedByPR is nil when the mirror names no solver.
	SolvedByPR *int
	// Solving is nil when the mirror sends no solving pull request.
	Solving *SolvingPullRequest
}

// SolvingPullRequest is the pull request that closed an issue, as far as the
// issue's own answer tells.
type SolvingPullRequest struct {
	Number                          int
	AuthorID                        string
	State                           State
	MergedAt                        time.Time
	EditedAfterMerge                bool
	BaseRef                         string
	HeadRef                         string
	HeadRepository                  string
	DefaultBranch                   string
	HeadSHA                         string
	BaseSHA                         string
	MergeBaseSHA                    string
	MaintainerChangesRequestedCount int
	Labels                          []Label
}

// File is one file of a pull request with its texts before and after. Head
// and Base are nil when the mirror sends null.
type File struct {
	Filename         string  `json:"filename"`
	PreviousFilename string  `json:"previous_filename,omitempty"`
	Status           string  `json:"status"`
	Additions        int     `json:"additions"`
	Deletions        int     `json:"deletions"`
	Changes          int     `json:"changes"`
	Binary           bool    `json:"is_binary,omitempty"`
	Head             *string `json:"head_content"`
	Base             *string `json:"base_content"`
}

// Maintainer is one account with a maintainer's role in a repository.
type Maintainer struct {
	GitHubID    string
	Login       string
	Association string
}
