package view

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/whatif"
)

// FoundKind is what a search has found.
type FoundKind string

// The kinds, in the order in which they are listed.
const (
	FoundMiner      FoundKind = "miner"
	FoundPull       FoundKind = "pull request"
	FoundRepository FoundKind = "repository"
	FoundRound      FoundKind = "round"
)

// Found is one thing that a search has found.
type Found struct {
	Kind  FoundKind
	Round string // in which it is; the round itself for a FoundRound
	// UID is that of the miner, or of the miner that has the pull request.
	UID  int
	Pull PullName // its Repository alone for a FoundRepository
	// Text says what of it was found, such as the hotkey.
	Text string
}

// minPart is how many characters a part of a name must have to be looked for: fewer are in
// everything.
const minPart = 3

// Search looks for a text in an outcome and among the names of rounds: for a uid, a hotkey or
// its beginning, an account of GitHub by id or login, a repository, a pull request
// (owner/name#n, #n, or its address on GitHub), or a round's name. What has exactly that name
// comes alone; otherwise whatever has it as a part comes.
func Search(r *outcome.Result, rounds []string, text string) []Found {
	q := queryOf(text)
	if q.text == "" {
		return nil
	}
	exact, part := q.search(r, rounds)
	if len(exact) > 0 {
		return exact
	}
	return part
}

// query is what is looked for.
type query struct {
	text   string // lower-cased
	number int    // -1 for a text that is no number
	pull   PullName
}

// queryOf reads a text as people write or paste it.
func queryOf(text string) query {
	q := query{text: strings.ToLower(strings.TrimSpace(text)), number: -1}
	q.text = fromGitHub(q.text)
	for _, word := range []string{"uid ", "miner "} {
		q.text = strings.TrimSpace(strings.TrimPrefix(q.text, word))
	}
	q.text = strings.TrimPrefix(q.text, "@") // a login
	if item, ok := whatif.ParseItem(q.text); ok {
		q.pull = PullName(item)
	} else if digits, is := strings.CutPrefix(q.text, "#"); is {
		if n, err := strconv.Atoi(digits); err == nil {
			q.pull.Number = n
		}
	}
	if n, err := strconv.Atoi(q.text); err == nil && n >= 0 {
		q.number = n
	}
	return q
}

// fromGitHub is what an address on GitHub names: owner/name#n, owner/name or a login. Any
// other text stays as it is.
func fromGitHub(text string) string {
	rest, is := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://"), "github.com/")
	if !is {
		return text
	}
	if u, err := url.Parse(rest); err == nil {
		rest = u.Path
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case len(parts) >= 4 && slices.Contains([]string{"pull", "pulls", "issues"}, parts[2]):
		return parts[0] + "/" + parts[1] + "#" + parts[3]
	case len(parts) >= 2:
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// search finds what has exactly the name that is looked for, and what has it as a part.
func (q query) search(r *outcome.Result, rounds []string) (exact, part []Found) {
	add := func(f Found, names ...string) {
		f.Round = cmp.Or(f.Round, r.Round)
		for _, name := range names {
			f.Text = name
			switch lower := strings.ToLower(name); {
			case name == "":
			case lower == q.text:
				exact = append(exact, f)
				return
			case len(q.text) >= minPart && strings.Contains(lower, q.text):
				part = append(part, f)
				return
			}
		}
	}
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		if m.UID == q.number {
			exact = append(exact, Found{
				Kind:  FoundMiner,
				Round: r.Round,
				UID:   m.UID,
				Text:  m.Hotkey,
			})
			continue
		}
		account := m.GitHubID
		if account == input.NoGitHubID {
			account = ""
		}
		add(Found{Kind: FoundMiner, UID: m.UID}, append([]string{m.Hotkey, account}, loginsOf(m)...)...)
	}
	exact = append(exact, q.pulls(r)...)
	for _, name := range repositoriesOf(r) {
		add(Found{Kind: FoundRepository, Pull: PullName{Repository: name}}, name)
	}
	for _, name := range slices.Backward(rounds) {
		add(Found{Kind: FoundRound, Round: name}, name)
	}
	return exact, part
}

// pulls are the pull requests that are named by their numbers.
func (q query) pulls(r *outcome.Result) (found []Found) {
	if q.pull.Number == 0 {
		return nil
	}
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		for _, name := range PullsOf(m) {
			if name.Number == q.pull.Number && (q.pull.Repository == "" || name.Repository == q.pull.Repository) {
				found = append(found, Found{
					Kind:  FoundPull,
					Round: r.Round,
					UID:   m.UID,
					Pull:  name,
					Text:  name.String(),
				})
			}
		}
	}
	return found
}

// loginsOf are the names of a miner's account, as its pull requests have them: a login may
// change.
func loginsOf(m *scoring.MinerOutcome) (logins []string) {
	for i := range m.PullRequests {
		if l := m.PullRequests[i].Listed; l != nil && l.AuthorLogin != "" && !slices.Contains(logins, l.AuthorLogin) {
			logins = append(logins, l.AuthorLogin)
		}
	}
	return logins
}

// repositoriesOf are the repositories of the registry, and those that miners have pull
// requests in, by name.
func repositoriesOf(r *outcome.Result) []string {
	var names []string
	for i := range r.Outcome.Emission {
		names = append(names, r.Outcome.Emission[i].Repository)
	}
	for i := range r.Outcome.Miners {
		for _, pull := range PullsOf(&r.Outcome.Miners[i]) {
			names = append(names, pull.Repository)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
