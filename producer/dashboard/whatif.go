package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/whatif"
)

// The changes of a what-if are in its address: change=KIND TEXT, as often as there are
// changes, each as the flags of `producer what-if` have it. The controls add one by
// set=KIND, about=ITEM and value=TEXT, which lead to the address with it. Only a registry is
// too large for an address: it is sent, and the address that it leads to has its digest.

// whatIfPath is that of a what-if.
const whatIfPath = "/rounds/{id}/miners/{uid}/what-if"

// maxRegistry bounds a registry that is sent, in bytes; the API has the same bound.
const maxRegistry = 1 << 20

// whatIfBody is the page of a what-if.
type whatIfBody struct {
	At      place
	UID     int
	Changes []changeRow
	// Kept are the changes of the address, for the forms.
	Kept []string
	// Pulls and Issues are what can be changed; About is the one that is chosen.
	Pulls, Issues []string
	About         string
	// Registry is another one, RegistryID is what the address has for it; "" for none.
	Registry, RegistryID string
	// Refused says why there is no answer; nil for none, and without a change.
	Refused *web.ProblemError
	Answer  *whatIfAnswer
}

// changeRow is a change, with the address without it.
type changeRow struct{ Text, Without string }

// whatIfAnswer is a round as it would be.
type whatIfAnswer struct {
	view.WhatIf

	Was, Would, Change string
	Kind               string // good for more, bad for less
	Rows               []differenceRow
	PullRows           []pullDifferenceRow
	Parts              []repositoryPart
	Notes              []view.Note
}

type differenceRow struct {
	UID                   int
	Link                  string
	Asked                 bool
	Score, Issues, Reward was
}

// was is a figure before and after.
type was struct {
	Old, New, Change string // Change is "" for an equal one
	Kind             string // good for more, bad for less
}

type pullDifferenceRow struct {
	Name, Link         string
	Was, Is            badge
	Earned, Collateral was
}

// whatIf is the page of a what-if. A POST brings a registry, and leads to the address that asks
// with it.
func (d *Dashboard) whatIf(r *http.Request) (page, error) {
	uid, err := uidOf(r)
	if err != nil {
		return page{}, err
	}
	at, result, err := d.outcomeOf(r)
	if err != nil {
		return page{}, err
	}
	m, err := view.MinerIn(&result, uid)
	if err != nil {
		return page{}, notFound(err)
	}
	query := r.URL.Query()
	body := whatIfBody{
		At:    at,
		UID:   uid,
		Kept:  query["change"],
		About: query.Get("about"),
	}
	if r.Method == http.MethodPost {
		registry, err := sentRegistry(r)
		body.RegistryID = d.registries.keep(registry)
		return page{Redirect: body.address(body.Kept)}, err
	}
	registry, gone := d.registries.of(query.Get("registry"))
	if len(registry) > 0 {
		body.Registry, body.RegistryID = string(registry), query.Get("registry")
	}
	body.Pulls, body.Issues = changeable(m)
	kind := query.Get("set")
	switch {
	case kind != "":
		change, err := composed(kind, query)
		if err == nil {
			return page{Redirect: body.address(append(slices.Clone(body.Kept), change))}, nil
		}
		body.Refused = syntaxProblem(err)
	case gone != nil:
		body.Refused = refusal(gone)
	case len(body.Kept)+len(registry) > 0:
		body.Answer, err = d.answer(r, at, result, uid, body.Kept, registry)
		if body.Refused = refusal(err); err != nil && body.Refused == nil {
			return page{}, err
		}
	}
	body.rows()
	p := page{
		Template: "what-if",
		Title:    fmt.Sprintf("What if, miner %d · %s", uid, at.Round),
		Nav:      "Rounds",
		Body:     &body,
	}
	if body.Refused != nil {
		p.Status = body.Refused.Status
	}
	return p, nil
}

// address asks with the page's registry, and with some changes.
func (b *whatIfBody) address(changes []string) string {
	query := url.Values{}
	if len(changes) > 0 {
		query["change"] = changes
	}
	if b.RegistryID != "" {
		query.Set("registry", b.RegistryID)
	}
	return b.At.to(query, "miners", strconv.Itoa(b.UID), "what-if")
}

