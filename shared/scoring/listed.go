package scoring

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Listed is the data of a pull request that a validator's database has and no rule
// reads. It serves exports. An absent text is "", an absent instant is the zero
// time.
type Listed struct {
	AuthorLogin   string `json:"author_login"`
	MergedByLogin string `json:"merged_by_login,omitempty"`
	// Body is cut at maxBody bytes. It is nil when the mirror sends none, and in
	// outcomes and stored evaluations.
	Body         *string   `json:"body"`
	LastEditedAt time.Time `json:"last_edited_at,omitzero"`
	HeadSHA      string    `json:"head_sha,omitempty"`
	BaseSHA      string    `json:"base_sha,omitempty"`
	Additions    int       `json:"additions"`
	Deletions    int       `json:"deletions"`
	Commits      int       `json:"commits"`
	// Issues are the linked ones, in the order received.
	Issues []ListedIssue `json:"issues,omitempty"`
}

// ListedIssue is an issue that a pull request says it closes.
type ListedIssue struct {
	Number            int       `json:"number"`
	Title             string    `json:"title"`
	State             State     `json:"state"`
	StateReason       string    `json:"state_reason,omitempty"`
	AuthorID          *string   `json:"author_github_id"`
	AuthorAssociation string    `json:"author_association,omitempty"`
	CreatedAt         time.Time `json:"created_at,omitzero"`
	ClosedAt          time.Time `json:"closed_at,omitzero"`
	UpdatedAt         time.Time `json:"updated_at,omitzero"`
}

// maxBody bounds, in bytes, what the author of a pull request can make a round
// store. GitHub allows 65,536 characters.
const maxBody = 8 << 10

// cut is the beginning of a text, without half a character at its end. It is a copy:
// a slice would keep the whole text in memory.
func cut(text *string, maxBytes int) *string {
	if text == nil || len(*text) <= maxBytes {
		return text
	}
	for maxBytes > 0 && !utf8.RuneStart((*text)[maxBytes]) {
		maxBytes--
	}
	short := strings.Clone((*text)[:maxBytes])
	return &short
}

// withoutBody is the part that outcomes and stored evaluations keep.
func (l *Listed) withoutBody() *Listed {
	if l == nil || l.Body == nil {
		return l
	}
	kept := *l
	kept.Body = nil
	return &kept
}

func listed(pr *PullRequest) *Listed {
	l := &Listed{
		AuthorLogin:   pr.AuthorLogin,
		MergedByLogin: pr.MergedByLogin,
		Body:          cut(pr.Body, maxBody),
		LastEditedAt:  pr.LastEditedAt,
		HeadSHA:       pr.HeadSHA,
		BaseSHA:       pr.BaseSHA,
		Additions:     pr.Additions,
		Deletions:     pr.Deletions,
		Commits:       pr.Commits,
	}
	for i := range pr.LinkedIssues {
		issue := &pr.LinkedIssues[i]
		l.Issues = append(l.Issues, ListedIssue{
			Number:            issue.Number,
			Title:             issue.Title,
			State:             issue.State,
			StateReason:       issue.StateReason,
			AuthorID:          issue.AuthorID,
			AuthorAssociation: issue.AuthorAssociation,
			CreatedAt:         issue.CreatedAt,
			ClosedAt:          issue.ClosedAt,
			UpdatedAt:         issue.UpdatedAt,
		})
	}
	return l
}
