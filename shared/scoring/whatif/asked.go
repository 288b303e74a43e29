package whatif

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Asked are changes as people write them: the values of the flags of `producer what-if`, and
// the body of a request of the API.
type Asked struct {
	Merge   []string `json:"merge,omitempty"`   // owner/repo#7, or owner/repo#7=TIME
	Close   []string `json:"close,omitempty"`   // likewise
	Approve []string `json:"approve,omitempty"` // owner/repo#7
	Label   []string `json:"label,omitempty"`   // owner/repo#7=NAME
	Unlabel []string `json:"unlabel,omitempty"`
	Link    []string `json:"link,omitempty"` // owner/repo#7=3, =maintainer or =other
	Unlink  []string `json:"unlink,omitempty"`
	Date    []string `json:"date,omitempty"` // owner/repo#7:merged_at=TIME
	// Registry is another registry, as its file has it; empty for the round's own.
	Registry json.RawMessage `json:"registry,omitempty"`
}

// MaxChanges is how many changes may be asked for at once.
const MaxChanges = 50

// SyntaxError is a change that cannot be read.
type SyntaxError struct {
	Kind       Kind
	Text, Want string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s %q: want %s", e.Kind, e.Text, e.Want) }

// Of are the changes of a kind.
func (a *Asked) Of(kind Kind) *[]string {
	return map[Kind]*[]string{
		Merge: &a.Merge, Close: &a.Close, Approve: &a.Approve, Label: &a.Label,
		Unlabel: &a.Unlabel, Link: &a.Link, Unlink: &a.Unlink, Date: &a.Date,
	}[kind]
}

// Changes reads all of them.
func (a *Asked) Changes() ([]Change, error) {
	var changes []Change
	for _, kind := range Kinds() {
		for _, text := range *a.Of(kind) {
			c, err := parse(kind, text)
			if err != nil {
				return nil, err
			}
			if changes = append(changes, c); len(changes) > MaxChanges {
				return nil, &SyntaxError{kind, text, fmt.Sprintf("at most %d changes", MaxChanges)}
			}
		}
	}
	return changes, nil
}

// form says how a change of a kind is written.
func form(kind Kind) string {
	switch kind {
	case Merge, Close:
		return "owner/repo#7, or owner/repo#7=2026-06-18T18:54:00Z"
	case Label, Unlabel:
		return "owner/repo#7=NAME"
	case Link:
		return "owner/repo#7=3 for an issue of the same repository, or owner/repo#7=maintainer or =other for a new one"
	case Unlink:
		return "owner/repo#7=3"
	case Date:
		return "owner/repo#7:FIELD=2026-06-18T18:54:00Z, with merged_at of a pull request, created_at, closed_at or last_edited_at of an issue"
	case Approve:
	}
	return "owner/repo#7"
}

func parse(kind Kind, text string) (Change, error) {
	c := Change{Kind: kind}
	name, value, given := strings.Cut(text, "=")
	refused := &SyntaxError{kind, text, form(kind)}
	if kind == Date {
		var field string
		name, field, _ = strings.Cut(name, ":")
		c.Field = Field(field)
	}
	var ok bool
	if c.Item, ok = ParseItem(name); !ok || given && value == "" {
		return c, refused
	}
	switch kind {
	case Merge, Close:
		ok = !given || readTime(value, &c.At)
	case Date:
		ok = readTime(value, &c.At)
	case Approve:
		ok = !given
	case Label, Unlabel:
		c.Label, ok = value, given
	case Link, Unlink:
		ok = c.readIssue(value)
	}
	if !ok {
		return c, refused
	}
	return c, nil
}

// readIssue reads which issue is linked: a number, with or without its repository, which is
// the pull request's; or a new one.
func (c *Change) readIssue(text string) bool {
	if by := NewIssue(text); c.Kind == Link && (by == ByMaintainer || by == ByOther) {
		c.New = by
		return true
	}
	if item, ok := ParseItem(text); ok {
		c.Issue = item.Number
		return item.Repository == c.Item.Repository
	}
	n, err := strconv.Atoi(strings.TrimPrefix(text, "#"))
	c.Issue = n
	return err == nil && n > 0
}

func readTime(text string, at *time.Time) bool {
	t, err := time.Parse(time.RFC3339, text)
	*at = t.UTC()
	return err == nil && !t.IsZero()
}

// ParseItem reads owner/repo#n. Names are lower-cased, as repositories are compared
// (docs/rules/scoring.md#registry).
func ParseItem(text string) (Item, bool) {
	repository, tail, _ := strings.Cut(text, "#")
	owner, name, _ := strings.Cut(repository, "/")
	n, err := strconv.Atoi(tail)
	if err != nil || n < 1 || owner == "" || name == "" || strings.Contains(name, "/") {
		return Item{}, false
	}
	return Item{strings.ToLower(repository), n}, true
}

// Flag is the change as `producer what-if` takes it.
func (c Change) Flag() string {
	value := ""
	switch c.Kind {
	case Merge, Close, Approve:
	case Label, Unlabel:
		value = "=" + c.Label
	case Link, Unlink:
		if value = "=" + string(c.New); c.New == "" {
			value = fmt.Sprintf("=%d", c.Issue)
		}
	case Date:
		value = ":" + string(c.Field)
	}
	if !c.At.IsZero() {
		value += "=" + c.At.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("--%s %s%s", c.Kind, c.Item, value)
}
