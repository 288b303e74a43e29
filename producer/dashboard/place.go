package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
)

// place is a revision of a round's outcome, as links lead to it.
type place struct {
	Round string
	// Revision is the one that the address names; 0 for the last one, whichever that is.
	Revision int
}

// outcomeOf finds the outcome that an address names by its path and ?revision=. The place is
// right beside view.ErrNotConcluded too.
func (d *Dashboard) outcomeOf(r *http.Request) (place, outcome.Result, error) {
	name, err := d.roundOf(r)
	at := place{Round: name}
	if err != nil {
		return at, outcome.Result{}, err
	}
	if at.Revision, err = revisionIn(r.URL.Query(), "revision"); err != nil {
		return at, outcome.Result{}, err
	}
	ref, err := view.Locate(r.Context(), d.cfg.Bus, name, at.Revision)
	if err != nil {
		return at, outcome.Result{}, err
	}
	result, err := d.outcomes.read(r.Context(), d.cfg.Bus, ref)
	return at, result, err
}

// to is the address of a part of the round, in the same revision. The parts are escaped.
func (p place) to(query url.Values, parts ...string) string {
	path := "/rounds/" + url.PathEscape(p.Round) + escaped(parts)
	if p.Revision > 0 {
		if query == nil {
			query = url.Values{}
		}
		query.Set("revision", strconv.Itoa(p.Revision))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// Itself is the round.
func (p place) Itself() string { return p.to(nil) }

// Repositories are all of the round's.
func (p place) Repositories() string { return p.to(nil, "repositories") }

// Miner is a miner's page.
func (p place) Miner(uid int) string { return p.to(nil, "miners", strconv.Itoa(uid)) }

// Levers are a miner's.
func (p place) Levers(uid int) string { return p.to(nil, "miners", strconv.Itoa(uid), "levers") }

// WhatIf is a what-if of a miner, with the changes given.
func (p place) WhatIf(uid int, changes ...string) string {
	query := url.Values{}
	if len(changes) > 0 {
		query["change"] = changes
	}
	return p.to(query, "miners", strconv.Itoa(uid), "what-if")
}

// WhatIfAbout is a what-if of a miner whose controls have a pull request or an issue chosen.
func (p place) WhatIfAbout(uid int, repository string, number int) string {
	return p.to(url.Values{"about": {itemName(repository, number)}}, "miners", strconv.Itoa(uid), "what-if")
}

// Pull is the page of a pull request.
func (p place) Pull(repository string, number int) string {
	owner, name, _ := strings.Cut(repository, "/")
	return p.to(nil, "pulls", owner, name, strconv.Itoa(number))
}

// Repository is the page of a repository.
func (p place) Repository(repository string) string {
	owner, name, _ := strings.Cut(repository, "/")
	return p.to(nil, "repositories", owner, name)
}

// JSON is the address of a part of the round in the API.
func (p place) JSON(parts ...string) string { return "/api/v1" + p.to(nil, parts...) }

// escaped are parts of a path, each after a slash.
func escaped(parts []string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteByte('/')
		path.WriteString(url.PathEscape(part))
	}
	return path.String()
}

func itemName(repository string, number int) string { return repository + "#" + strconv.Itoa(number) }

// Addresses on GitHub. Names come from outside: each part is escaped.

func onGitHub(repository string, parts ...string) string {
	return "https://github.com" + escaped(append(strings.SplitN(repository, "/", 2), parts...))
}

// pullOnGitHub is also right for an issue, which GitHub redirects.
func pullOnGitHub(repository string, number int) string {
	return onGitHub(repository, "pull", strconv.Itoa(number))
}

func issueOnGitHub(repository string, number int) string {
	return onGitHub(repository, "issues", strconv.Itoa(number))
}

// uidOf is the miner of the path.
func uidOf(r *http.Request) (int, error) {
	uid, err := strconv.Atoi(r.PathValue("uid"))
	if err != nil || uid < 0 {
		return 0, &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "There is no such miner in the round",
			Detail: "uid " + strconv.Quote(shorten(r.PathValue("uid"), 40)) + ": want a whole number from 0",
			Todo:   "The round lists its miners.",
		}
	}
	return uid, nil
}

// notFound makes a page of what an error names as not there.
func notFound(err error) error {
	for _, known := range []struct {
		is          error
		title, todo string
	}{
		{view.ErrFirst, "There is nothing to compare", "A replay makes another revision of the outcome."},
		{view.ErrNoMiner, "There is no such miner in the round", "Choose one of these."},
		{view.ErrNoPull, "There is no such pull request in the round", "Look for it in another round, or begin with its author."},
		{view.ErrNoRepository, "There is no such repository in the round", "Choose one of these."},
	} {
		if errors.Is(err, known.is) {
			return &web.ProblemError{
				Status: http.StatusNotFound,
				Title:  known.title,
				Detail: err.Error(),
				Todo:   known.todo,
			}
		}
	}
	return err
}

// shorten cuts a text that is too long to show.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