// Itself is the page without another registry.
func (b *whatIfBody) Itself() string { return b.At.WhatIf(b.UID, b.Kept...) }

// Asked is how much is asked: the changes, and another registry.
func (b *whatIfBody) Asked() int {
	if b.RegistryID != "" {
		return len(b.Changes) + 1
	}
	return len(b.Changes)
}

// changeable are the names of what a miner's round can change: its pull requests, the dropped
// ones too, and its issues.
func changeable(m *scoring.MinerOutcome) (pulls, issues []string) {
	for _, name := range view.PullsOf(m) {
		pulls = append(pulls, name.String())
	}
	for i := range m.Issues {
		issues = append(issues, itemName(m.Issues[i].Repository, m.Issues[i].Number))
	}
	slices.Sort(issues)
	return pulls, slices.Compact(issues)
}

// sentRegistry is the registry of a POST, typed or as a file; nil for none.
func sentRegistry(r *http.Request) (json.RawMessage, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	tooLarge := &web.ProblemError{
		Status: http.StatusRequestEntityTooLarge,
		Title:  "The registry is too large",
		Detail: "1 MiB is the maximum",
		Todo:   "Go back, and leave out the repositories that the round does not have.",
	}
	err := r.ParseMultipartForm(maxBody(whatIfPath)) //nolint:gosec // serve bounds it
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge
	}
	if err != nil {
		return nil, &web.ProblemError{
			Status: http.StatusBadRequest,
			Title:  "The form cannot be read",
			Detail: shorten(err.Error(), 200),
			Todo:   "Go back and send it again.",
		}
	}
	registry := []byte(r.PostForm.Get("registry"))
	if file, _, err := r.FormFile("file"); err == nil {
		defer file.Close()
		sent, err := io.ReadAll(file)
		if err != nil {
			return nil, fmt.Errorf("reading the file that was sent: %w", err)
		}
		if len(sent) > 0 {
			registry = sent
		}
	}
	if len(registry) > maxRegistry {
		return nil, tooLarge
	}
	return bytes.TrimSpace(registry), nil
}

// composed makes a change of what the controls say. An instant without a zone is UTC.
func composed(kind string, query url.Values) (string, error) {
	about, value := strings.TrimSpace(query.Get("about")), strings.TrimSpace(query.Get("value"))
	const typed, full = "2006-01-02T15:04", "2006-01-02T15:04:05"
	switch whatif.Kind(kind) {
	case whatif.Merge, whatif.Close, whatif.Date:
		switch len(value) {
		case len(typed):
			value += ":00Z"
		case len(full):
			value += "Z"
		}
	case whatif.Approve:
		value = ""
	case whatif.Label, whatif.Unlabel, whatif.Link, whatif.Unlink:
	}
	if kind == string(whatif.Date) {
		about += ":" + query.Get("field")
	}
	change := kind + " " + about
	if value != "" {
		change += "=" + value
	}
	asked, err := askedOf([]string{change})
	if err == nil {
		_, err = asked.Changes()
	}
	return change, err
}

// askedOf reads the changes of an address.
func askedOf(changes []string) (whatif.Asked, error) {
	var asked whatif.Asked
	for _, change := range changes {
		kind, text, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(change), "--"), " ")
		if !slices.Contains(whatif.Kinds(), whatif.Kind(kind)) {
			names := make([]string, len(whatif.Kinds()))
			for i, known := range whatif.Kinds() {
				names[i] = string(known)
			}
			return asked, badQuery("change", change, "want one of "+strings.Join(names, ", ")+", a blank, and what is changed")
		}
		list := asked.Of(whatif.Kind(kind))
		*list = append(*list, strings.TrimSpace(text))
	}
	return asked, nil
}

