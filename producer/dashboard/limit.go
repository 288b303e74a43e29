package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

// limitBody is the page of the mirror's limit: all egresses in a table, then each by itself.
type limitBody struct {
	Declared   []string
	Undeclared []string
	Shared     []view.SharedAddress
	Table      table[egressRow]
	Egresses   []egressRow
}

// egressRow is an egress with its bucket, which is empty while nobody has asked for a permit.
type egressRow struct {
	view.Egress

	Full  view.Bucket
	Stand badge
	Tiles []tile
	Chart template.HTML
	Cells []useCell
}

// useCell is what an egress sent in one stretch of ten seconds.
type useCell struct {
	Ago        string
	Round      int64
	Background int64
	Share      float64
}

// errRedis says that Redis does not answer; the cause is for the log.
func errRedis(cause error) error {
	return fmt.Errorf("%w: %w", &web.ProblemError{
		Status: http.StatusServiceUnavailable,
		Title:  "Redis did not answer in time",
		Detail: "The limit is kept there. Nothing is sent to the mirror while Redis is away, and rounds resume when it is back.",
		Todo:   "See whether Redis runs and can be reached; Health says what is wrong. Then load this page again.",
	}, cause)
}

// limit is the page of the mirror's limit.
func (d *Dashboard) limit(r *http.Request) (page, error) {
	all, egresses, err := d.egresses(r.Context())
	if err != nil {
		return page{}, err
	}
	body := limitBody{
		Declared: all.Declared,
		Shared:   all.Shared,
		Egresses: egresses,
	}
	for i := range egresses {
		if egresses[i].Undeclared {
			body.Undeclared = append(body.Undeclared, egresses[i].Egress.Egress)
		}
	}
	body.Table, err = readTable(r, "egresses", egressColumns(), egresses, "egress", func(row *egressRow, text string) bool {
		return strings.Contains(strings.ToLower(row.Egress.Egress), text) || strings.Contains(row.Stand.Text, text)
	})
	return page{
		Template: "limit",
		Title:    limitTitle(egresses),
		Nav:      "Limit",
		JSON:     "/api/v1/egresses",
		Body:     body,
	}, err
}

// limitTitle tells in the tab what stands still.
func limitTitle(egresses []egressRow) string {
	still := 0
	for i := range egresses {
		if egresses[i].Hold > 0 || egresses[i].CoolDown > 0 {
			still++
		}
	}
	if still > 0 {
		return fmt.Sprintf("%d stopped · Limit", still)
	}
	return "Limit"
}

// egresses lists all egresses with their rows. The declared egresses only add to the buckets,
// so NATS may be away.
func (d *Dashboard) egresses(ctx context.Context) (all view.Egresses, rows []egressRow, err error) {
	buckets, err := d.cfg.Buckets(ctx)
	if err != nil {
		return all, nil, errRedis(err)
	}
	declaration, _, err := d.cfg.Bus.Egresses.Load(ctx)
	if err != nil {
		d.cfg.Log.WarnContext(ctx, "the declared egresses cannot be read", "error", err)
	}
	all = view.EgressesOf(buckets, declaration)
	for _, e := range all.Egresses {
		row := egressRow{Egress: e}
		if at := slices.IndexFunc(buckets, func(s ratelimit.State) bool { return s.Egress == e.Egress }); at >= 0 {
			row.Full = view.BucketOf(buckets[at])
		}
		row.Stand = standOfEgress(&row)
		row.Tiles = egressTiles(&row)
		row.Cells = cellsOf(&row.Full)
		row.Chart = useChart(e.Egress, &row.Full, row.Cells)
		rows = append(rows, row)
	}
	return all, rows, nil
}

// standOfEgress is the state of an egress in words.
func standOfEgress(e *egressRow) badge {
	switch {
	case !e.Bucket:
		return badge{"no bucket", ""}
	case e.Hold > 0 && e.Hold >= e.CoolDown:
		return badge{"held", "bad"}
	case e.CoolDown > 0:
		return badge{"cooling down", "bad"}
	case e.Undeclared:
		return badge{"not declared", "bad"}
	case e.Full.Flows():
		return badge{"in use", "good"}
	}
	return badge{"idle", ""}
}

