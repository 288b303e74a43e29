package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
)

// badge is a state in a word, with its colour.
type badge struct{ Text, Kind string }

// standOf is a round's state. A concluded one is complete, cancelled or incomplete.
func standOf(s *view.Summary) badge {
	switch {
	case s.State == view.Stopped || s.State == view.Damaged:
		return badge{string(s.State), "bad"}
	case s.State != view.Concluded:
		return badge{string(s.State), "live"}
	case s.Complete:
		return badge{"complete", "good"}
	case s.Cancelled > 0:
		return badge{"cancelled", "bad"}
	}
	return badge{"incomplete", "warn"}
}

// roundsBody is the page of all rounds.
type roundsBody struct {
	Schedule  *view.Schedule
	Producers []producerRow
	WarmUp    *warmUp
	Running   []roundRow
	Table     table[roundRow]
	Sparks    []spark
	Next      string // the address of the rounds before these; "" for none
	Earlier   int
}

// roundRow is a round in the table.
type roundRow struct {
	view.Summary

	Stand badge
	// Share is the part of the mirror's limit that the round used on the average; 0 for
	// unknown.
	Share float64
}

// Took is how long the round took to its first outcome, in seconds; 0 while it runs.
func (r roundRow) Took() float64 {
	if r.Seconds == nil {
		return 0
	}
	return *r.Seconds
}

// shareOf is the part of a pace, in requests a second, that the round used; 0 for unknown. The
// requests of a replay were made after the time that the round took.
func (r roundRow) shareOf(pace float64) float64 {
	took := r.Took()
	if took == 0 || pace == 0 || r.Revision > 1 || r.State == view.Replaying {
		return 0
	}
	return float64(r.Requests) / (pace * took)
}

// Progress draws how far the jobs are.
func (r roundRow) Progress() template.HTML {
	label := fmt.Sprintf("%d of %s done, %d failed", r.Done, plural.Of(r.Planned, "miner"), r.Failed)
	return stacked(label, float64(r.Planned), portion{"fill-good", float64(r.Done - r.Degraded), "done"},
		portion{"fill-warn", float64(r.Degraded), "degraded"}, portion{"fill-bad", float64(r.Failed), "failed"})
}

// warmUp is the last warm-up.
type warmUp struct{ view.WarmUp }

// Progress draws how many of its miners are done.
func (w warmUp) Progress() template.HTML {
	text := fmt.Sprintf("%d of %s done", w.Done, plural.Of(w.Miners, "miner"))
	return stacked(text, float64(w.Miners), portion{"fill-accent", float64(w.Done), "done"})
}

// spark is a small chart of one figure over the rounds that are listed, the oldest first.
type spark struct {
	Name, Last string
	Chart      template.HTML
}

// roundsOnPage is how many rounds are read for one page: eight days of a round every two
// hours. Each costs a few reads of NATS.
const roundsOnPage = 96

func (d *Dashboard) rounds(r *http.Request) (page, error) {
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" && !job.ValidRound(cursor) {
		return page{}, badQuery("cursor", cursor, "want the name of a round")
	}
	now := d.cfg.Now()
	list, err := d.standings.List(r.Context(), d.cfg.Bus, cursor, roundsOnPage, now)
	if err != nil {
		return page{}, err
	}
	body := roundsBody{
		Schedule:  list.Schedule,
		Producers: producerRows(list.Schedule),
		Earlier:   list.Earlier,
	}
	if list.WarmUp != nil {
		body.WarmUp = &warmUp{*list.WarmUp}
	}
	pace := d.pace(r)
	rows := make([]roundRow, len(list.Rounds))
	for i := range list.Rounds {
		rows[i] = roundRow{Summary: list.Rounds[i], Stand: standOf(&list.Rounds[i])}
		rows[i].Share = rows[i].shareOf(pace)
		if s := rows[i].State; cursor == "" && (s == view.Running || s == view.Replaying) {
			body.Running = append(body.Running, rows[i])
		}
	}
	body.Sparks = sparksOf(rows)
	json := "/api/v1/rounds?limit=96"
	if cursor != "" {
		json += "&cursor=" + cursor
	}
	if list.Cursor != "" {
		body.Next = "/?cursor=" + list.Cursor
	}
	body.Table, err = readTable(r, "rounds", roundColumns(), rows, "-round", func(row *roundRow, text string) bool {
		origin := "of the schedule"
		if row.Due == nil {
			origin = "by hand"
		}
		return strings.Contains(row.Round, text) || strings.Contains(row.Stand.Text, text) || strings.Contains(origin, text)
	})
	return page{
		Template: "rounds",
		Title:    roundsTitle(body.Running),
		Nav:      "Rounds",
		JSON:     json,
		Body:     body,
	}, err
}

