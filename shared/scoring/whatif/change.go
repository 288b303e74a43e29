package whatif

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
)

// ErrImpossible says that a change is impossible, or changes nothing.
var ErrImpossible = errors.New("that cannot be")

func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrImpossible, fmt.Sprintf(format, args...))
}

// NotKeptError names the answers of the mirror that a figure needs and the round does not have.
type NotKeptError struct{ What []string }

func (e *NotKeptError) Error() string {
	return "the round did not keep what this needs, and nothing is guessed: " + strings.Join(e.What, "; ")
}

// Kind is the kind of a change.
type Kind string

// The kinds of changes.
const (
	Merge   Kind = "merge"   // a pull request, and with it the open issues that it closes
	Close   Kind = "close"   // an open pull request without a merge, or an open issue without a solver
	Approve Kind = "approve" // a pull request, by one more reviewer
	Label   Kind = "label"   // a pull request, by a maintainer
	Unlabel Kind = "unlabel"
	Link    Kind = "link" // an issue to a pull request that closes it
	Unlink  Kind = "unlink"
	Date    Kind = "date" // of a pull request or an issue
)

// Kinds lists the kinds in the order in which changes are made: an issue that is linked is
// closed by the merge.
func Kinds() []Kind { return []Kind{Label, Unlabel, Link, Unlink, Approve, Merge, Close, Date} }

// Item names a pull request or an issue. Repository is lower-cased.
type Item struct {
	Repository string
	Number     int
}

func (i Item) String() string { return fmt.Sprintf("%s#%d", i.Repository, i.Number) }

// NewIssue stands for an issue that nobody has filed yet, and says who files it.
type NewIssue string

// The issues that may be new.
const (
	ByMaintainer NewIssue = "maintainer" // of the repository
	ByOther      NewIssue = "other"      // somebody who is neither that nor the author
)

// Change is one change to a round.
type Change struct { //nolint:recvcheck // only reading a flag changes it
	Kind Kind
	Item Item
	// At is when it happens, for Merge, Close and Date; zero is the round's instant.
	At time.Time
	// Label is the name, for Label and Unlabel.
	Label string
	// Issue is the number of an issue of the same repository, for Link and Unlink. It is 0
	// for New.
	Issue int
	New   NewIssue
	// Field is the date, for Date.
	Field Field
}

// Field is a date of a pull request or an issue.
type Field string

// The dates that may be changed. The date of creation is not one of them, because the
// mirror's lists of pull requests are in its order.
const (
	MergedAt     Field = "merged_at" // of a merged pull request
	CreatedAt    Field = "created_at"
	ClosedAt     Field = "closed_at" // of an issue, as the one before and after
	LastEditedAt Field = "last_edited_at"
)

// String says the change in words.
func (c Change) String() string {
	at := ""
	if !c.At.IsZero() {
		at = " at " + c.At.UTC().Format(time.RFC3339)
	}
	switch c.Kind {
	case Merge:
		return c.Item.String() + " is merged" + at
	case Close:
		return c.Item.String() + " is closed" + at
	case Approve:
		return c.Item.String() + " has one more approval"
	case Label:
		return fmt.Sprintf("%s has the label %q, set by a maintainer", c.Item, c.Label)
	case Unlabel:
		return fmt.Sprintf("%s does not have the label %q", c.Item, c.Label)
	case Link:
		switch c.New {
		case ByMaintainer:
			return c.Item.String() + " closes a new issue of a maintainer"
		case ByOther:
			return c.Item.String() + " closes a new issue of somebody else"
		}
		return fmt.Sprintf("%s closes issue #%d", c.Item, c.Issue)
	case Unlink:
		return fmt.Sprintf("%s does not close issue #%d", c.Item, c.Issue)
	case Date:
		return fmt.Sprintf("%s has %s %s", c.Item, c.Field, c.At.UTC().Format(time.RFC3339))
	}
	return string(c.Kind)
}

// linked is an issue that nobody has filed yet, as a pull request that closes it has it. A
// merged one has closed it.
func (n NewIssue) linked(pr *scoring.PullRequest) scoring.LinkedIssue {
	nobody := "0" // no account has it
	issue := scoring.LinkedIssue{
		State:             scoring.Open,
		AuthorID:          &nobody,
		AuthorAssociation: "NONE",
		CreatedAt:         pr.CreatedAt,
	}
	if n == ByMaintainer {
		issue.AuthorAssociation = "MEMBER"
	}
	if pr.State == scoring.Merged {
		closedBy(&issue, pr.Number, pr.MergedAt)
	}
	return issue
}

// closedBy closes an issue by the merge of a pull request.
func closedBy(issue *scoring.LinkedIssue, number int, at time.Time) {
	issue.State, issue.StateReason = scoring.Closed, scoring.Completed
	issue.ClosedAt, issue.SolvedByPR = at, &number
}
