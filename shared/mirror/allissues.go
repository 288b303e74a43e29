package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// AllIssues is what one answer says of the issues of all authors, beside the
// rows themselves.
type AllIssues struct {
	// GeneratedAt is when the mirror made the answer.
	GeneratedAt time.Time
	// Rows counts all rows, those included that cannot be read; Unreadable counts
	// these, and Malformed lists the first thousand.
	Rows, Unreadable int
	Malformed        []job.Malformed
}

// epoch is before every issue: since then are all that the mirror knows.
const epoch = "1970-01-01T00:00:00Z"

// AllIssues asks for every issue that the mirror knows, in one answer of at most
// the given bytes. The answer is read as it comes and never held whole: each try
// calls start first, and what start returns with each row. A row that cannot be
// read comes with its error, and with its author as far as that can be told. After
// an error nothing that was told counts.
func (c *Client) AllIssues(ctx context.Context, maxBytes int64, start func() func(scoring.IssueRow, error)) (AllIssues, error) {
	var all AllIssues
	err := c.ask(ctx, request{
		method: http.MethodGet,
		route:  "/api/v1/dashboard/issues",
		path:   "/api/v1/dashboard/issues",
		query:  url.Values{"since": {epoch}},
		limit:  limit{"the bound of the answer", maxBytes},
		stream: func(body io.Reader) (err error) {
			all, err = decodeAllIssues(body, start())
			return err
		},
		holds: func() (items, malformed int) { return all.Rows - all.Unreadable, all.Unreadable },
	})
	return all, err
}

// decodeAllIssues reads the answer token by token: in memory is one row at a time.
func decodeAllIssues(body io.Reader, row func(scoring.IssueRow, error)) (AllIssues, error) {
	d := rowDecoder{Decoder: json.NewDecoder(body), row: row, top: item{}}
	if err := d.object(); err != nil {
		return AllIssues{}, err
	}
	r := &reader{}
	if since := take(r, d.top.instant, "since"); r.err == nil && since.Unix() != 0 {
		r.err = fmt.Errorf("%w: since is %s, want %s", errOther, since.Format(time.RFC3339Nano), epoch)
	}
	d.all.GeneratedAt = take(r, d.top.instant, "generated_at")
	switch {
	case r.err != nil:
	case !d.listed:
		r.err = errors.New("issues is missing, want a list")
	case d.all.GeneratedAt.IsZero():
		r.err = d.top.wrong("generated_at", "a date")
	}
	if r.err != nil {
		return AllIssues{}, r.err
	}
	d.all.Malformed = d.skipped.list()
	d.all.Unreadable = d.skipped.count
	return d.all, nil
}

// rowDecoder reads the answer's one object and its list.
type rowDecoder struct {
	*json.Decoder

	row     func(scoring.IssueRow, error)
	top     item // the fields beside the list
	listed  bool
	all     AllIssues
	skipped skipped
}

// object reads the answer to its end.
func (d *rowDecoder) object() error {
	if err := d.delimiter('{'); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("reading a key: %w", err)
		}
		if key == "issues" {
			err = d.list()
		} else {
			err = d.field(fmt.Sprint(key))
		}
		if err != nil {
			return err
		}
	}
	if err := d.delimiter('}'); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return after(err)
	}
	return nil
}

// after is what comes after the answer's end: more of it, or the error of reading on.
func after(err error) error {
	if err == nil {
		return errors.New("more than one value, want one object")
	}
	return fmt.Errorf("reading beyond the object: %w", err)
}

// delimiter reads one bracket.
func (d *rowDecoder) delimiter(want json.Delim) error {
	got, err := d.Token()
	switch {
	case err != nil:
		return fmt.Errorf("reading %q: %w", want, err)
	case got != want:
		return fmt.Errorf("not %q but %.60q", want, fmt.Sprint(got))
	}
	return nil
}

// field keeps a field that is read later.
func (d *rowDecoder) field(key string) error {
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("reading %.60q: %w", key, err)
	}
	if key == "since" || key == "generated_at" {
		d.top[key] = value
	}
	return nil
}

// list reads the rows. The answer has them once: rows that have been told cannot
// be taken back for a second list.
func (d *rowDecoder) list() error {
	if d.listed {
		return errors.New("issues are there twice")
	}
	d.listed = true
	if err := d.delimiter('['); err != nil {
		return fmt.Errorf("issues: %w", err)
	}
	var raw json.RawMessage
	for d.More() {
		raw = raw[:0]
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("reading row %d: %w", d.all.Rows+1, err)
		}
		d.all.Rows++
		it, err := object(raw)
		var row scoring.IssueRow
		if err == nil {
			row, err = decodeIssueRow(it)
		}
		if err != nil {
			d.skipped.add(func() string { return it.name(d.all.Rows, "issue_number") }, err)
		}
		d.row(row, err)
	}
	return d.delimiter(']')
}

// decodeIssueRow reads a row as decodeIssue reads the same issue. More than that, it
// wants a state that is one of the mirror's two: who is told of a row that makes no
// sense can ask for the miner's own lists.
func decodeIssueRow(it item) (scoring.IssueRow, error) {
	r := &reader{}
	check(r, it.id, "author_github_id")
	row := scoring.IssueRow{
		AuthorID:   it.optionalID("author_github_id"),
		Repository: take(r, it.lowered, "repo_full_name"),
		State:      scoring.State(take(r, it.wanted, "state")),
		CreatedAt:  take(r, it.instant, "created_at"),
		ClosedAt:   take(r, it.instant, "closed_at"),
	}
	check(r, it.number, "issue_number")
	if r.err == nil && row.State != scoring.Open && row.State != scoring.Closed {
		r.err = it.wrong("state", "OPEN or CLOSED")
	}
	return row, r.err
}
