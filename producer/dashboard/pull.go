package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/tokens"
)

// pullBody is the page of one pull request.
type pullBody struct {
	At         place
	UID        int
	Pull       view.PullRequest
	Of         view.PullName
	Name       string
	Title      string
	Login      string
	GitHub     string
	Repository string
	State      badge
	// Created and Merged are zero for unknown.
	Created, Merged time.Time
	Dropped         string // the rule that has dropped it; "" for none
	Unscored        string // why it is not scored; "" if it is
	Gives           string // what it comes to
	Fall            fall
	Labels, Linked  []judged
	Kinds           []fileKind
	Files           table[fileRow]
}

// judged is a label or a linked issue with the decision on it.
type judged struct {
	Name, By, Decision, Gives, GitHub string
	Counts                            bool
}

// fileKind are the files of one method and one language.
type fileKind struct {
	Method, Language    string
	Files, Nodes, Lines int
	Score               float64
}

// fileRow is a file of the table.
type fileRow struct {
	tokens.FileFigures

	Language string
	How      string // the method, in words
}

// pull is the page of a pull request: how its score comes about, and its files.
func (d *Dashboard) pull(r *http.Request) (page, error) {
	at, result, err := d.outcomeOf(r)
	if err != nil {
		return page{}, err
	}
	name, err := pullName(r)
	if err != nil {
		return page{}, err
	}
	uid, err := view.AuthorOf(&result, name)
	if err != nil {
		return page{}, notFound(err)
	}
	m, err := view.MinerIn(&result, uid)
	if err != nil {
		return page{}, notFound(err)
	}
	body := pullBody{
		At:         at,
		UID:        uid,
		Of:         name,
		Name:       name.String(),
		Login:      view.LoginOf(m),
		GitHub:     pullOnGitHub(name.Repository, name.Number),
		Repository: at.Repository(name.Repository),
	}
	if body.Pull, err = view.PullOf(r.Context(), d.cfg.Bus, result, m, name); err != nil {
		return page{}, notFound(err)
	}
	if dropped := body.Pull.Dropped; dropped != nil {
		body.State = stateOf(dropped.State)
		body.Dropped = codeText(dropped.Reason.Code)
	} else {
		body.scored(view.RewardsPath(&result, uid), name.Repository)
	}
	body.Files, err = body.files(r)
	return page{
		Template: "pull",
		Title:    name.String() + " · " + at.Round,
		Nav:      "Rounds",
		JSON:     at.JSON("miners", strconv.Itoa(uid)),
		Body:     body,
	}, err
}

// pullName is the pull request of the path.
func pullName(r *http.Request) (view.PullName, error) {
	number, err := strconv.Atoi(r.PathValue("number"))
	repository := strings.ToLower(r.PathValue("owner") + "/" + r.PathValue("name"))
	if err != nil || number < 1 {
		return view.PullName{}, &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "There is no such pull request",
			Detail: fmt.Sprintf("number %.40q: want a whole number from 1", r.PathValue("number")),
			Todo:   "Begin with the miner.",
		}
	}
	return view.PullName{Repository: repository, Number: number}, nil
}

func (b *pullBody) scored(path view.Path, repository string) {
	pull := b.Pull.PullRequest
	b.Title, b.State = pull.Title, stateOf(pull.State)
	b.Created, b.Merged = pull.CreatedAt, pull.MergedAt
	if !pull.Scored {
		b.Unscored = because(pull.Reasons.Base)
	}
	b.Fall = fallOf(b.Name, b.Pull.Derivation)
	for i := range path.Repositories {
		if r := &path.Repositories[i]; r.Repository == repository && b.Fall.Paid != "" {
			b.Fall.Share = fmt.Sprintf("at the rate of the slice of %s for all scores of %s",
				decimals(r.Pulls.Slice, rewardDigits), decimals(r.Pulls.All, scoreDigits))
		}
	}
	switch pull.State {
	case scoring.Merged:
		b.Gives = "earns " + decimals(pull.EarnedScore, scoreDigits)
	case scoring.Open:
		b.Gives = "holds back " + decimals(pull.CollateralScore, scoreDigits)
	case scoring.Closed:
		b.Gives = "earns nothing"
	}
	for _, l := range pull.Reasons.Labels {
		one := judged{
			Name:     l.Name,
			By:       strings.ToLower(l.Association),
			Decision: codeText(l.Code),
			Counts:   l.Code == scoring.LabelChosen,
		}
		if l.Multiplier != nil {
			one.Gives = fmt.Sprintf("× %s, by the pattern %q", trimmed(*l.Multiplier), l.Pattern)
		}
		b.Labels = append(b.Labels, one)
	}
	for _, l := range pull.Reasons.LinkedIssues {
		one := judged{
			Name:     "#" + strconv.Itoa(l.Number),
			Decision: because(l.Reason),
			GitHub:   issueOnGitHub(pull.Repository, l.Number),
			Counts:   l.Reason.Code == scoring.LinkedValid,
		}
		if l.Maintainer {
			one.By = "a maintainer"
		}
		b.Linked = append(b.Linked, one)
	}
	if pull.Tokens != nil {
		b.Kinds = kindsOf(pull.Tokens.Files)
	}
}

