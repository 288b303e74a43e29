package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// notice is a sentence on what a reader must know first. Said is a text from outside, which
// ends it.
type notice struct {
	Kind string // a class: good, warn, bad
	Text string
	Said string
}

// roundHead is the top of a round's page, while it runs and afterwards.
type roundHead struct {
	view.Summary

	Stand    badge
	Mirror   string
	Notices  []notice
	Tiles    []tile
	Progress template.HTML
	// Paused says that the round is paused by hand, Open that jobs of it are outstanding,
	// and Over that it can be replayed.
	Paused, Open, Over bool
	Failures           failures
	Revisions          []revision
	TakesOrders        bool
}

// revision is a revision of a round's outcome, with the address that shows it.
type revision struct {
	Number  int
	Link    string
	Current bool
	Compare string // shows what it changed; "" for the first one
}

// round is the page of a round: live while it runs, else its last outcome, or the one that
// the address asks for.
func (d *Dashboard) round(r *http.Request) (page, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return page{}, err
	}
	wanted, err := revisionIn(r.URL.Query(), "revision")
	if err != nil {
		return page{}, err
	}
	if wanted == 0 && d.shows.has(name) {
		return d.running(r, name) // it is being looked at
	}
	stands, err := d.standings.Of(r.Context(), d.cfg.Bus, name, d.cfg.Now())
	switch {
	case jobstream.Damaged(err):
		return page{}, damaged(err)
	case err != nil:
		return page{}, err
	case wanted == 0 && (stands.State == view.Running || stands.State == view.Replaying):
		return d.running(r, name)
	case wanted == 0 && stands.Revision == 0:
		return d.stopped(r, &stands), nil
	}
	if stands.State == view.Damaged {
		d.outcomes.forget(name) // what is kept is no longer what is stored
	}
	p, err := d.concluded(r, &stands, wanted)
	if wanted == 0 && jobstream.Damaged(err) && !errors.Is(err, jobstream.ErrSignature) {
		return d.stopped(r, &stands), nil
	}
	return p, err
}

// damaged says that nothing is known of a round but its name.
func damaged(err error) error {
	return &web.ProblemError{
		Status: http.StatusInternalServerError,
		Title:  "The round cannot be read",
		Detail: bounded.Line(err.Error(), 300),
		Todo:   "Its plan is damaged. “producer doctor” says what else is; a backup may have it.",
	}
}

// revisionIn reads the number of a revision out of an address.
func revisionIn(query url.Values, name string) (int, error) {
	text := query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, badQuery(name, text, "want a whole number from 1")
	}
	return n, nil
}

// stopped is the page of a round without an outcome that can be read, on which nobody works.
func (d *Dashboard) stopped(_ *http.Request, stands *view.Round) page {
	head := d.headOf(stands)
	text := "No producer runs the round. It goes on with: producer run --resume " + stands.Round
	if stands.State == view.Damaged {
		text = "Its last outcome cannot be read. It is made again by: producer run --resume " + stands.Round
	}
	head.Notices = append([]notice{{"bad", text, ""}}, head.Notices...)
	return page{
		Template: "round",
		Title:    string(stands.State) + " · Round " + stands.Round,
		Nav:      "Rounds",
		JSON:     "/api/v1/rounds/" + stands.Round,
		Body:     roundBody{Head: head},
	}
}

// headOf is what the pages of a round have in common, by how it stands now.
func (d *Dashboard) headOf(stands *view.Round) roundHead {
	h := roundHead{
		Summary:     stands.Summary,
		Stand:       standOf(&stands.Summary),
		Mirror:      stands.Mirror,
		Notices:     cancelNotices(stands.CancelOrders),
		Open:        stands.Outstanding > 0 && stands.State != view.Concluded,
		Over:        stands.State == view.Concluded,
		Progress:    roundRow{Summary: stands.Summary}.Progress(),
		TakesOrders: d.cfg.Guard.TakesOrders(),
	}
	h.Failures = failuresOf(stands, h.Over && h.TakesOrders)
	h.Revisions = revisionsOf(stands, stands.Revision)
	h.Tiles = []tile{
		{"Done", fmt.Sprintf("%s of %s", number(stands.Done), number(stands.Planned)), ""},
		{"Failed", number(stands.Failed), ""},
		{"Degraded", number(stands.Degraded), "done, but something is missing"},
		{"Requests", number(stands.Requests), ""},
	}
	return h
}

// cancelNotices say who has cancelled what, and why.
func cancelNotices(orders []job.CancelOrder) (list []notice) {
	for _, o := range orders {
		what := "The round was cancelled"
		if !o.Whole() {
			what = plural.Of(len(o.UIDs), "job") + " cancelled (" + view.Miners(o.UIDs) + ")"
		}
		said := o.By
		if o.Reason != "" {
			said += ": " + o.Reason
		}
		list = append(list, notice{"bad", what + " at " + o.At.UTC().Format(instantLayout) + " by", said})
	}
	return list
}

// revisionsOf lists the revisions of a round, the newest first.
func revisionsOf(stands *view.Round, shown int) (list []revision) {
	if len(stands.Revisions) < 2 {
		return nil
	}
	path := "/rounds/" + stands.Round
	for i, n := range slices.Backward(stands.Revisions) {
		one := revision{Number: n, Link: fmt.Sprintf("%s?revision=%d", path, n), Current: n == shown}
		if i > 0 {
			one.Compare = fmt.Sprintf("%s/compare?from=%d&to=%d", path, stands.Revisions[i-1], n)
		}
		list = append(list, one)
	}
	return list
}

// failures are the failed miners of a round, by what their failures have in common.
type failures struct {
	Round  string
	Groups []failureGroup
	Miners int
	// Replays says that they can be chosen for a replay.
	Replays bool
}

type failureGroup struct {
	outcome.Group

	Kind    string // a class
	Failed  []outcome.Failed
	Address string // replays the group
}

func failuresOf(stands *view.Round, replays bool) failures {
	f := failures{Round: stands.Round, Miners: len(stands.Failures), Replays: replays}
	byUID := map[int]outcome.Failed{}
	for _, one := range stands.Failures {
		byUID[one.UID] = one
	}
	for _, g := range stands.Groups {
		group := failureGroup{Group: g, Kind: "bad", Address: "/rounds/" + stands.Round + "/replay?like=" + g.Key}
		if g.Class == outcome.ClassDegraded || g.Class == outcome.ClassIdentity {
			group.Kind = "warn"
		}
		for _, uid := range g.UIDs {
			one := byUID[uid]
			one.Error = bounded.Line(one.Error, maxError)
			group.Failed = append(group.Failed, one)
		}
		f.Groups = append(f.Groups, group)
	}
	return f
}

// maxError is how many characters of an error a page has. The JSON has all of it.
const maxError = 400
