package mirrorsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// issueRow is an issue as the one answer has it. Fields that an item lacks, or has
// otherwise than the mirror, are as they are: the rows say of an issue what the
// miner's lists say.
type issueRow struct {
	RepoFullName   json.RawMessage `json:"repo_full_name,omitempty"`
	Number         json.RawMessage `json:"issue_number,omitempty"`
	AuthorGitHubID *string         `json:"author_github_id"` // whose list the issue is in
	CreatedAt      json.RawMessage `json:"created_at,omitempty"`
	ClosedAt       json.RawMessage `json:"closed_at,omitempty"`
	State          json.RawMessage `json:"state,omitempty"`
	StateReason    json.RawMessage `json:"state_reason,omitempty"`
	SolvingPR      *mergedAt       `json:"solving_pr"`
}

type mergedAt struct {
	MergedAt json.RawMessage `json:"merged_at"`
}

// allIssues answers every issue that was created or closed since an instant. It is
// the one answer that is of now, whenever the world stands still: clients tell by
// generated_at whether it is too old.
func (s *Server) allIssues(r *http.Request, _ []byte) answer {
	since, err := parseDate(r.URL.Query().Get("since"))
	if err != nil {
		return refusal(http.StatusBadRequest, "since: %v", err)
	}
	world := s.world.Load()
	rows, err := world.issueRows()
	if key := s.failing("issues:", "open_issues:"); key != "" {
		err = fmt.Errorf("the look-up %s fails, which an answer that does not would contradict", key)
	}
	if err != nil {
		return refusal(http.StatusNotFound, "the world %s has no answer on all issues: %v", world.Name, err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"since":%q,"generated_at":%q,"issues":[`, since.UTC().Format(stamp), time.Now().UTC().Format(stamp))
	sent := 0
	for _, row := range rows {
		if !row.since(since) {
			continue
		}
		if sent++; sent > 1 {
			out.WriteByte(',')
		}
		out.Write(encode(row))
	}
	out.WriteString("]}")
	return ok(out.Bytes())
}

// since says whether an issue was created or closed since an instant; one that does
// not say when it was created is as old as the client wants.
func (row *issueRow) since(at time.Time) bool {
	created, known := date(row.CreatedAt)
	if !known || !created.Before(at) {
		return true
	}
	closed, known := date(row.ClosedAt)
	return known && !closed.Before(at) && text(row.State) == string(scoring.Closed)
}

// failing is a request key of one of these kinds whose requests fail now, "" for none.
func (s *Server) failing(kinds ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.fails)) {
		if s.fails[key].Times != 0 && slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(key, kind) }) {
			return key
		}
	}
	return ""
}

// issueRows are the issues of all authors. The error says how the lists of an author
// contradict each other: then there is no one set of issues that they are of.
func (w *World) issueRows() ([]issueRow, error) {
	registry, err := input.ParseRegistry(w.Registry)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	windows := lookback{byRepo: map[string]time.Time{}}
	for name, since := range registry.Windows(w.AsOf) {
		windows.byRepo[strings.ToLower(name)] = since
	}
	authors := map[string]bool{}
	for _, lists := range []map[string][]item{w.issues, w.openIssues} {
		for id := range lists {
			authors[id] = true
		}
	}
	var rows []issueRow
	for _, id := range slices.Sorted(maps.Keys(authors)) {
		of, err := w.rowsOf(id, windows)
		if err != nil {
			return nil, fmt.Errorf("issues of %s: %w", id, err)
		}
		rows = append(rows, of...)
	}
	return rows, nil
}

// rowsOf are the issues of one author: those of the open list, and those of the
// other that are not there.
func (w *World) rowsOf(id string, windows lookback) ([]issueRow, error) {
	var author *string // the issues of nobody are kept under ""
	if id != "" {
		author = &id
	}
	open := map[string]bool{}
	var rows []issueRow
	for _, it := range w.openIssues[id] {
		row, err := newIssueRow(it.raw, author)
		if err != nil {
			return nil, err
		}
		open[row.name()] = true
		rows = append(rows, row)
	}
	listed, inside := map[string]bool{}, false
	for _, it := range w.issues[id] {
		row, err := newIssueRow(it.raw, author)
		if err != nil {
			return nil, err
		}
		name := row.name()
		listed[name] = true
		inside = inside || row.inside(windows)
		switch state := text(row.State); {
		case state == string(scoring.Open) && !open[name]:
			return nil, fmt.Errorf("%s is open and not in the list of open ones", name)
		case state == string(scoring.Closed) && open[name] && w.asListed:
			return nil, fmt.Errorf("%s is closed and in the list of open ones", name)
		case !open[name] || state == string(scoring.Closed):
			rows = append(rows, row)
		}
	}
	if !w.asListed { // both lists are made of one
		return rows, nil
	}
	for i := range rows {
		if row := &rows[i]; row.inside(windows) && !listed[row.name()] {
			return nil, fmt.Errorf("%s is inside its window and not listed", row.name())
		}
	}
	if len(listed) > 0 && !inside {
		return nil, errors.New("none of those that are listed is inside its window")
	}
	return rows, nil
}

// newIssueRow takes from an item what the answer says of it. An open issue that is
// malformed where the answer does not show it is in no table of the mirror's, and
// neither is what is no object.
func newIssueRow(raw json.RawMessage, author *string) (issueRow, error) {
	row := issueRow{AuthorGitHubID: author}
	var fields struct {
		issueRow

		AuthorGitHubID json.RawMessage `json:"author_github_id"`
		SolvingPR      json.RawMessage `json:"solving_pr"`
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return row, errors.New("one is not an object")
	}
	row = fields.issueRow
	row.AuthorGitHubID = author
	if name := text(row.RepoFullName); name != "" {
		row.RepoFullName = encode(strings.ToLower(name))
	}
	var solving struct {
		mergedAt
	}
	if json.Unmarshal(fields.SolvingPR, &solving) == nil && len(solving.MergedAt) > 0 && string(solving.MergedAt) != "null" {
		row.SolvingPR = &solving.mergedAt
	}
	if text(row.State) != string(scoring.Open) {
		return row, nil
	}
	var hidden struct {
		UpdatedAt    *time.Time                   `json:"updated_at"`
		LastEditedAt *time.Time                   `json:"last_edited_at"`
		Labels       []map[string]json.RawMessage `json:"labels"`
		SolvingPR    *SolvingPR                   `json:"solving_pr"`
	}
	if err := json.Unmarshal(raw, &hidden); err != nil {
		return row, fmt.Errorf("%s is malformed where the answer does not show it: %w", row.name(), err)
	}
	for _, label := range hidden.Labels {
		if _, named := label["name"]; !named {
			return row, fmt.Errorf("%s has a label without a name, which the answer does not show", row.name())
		}
	}
	return row, nil
}

// name is the issue's, for errors and for telling one from another.
func (row *issueRow) name() string {
	return text(row.RepoFullName) + "#" + strings.Trim(string(row.Number), `"`)
}

// inside says whether a request with windows lists the issue.
func (row *issueRow) inside(windows lookback) bool {
	at, known := date(row.CreatedAt)
	switch text(row.State) {
	case string(scoring.Open):
	case string(scoring.Closed):
		at, known = date(row.ClosedAt)
	default:
		return false
	}
	return known && windows.allows(item{repo: text(row.RepoFullName), instant: at})
}

// text is a field's text, "" for a field of another type.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // a value of another type stays ""
	return s
}

// date is a field's instant.
func date(raw json.RawMessage) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text(raw))
	return at, err == nil
}
