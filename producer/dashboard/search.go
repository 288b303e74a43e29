package dashboard

import (
	"fmt"
	"net/http"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
)

// searchBody is what a search has found, by kind.
type searchBody struct {
	Query string
	Round string // that was searched; "" without a concluded one
	Kinds []foundKind
}

type foundKind struct {
	Title string
	Hits  []hit
	More  int // that are not listed
}

// hit is one thing that was found.
type hit struct{ Link, Name, Text string }

// hitsListed is how many of a kind are listed. Whoever gets more wants to say more.
const hitsListed = 50

// search looks in the last concluded round, and among the names of all. One hit leads to its
// page at once.
func (d *Dashboard) search(r *http.Request) (page, error) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	body := searchBody{Query: text}
	p := page{Template: "search", Title: "Search"}
	if text == "" {
		p.Body = body
		return p, nil
	}
	ctx := r.Context()
	var result outcome.Result
	last, err := view.LastConcluded(ctx, d.cfg.Bus)
	if err == nil && last != "" {
		var at view.OutcomeRef
		if at, err = view.Locate(ctx, d.cfg.Bus, last, 0); err == nil {
			result, err = d.outcomes.read(ctx, d.cfg.Bus, at)
		}
	}
	if err != nil {
		return page{}, err
	}
	rounds, err := d.cfg.Bus.Rounds.List(ctx)
	if err != nil {
		return page{}, fmt.Errorf("listing the rounds: %w", err)
	}
	found := view.Search(&result, rounds, text)
	if len(found) == 1 {
		return page{Redirect: linkOf(&found[0])}, nil
	}
	body.Round = last
	body.Kinds = byKind(found)
	p.Title = fmt.Sprintf("%.40s · Search", text)
	p.Body = body
	return p, nil
}

// byKind lists what was found by its kind.
func byKind(found []view.Found) (kinds []foundKind) {
	titles := map[view.FoundKind]string{
		view.FoundMiner:      "Miners",
		view.FoundPull:       "Pull requests",
		view.FoundRepository: "Repositories",
		view.FoundRound:      "Rounds",
	}
	for _, kind := range []view.FoundKind{view.FoundMiner, view.FoundPull, view.FoundRepository, view.FoundRound} {
		k := foundKind{Title: titles[kind]}
		for i := range found {
			switch f := &found[i]; {
			case f.Kind != kind:
			case len(k.Hits) == hitsListed:
				k.More++
			default:
				k.Hits = append(k.Hits, hitOf(f))
			}
		}
		if len(k.Hits) > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func hitOf(f *view.Found) hit {
	h := hit{Link: linkOf(f), Name: f.Text}
	switch f.Kind {
	case view.FoundMiner:
		h.Name, h.Text = fmt.Sprintf("Miner %d", f.UID), f.Text
	case view.FoundPull:
		h.Text = fmt.Sprintf("of miner %d", f.UID)
	case view.FoundRepository, view.FoundRound:
	}
	return h
}

// linkOf is the page of what was found.
func linkOf(f *view.Found) string {
	at := place{Round: f.Round}
	switch f.Kind {
	case view.FoundMiner:
		return at.Miner(f.UID)
	case view.FoundPull:
		return at.Pull(f.Pull.Repository, f.Pull.Number)
	case view.FoundRepository:
		return at.Repository(f.Pull.Repository)
	case view.FoundRound:
	}
	return at.Itself()
}