// roundsTitle tells in the tab whether a round runs.
func roundsTitle(running []roundRow) string {
	if len(running) == 0 {
		return "Rounds"
	}
	return fmt.Sprintf("%d/%d · Rounds", running[0].Done+running[0].Failed, running[0].Planned)
}

// pace is how many requests a second the mirror allows all egresses together; 0 while Redis
// does not say.
func (d *Dashboard) pace(r *http.Request) (perSecond float64) {
	buckets, err := d.cfg.Buckets(r.Context())
	if err != nil {
		return 0
	}
	for i := range buckets {
		if b := &buckets[i]; b.InUse() && b.Window > 0 {
			perSecond += float64(b.Limit) / b.Window.Seconds()
		}
	}
	return perSecond
}

func roundColumns() []column[roundRow] {
	return []column[roundRow]{
		{"round", "Round", false, by(func(r *roundRow) string { return r.Round })},
		{"state", "State", false, by(func(r *roundRow) string { return r.Stand.Text })},
		{"due", "Due", false, func(a, b *roundRow) int { return dueOf(a).Compare(dueOf(b)) }},
		{"took", "Took", true, by(func(r *roundRow) float64 { return r.Took() })},
		{"done", "Done", true, by(func(r *roundRow) int { return r.Done })},
		{"failed", "Failed", true, by(func(r *roundRow) int { return r.Failed })},
		{"degraded", "Degraded", true, by(func(r *roundRow) int { return r.Degraded })},
		{"requests", "Requests", true, by(func(r *roundRow) int { return r.Requests })},
		{"share", "Of the limit", true, by(func(r *roundRow) float64 { return r.Share })},
		{"cached", "From cache", true, by(func(r *roundRow) int { return r.FromCache })},
		{"revision", "Revision", true, by(func(r *roundRow) int { return r.Revision })},
	}
}

func dueOf(r *roundRow) time.Time {
	if r.Due == nil {
		return time.Time{}
	}
	return *r.Due
}

// sparksOf draws what changes from round to round. It leaves out rounds without an outcome.
func sparksOf(rows []roundRow) []spark {
	type figure struct {
		name  string
		value func(*roundRow) float64
		text  func(float64) string
	}
	count := func(x float64) string { return number(int(x)) }
	figures := []figure{
		{"Duration", func(r *roundRow) float64 { return r.Took() }, took},
		{"Requests", func(r *roundRow) float64 { return float64(r.Requests) }, count},
		{"Pull requests from the cache", func(r *roundRow) float64 { return float64(r.FromCache) }, count},
		{"Failed and degraded miners", func(r *roundRow) float64 { return float64(r.Failed + r.Degraded) }, count},
	}
	var sparks []spark
	for _, f := range figures {
		var all []bar
		for i := range rows {
			r := &rows[len(rows)-1-i]
			if r.Revision == 0 || r.State == view.Damaged {
				continue
			}
			x := f.value(r)
			all = append(all, bar{x, "fill", r.Round + ": " + f.text(x)})
		}
		if len(all) < 2 {
			return nil
		}
		last := f.text(all[len(all)-1].value)
		label := fmt.Sprintf("%s of the last %d rounds; the last one: %s", f.name, len(all), last)
		sparks = append(sparks, spark{f.name, last, bars(label, all)})
	}
	return sparks
}

// navigation are the entries that every page has.
func navigation() []struct{ Name, Link string } {
	return []struct{ Name, Link string }{
		{"Rounds", "/"}, {"Workers", "/workers"}, {"Limit", "/limit"}, {"Tokens", "/tokens"}, {"Health", "/health"},
	}
}

// roundOf is the round of the path. "latest" is the last one that was planned.
func (d *Dashboard) roundOf(r *http.Request) (string, error) {
	switch name := r.PathValue("id"); {
	case name == view.Latest:
		last, err := view.LastPlanned(r.Context(), d.cfg.Bus)
		if _, none := errors.AsType[*view.NotConcludedError](err); none {
			return "", &web.ProblemError{
				Status: http.StatusNotFound,
				Title:  "There is no round yet",
				Todo:   "“producer run --local” runs one on this machine; “producer serve” runs them on schedule.",
			}
		}
		return last, err
	case !job.ValidRound(name):
		return "", &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "There is no such round",
			Detail: fmt.Sprintf("%.80q", name),
			Todo:   "Choose one of the rounds.",
		}
	default:
		return name, nil
	}
}