// answer asks what the round would be.
func (d *Dashboard) answer(
	r *http.Request, at place, result outcome.Result, uid int, changes []string, registry json.RawMessage,
) (*whatIfAnswer, error) {
	asked, err := askedOf(changes)
	if err != nil {
		return nil, err
	}
	asked.Registry = registry
	found, err := view.WhatIfOf(r.Context(), d.cfg.Bus, result, uid, asked)
	if err != nil {
		return nil, err
	}
	return answerOf(at, found, view.RewardsPath(&result, uid).Reward), nil
}

func answerOf(at place, found view.WhatIf, before float64) *whatIfAnswer {
	reward := wasOf(outcome.Figures{Old: before, New: found.Then.Rewards.Reward}, rewardDigits)
	a := &whatIfAnswer{
		WhatIf: found,
		Was:    reward.Old,
		Would:  reward.New,
		Change: reward.Change,
		Kind:   reward.Kind,
		Parts:  partsOf(at, &found.Then),
		Notes:  found.Then.Notes(),
	}
	for _, d := range found.Miners {
		a.Rows = append(a.Rows, differenceRow{
			UID:    d.UID,
			Link:   at.Miner(d.UID),
			Asked:  d.UID == found.UID,
			Score:  wasOf(d.Score, scoreDigits),
			Issues: wasOf(d.Issues, scoreDigits),
			Reward: wasOf(d.Reward, rewardDigits),
		})
	}
	for _, d := range found.Pulls {
		a.PullRows = append(a.PullRows, pullDifferenceRow{
			Name:       itemName(d.Repository, d.Number),
			Link:       at.Pull(d.Repository, d.Number),
			Was:        loadedState(d.Was),
			Is:         loadedState(d.Is),
			Earned:     wasOf(d.Earned, scoreDigits),
			Collateral: wasOf(d.Collateral, scoreDigits),
		})
	}
	return a
}

func loadedState(s scoring.State) badge {
	if s == "" {
		return badge{"dropped", ""}
	}
	return stateOf(s)
}

func wasOf(f outcome.Figures, digits int) was {
	w := was{Old: decimals(f.Old, digits), New: decimals(f.New, digits)}
	switch {
	case f.New > f.Old:
		w.Kind = "good"
	case f.New < f.Old:
		w.Kind = "bad"
	default:
		return w
	}
	w.Change = signed(f.New-f.Old, digits)
	return w
}

// refusal says why a change gives no answer, on the page itself; nil for another error.
func refusal(err error) *web.ProblemError {
	if _, syntax := errors.AsType[*whatif.SyntaxError](err); syntax {
		return syntaxProblem(err)
	}
	_, missing := errors.AsType[*whatif.NotKeptError](err)
	p, query := errors.AsType[*web.ProblemError](err)
	switch {
	case query:
		return p
	case errors.Is(err, whatif.ErrImpossible):
		return &web.ProblemError{
			Status: http.StatusBadRequest,
			Title:  "There is no answer",
			Detail: err.Error(),
			Todo:   "Leave it out, or change something else.",
		}
	case missing, errors.Is(err, view.ErrNotKept):
		return &web.ProblemError{
			Status: http.StatusConflict,
			Title:  "There is no answer: nothing is guessed",
			Detail: err.Error(),
			Todo:   "Leave it out, or change something else.",
		}
	}
	return nil
}

func syntaxProblem(err error) *web.ProblemError {
	if p, is := errors.AsType[*web.ProblemError](err); is {
		return p
	}
	return &web.ProblemError{
		Status: http.StatusBadRequest,
		Title:  "The change cannot be read",
		Detail: err.Error(),
		Todo:   "Choose again, or leave it out.",
	}
}

// rows says the changes in words, as far as they can be read, and how each is left out.
func (b *whatIfBody) rows() {
	for i, text := range b.Kept {
		row := changeRow{Text: text, Without: b.address(slices.Delete(slices.Clone(b.Kept), i, i+1))}
		if asked, err := askedOf([]string{text}); err == nil {
			if list, err := asked.Changes(); err == nil && len(list) == 1 {
				row.Text = list[0].String()
			}
		}
		b.Changes = append(b.Changes, row)
	}
	if b.About == "" && len(b.Pulls) > 0 {
		b.About = b.Pulls[0]
	}
}