// methodText says how a file was scored.
func methodText(m tokens.Method) string {
	switch m {
	case tokens.MethodTreeDiff:
		return "by its syntax tree"
	case tokens.MethodLineCount:
		return "by its lines"
	case tokens.MethodSkipped:
		return "not scored: removed"
	case tokens.MethodSkippedBinary:
		return "not scored: no text"
	case tokens.MethodSkippedLarge:
		return "not scored: too large"
	case tokens.MethodSkippedNoGrammar:
		return "not scored: no language has its extension"
	case tokens.MethodSkippedNoBase:
		return "not scored: its base is missing"
	case tokens.MethodSkippedTimeout:
		return "not scored: out of time or memory"
	}
	return string(m)
}

func languageOf(file string) string { return cmp.Or(tokens.Extension(file), "none") }

// kindsOf adds up files by method and language, those that give most first.
func kindsOf(files []tokens.FileFigures) []fileKind {
	var kinds []fileKind
	for i := range files {
		f := &files[i]
		method, language := methodText(f.Method), languageOf(f.Filename)
		at := slices.IndexFunc(kinds, func(k fileKind) bool { return k.Method == method && k.Language == language })
		if at < 0 {
			at = len(kinds)
			kinds = append(kinds, fileKind{Method: method, Language: language})
		}
		kinds[at].Files++
		kinds[at].Nodes += f.Nodes
		kinds[at].Lines += f.Lines
		kinds[at].Score += f.Score
	}
	slices.SortStableFunc(kinds, func(a, b fileKind) int { return cmp.Compare(b.Score, a.Score) })
	return kinds
}

// files are the files, as the address asks for them.
func (b *pullBody) files(r *http.Request) (table[fileRow], error) {
	var rows []fileRow
	if p := b.Pull.PullRequest; p != nil && p.Tokens != nil {
		for _, f := range p.Tokens.Files {
			rows = append(rows, fileRow{f, languageOf(f.Filename), methodText(f.Method)})
		}
	}
	columns := []column[fileRow]{
		{"file", "File", false, by(func(r *fileRow) string { return r.Filename })},
		{"how", "Scored", false, by(func(r *fileRow) string { return r.How })},
		{"language", "Language", false, by(func(r *fileRow) string { return r.Language })},
		{"category", "Counts as", false, by(func(r *fileRow) string { return string(r.Category) })},
		{"lines", "Lines", true, by(func(r *fileRow) int { return r.Lines })},
		{"nodes", "Nodes", true, by(func(r *fileRow) int { return r.Nodes })},
		{"score", "Score", true, by(func(r *fileRow) float64 { return r.Score })},
	}
	return readTable(r, "files", columns, rows, "-score", func(row *fileRow, text string) bool {
		return strings.Contains(strings.ToLower(row.Filename+" "+row.How+" "+row.Language), text)
	})
}

// Diff says a tree diff in a sentence; "" for another method.
func (f fileRow) Diff() string {
	b := f.Breakdown
	if b == nil {
		return ""
	}
	return fmt.Sprintf("structural +%d (%s) −%d (%s), leaves +%d (%s) −%d (%s)",
		b.StructuralAddedCount, trimmed(b.StructuralAddedScore), b.StructuralDeletedCount, trimmed(b.StructuralDeletedScore),
		b.LeafAddedCount, trimmed(b.LeafAddedScore), b.LeafDeletedCount, trimmed(b.LeafDeletedScore))
}

// nodeSums says what a base score's tokens come to.
func nodeSums(p *scoring.PullRequestOutcome) string {
	return fmt.Sprintf("Token score %s: %s for %s, %s for %s.", trimmed(p.TokenScore),
		trimmed(p.StructuralScore), plural.Of(p.StructuralCount, "structural node"), trimmed(p.LeafScore), plural.Of(p.LeafCount, "leaf node"))
}