func egressTiles(e *egressRow) []tile {
	b := &e.Full
	share, of := "unknown", "the bucket is younger than a minute"
	if e.ShareOf > 0 {
		share, of = percent(e.Share), fmt.Sprintf("%s in the last %s, %s of the background",
			plural.Of(e.LastMinute, "request"), took(e.ShareOf), number(e.LastMinuteBackground))
	}
	return []tile{
		{"Of the limit", share, of},
		{"Pace", decimals(b.Rate, 2) + " a second", "the mirror allows " + joined(number(b.Limit)+" in "+took(b.Window))},
		{"Permits", number(e.Granted), number(e.Background) + " of the background"},
		{"Told to ask later", number(b.Refused), "permits are given up to " + joined(seconds(b.Horizon)) + " ahead"},
		{"Cool-downs", number(b.CoolDowns), "since the bucket began"},
		{"Bucket began", took(b.StartedAt) + " ago", "started anew so far: " + number(max(b.Restarts-1, 0))},
	}
}

// joined keeps a figure and its unit in one line.
func joined(text string) string { return strings.ReplaceAll(text, " ", "\u00a0") }

// seconds writes a short length of time, which may be less than a second.
func seconds(s float64) string {
	if s < 10 {
		return decimals(s, 1) + " s"
	}
	return took(s)
}

func egressColumns() []column[egressRow] {
	return []column[egressRow]{
		{"egress", "Egress", false, by(func(e *egressRow) string { return e.Egress.Egress })},
		{"state", "State", false, by(func(e *egressRow) string { return e.Stand.Text })},
		{"minute", "Last minute", true, by(func(e *egressRow) int64 { return e.LastMinute })},
		{"share", "Of the limit", true, by(func(e *egressRow) float64 { return e.Share })},
		{"granted", "Permits", true, by(func(e *egressRow) int64 { return e.Granted })},
		{"background", "Of the background", true, by(func(e *egressRow) int64 { return e.Background })},
		{"cooldowns", "Cool-downs", true, by(func(e *egressRow) int64 { return e.Full.CoolDowns })},
		{"used", "Last used", true, by(func(e *egressRow) float64 { return e.LastUse })},
	}
}

// cellSeconds is the length of a cell of a bucket's use.
const cellSeconds = 60 / view.UseRow

// allowed is how many requests the mirror allows in a cell.
func allowed(b *view.Bucket) float64 {
	if b.Window <= 0 {
		return 0
	}
	return float64(b.Limit) / b.Window * cellSeconds
}

// cellsOf are the cells of a bucket's use, the oldest first. The last one is still counted.
func cellsOf(b *view.Bucket) []useCell {
	cells := make([]useCell, len(b.Use))
	for i, n := range b.Use {
		c := &cells[i]
		c.Ago = took(float64((len(b.Use)-1-i)*cellSeconds)) + " ago"
		if i == len(b.Use)-1 {
			c.Ago = "still counted"
		}
		if i < len(b.UseBackground) {
			c.Background = b.UseBackground[i]
		}
		c.Round = n - c.Background
		if most := allowed(b); most > 0 {
			c.Share = float64(n) / most
		}
	}
	return cells
}

// useChart draws what an egress sent, by class, against the line of what the mirror allows.
func useChart(egress string, b *view.Bucket, cells []useCell) template.HTML {
	const (
		step   = 10
		gap    = 2
		height = 100
	)
	line := allowed(b)
	if len(cells) == 0 || line == 0 {
		return ""
	}
	top := line
	for i := range cells {
		top = max(top, float64(cells[i].Round+cells[i].Background))
	}
	top *= 1.1
	label := fmt.Sprintf("Requests of egress %s in each %d seconds of the last %s, against the %s that the mirror allows",
		egress, cellSeconds, took(float64(len(cells)*cellSeconds)), number(int(line)))
	width := float64(len(cells))*step - gap
	d := draw("use", label, width, height)
	for i := range cells {
		c, x := &cells[i], float64(i)*step
		title := fmt.Sprintf("%s: %d of the round, %d of the background", c.Ago, c.Round, c.Background)
		whole := float64(c.Round+c.Background) / top * height
		background := float64(c.Background) / top * height
		d.rect("fill-accent", x, height-whole, step-gap, whole-background, title)
		d.rect("fill-muted", x, height-background, step-gap, background, title)
	}
	d.line("axis", 0, height, width, height)
	d.line("rule", 0, height-line/top*height, width, height-line/top*height)
	return d.html()
}
