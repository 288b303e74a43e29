package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// roundBody is the page of a round on which nobody works.
type roundBody struct {
	Head roundHead
	// After is what came of it; nil for a round without an outcome that can be read.
	After *concludedBody
}

// concludedBody is an outcome.
type concludedBody struct {
	Revision  int
	Lacks     []lack
	Notes     []string
	Chart     template.HTML
	Sum       float64
	Untaken   float64
	Table     table[view.MinerLine]
	Miners    []minerRow // the table's rows
	Query     string     // what links to miners and repositories must keep: "" or ?revision=N
	Emission  []emissionRow
	Pool      scoring.Pool
	Signed    string
	Unsettled int
	// Audit checks the stored data; nil while a replay changes it.
	Audit *audited
}

// minerRow is a miner as its row shows it. All of it is text beforehand: each thing that a
// template works out takes a call by reflection, and there are 256 rows.
type minerRow struct {
	Link, UID               string
	Login, GitHubID, Hotkey string
	Figures                 []string
	Reward, Note            string
}

func minerRows(lines []view.MinerLine, round, query string) []minerRow {
	rows := make([]minerRow, len(lines))
	for i := range lines {
		m := &lines[i]
		uid := strconv.Itoa(m.UID)
		rows[i] = minerRow{
			Link:     "/rounds/" + round + "/miners/" + uid + query,
			UID:      uid,
			Login:    m.Login,
			GitHubID: m.GitHubID,
			Hotkey:   short(m.Hotkey),
			Figures:  make([]string, 6), // a miner that the rules fail has none
			Reward:   decimals(m.Reward, 6),
			Note:     m.Note,
		}
		if m.Failed != input.NoFailure {
			rows[i].Login, rows[i].GitHubID = "", ""
			continue
		}
		rows[i].Figures = []string{
			strconv.Itoa(m.Merged), strconv.Itoa(m.Open), strconv.Itoa(m.Closed),
			decimals(m.Credibility, 2), decimals(m.Score, 4), decimals(m.Issues, 2),
		}
	}
	return rows
}

// lack is one kind of thing that an outcome lacks, with the things.
type lack struct {
	Text   string
	Things []string
}

// concluded is the page of a revision of a round's outcome, 0 for the last one.
func (d *Dashboard) concluded(r *http.Request, stands *view.Round, wanted int) (page, error) {
	at, err := view.Locate(r.Context(), d.cfg.Bus, stands.Round, wanted)
	if err != nil {
		return page{}, err
	}
	result, err := d.outcomes.read(r.Context(), d.cfg.Bus, at)
	if err != nil {
		return page{}, err
	}
	last := at.Revision == stands.Revision
	head := d.headOf(stands)
	head.Revisions = revisionsOf(stands, at.Revision)
	if !last { // the rest is of now
		head.Failures = failures{}
		head.Notices = cancelNotices(result.CancelOrders)
		head.Over = false
	}
	if stands.State == view.Replaying {
		text := fmt.Sprintf("The round is being replayed. This is revision %d of its outcome.", at.Revision)
		head.Notices = append([]notice{{"warn", text, ""}}, head.Notices...)
	}
	head.Tiles = outcomeTiles(&head, &result)
	body := concludedBody{
		Revision:  at.Revision,
		Lacks:     lacksOf(&result),
		Notes:     notesOf(&result),
		Sum:       result.Outcome.Sum,
		Untaken:   result.Outcome.Untaken,
		Emission:  emissionOf(&result.Outcome),
		Pool:      result.Outcome.Pool,
		Signed:    view.Signature(result.SignedBy, d.cfg.Bus.Verifies(), "this producer has no --verify-key"),
		Unsettled: result.Unsettled,
	}
	head.Notices = append(head.Notices, completeness(&result, len(body.Lacks)))
	if stands.State != view.Replaying {
		found, err := d.audits.of(r.Context(), d.cfg.Bus, result, d.cfg.Now())
		if err != nil {
			return page{}, err
		}
		body.Audit = &found
		if !found.Holds() {
			text := "The audit does not hold: the stored data of the round does not fit together. The end of this page lists the differences."
			head.Notices = append(head.Notices, notice{"bad", text, ""})
		}
	}
	title := "Round " + stands.Round
	if wanted != 0 {
		body.Query = "?revision=" + strconv.Itoa(at.Revision)
		title += fmt.Sprintf(", revision %d", at.Revision)
	}
	lines := view.MinerLines(&result)
	body.Chart = rewardsChart(lines)
	body.Table, err = readTable(r, "miners", minerColumns(), lines, "uid", minerHas)
	body.Miners = minerRows(body.Table.Rows, stands.Round, body.Query)
	return page{
		Template: "round",
		Title:    title,
		Nav:      "Rounds",
		JSON:     fmt.Sprintf("/api/v1/rounds/%s/outcome?revision=%d", stands.Round, at.Revision),
		Body:     roundBody{head, &body},
	}, err
}

// outcomeTiles are the figures of a revision.
func outcomeTiles(h *roundHead, r *outcome.Result) []tile {
	requests := number(r.Requests)
	if r.Unreported > 0 {
		requests = "at least " + requests
	}
	tiles := []tile{
		{"Done", fmt.Sprintf("%s of %s", number(r.Done), number(r.Planned)), ""},
		{"Failed", number(r.Failed), ""},
		{"Degraded", number(len(r.Degraded)), ""},
		{"Requests", requests, ""},
		{"From the cache", number(r.Cached), "pull requests"},
		{"Repeated", number(r.Retries), "attempts"},
	}
	if h.Seconds != nil {
		tiles = append(tiles, tile{"Took", took(*h.Seconds), "to revision 1"})
	}
	return tiles
}

// completeness says whether an outcome may be used as it is.
func completeness(r *outcome.Result, lacks int) notice {
	switch {
	case r.Complete:
		return notice{"good", "The round is complete: nothing is missing, and nothing stands in.", ""}
	case lacks == 0:
		return notice{"bad", "The round is not complete.", ""}
	}
	return notice{"bad", "The round is not complete. What it lacks is below; a replay asks for it again.", ""}
}

// lacksOf lists what keeps an outcome from being complete.
func lacksOf(r *outcome.Result) (list []lack) {
	add := func(text string, things []string) {
		if len(things) > 0 {
			list = append(list, lack{text, things})
		}
	}
	var dead, degraded, unknown, standIns, lookUps, lost []string
	for i := range r.DeadLetters {
		letter := &r.DeadLetters[i]
		text := fmt.Sprintf("Miner %d, %s: %s", letter.UID, letter.Class, bounded.Line(letter.Error, maxError))
		if slices.Contains(r.Kept, letter.UID) {
			text += " (its evaluation from before counts, and lacks nothing)"
		}
		dead = append(dead, text)
	}
	for _, one := range r.Degraded {
		degraded = append(degraded, fmt.Sprintf("Miner %d %s (%s): %s", one.UID, view.Lacks(one.Missing), one.Missing[0].Cause,
			bounded.Line(one.Missing[0].Error, maxError)))
	}
	for _, one := range r.UnknownIdentities {
		unknown = append(unknown, fmt.Sprintf("Miner %d: %s", one.UID, one))
	}
	for _, one := range r.StandIns {
		standIns = append(standIns, fmt.Sprintf("Miner %d: %s", one.UID, one))
	}
	for _, one := range r.FailedLookUps {
		lookUps = append(lookUps, one.What+": "+bounded.Line(one.Error, maxError))
	}
	for _, one := range r.Damaged {
		lost = append(lost, one.What+": "+bounded.Line(one.Error, maxError))
	}
	add(plural.Of(len(dead), "job")+" failed", dead)
	add(plural.Forms(len(degraded), "miner is", "miners are")+" degraded", degraded)
	add(plural.Forms(len(unknown), "identity is", "identities are")+" unknown", unknown)
	add("Stored pull requests stand in for "+plural.Of(len(standIns), "miner"), standIns)
	add(plural.Of(len(lookUps), "look-up")+" of maintainers failed", lookUps)
	add(plural.Of(len(lost), "part")+" damaged", lost)
	return list
}

// notesOf are what else there is to know of an outcome.
func notesOf(r *outcome.Result) (list []string) {
	list = append(list, r.Notes...)
	if all := r.AllIssues; all != nil && all.Unused != "" {
		list = append(list, "The one answer on all issues was not used; each miner's issues were asked for: "+all.Unused)
	} else if all != nil && all.Unreadable > 0 {
		list = append(list, fmt.Sprintf("The one answer on all issues has %s that cannot be read.", plural.Of(all.Unreadable, "row")))
	}
	for _, m := range r.Mended {
		whose := ""
		if m.UID >= 0 {
			whose = fmt.Sprintf("miner %d: ", m.UID)
		}
		list = append(list, "Mended: "+whose+m.What)
	}
	for _, m := range r.Malformed {
		list = append(list, fmt.Sprintf("Miner %d: %s unreadable and skipped.",
			m.UID, plural.Forms(len(m.Items), "item of its answers was", "items of its answers were")))
	}
	if len(r.Unloadable) > 0 {
		list = append(list, "Languages that gave no nodes, as in the validator: "+strings.Join(r.Unloadable, ", "))
	}
	return list
}

func minerColumns() []column[view.MinerLine] {
	type line = view.MinerLine
	return []column[line]{
		{"uid", "Miner", true, by(func(m *line) int { return m.UID })},
		{"account", "Account", false, by(func(m *line) string { return strings.ToLower(cmp.Or(m.Login, m.GitHubID)) })},
		{"hotkey", "Hotkey", false, by(func(m *line) string { return m.Hotkey })},
		{"merged", "Merged", true, by(func(m *line) int { return m.Merged })},
		{"open", "Open", true, by(func(m *line) int { return m.Open })},
		{"closed", "Closed", true, by(func(m *line) int { return m.Closed })},
		{"credibility", "Credibility", true, by(func(m *line) float64 { return m.Credibility })},
		{"score", "Score", true, by(func(m *line) float64 { return m.Score })},
		{"issues", "Issues", true, by(func(m *line) float64 { return m.Issues })},
		{"reward", "Reward", true, by(func(m *line) float64 { return m.Reward })},
		{"note", "Note", false, by(func(m *line) string { return m.Note })},
	}
}

func minerHas(m *view.MinerLine, text string) bool {
	return slices.ContainsFunc([]string{strconv.Itoa(m.UID), m.Login, m.GitHubID, m.Hotkey, m.Note},
		func(field string) bool { return strings.Contains(strings.ToLower(field), text) })
}

// rewardsChart draws the rewards, the largest first. The table has them too.
func rewardsChart(lines []view.MinerLine) template.HTML {
	var paid []view.MinerLine
	for _, m := range lines {
		if m.Reward > 0 {
			paid = append(paid, m)
		}
	}
	if len(paid) == 0 {
		return ""
	}
	slices.SortStableFunc(paid, func(a, b view.MinerLine) int { return cmp.Compare(b.Reward, a.Reward) })
	all := make([]bar, len(paid))
	for i, m := range paid {
		all[i] = bar{m.Reward, "fill", fmt.Sprintf("miner %d: %s", m.UID, decimals(m.Reward, 6))}
		if m.UID == input.RecycleUID || m.UID == input.TreasuryUID {
			all[i].class = "fill-muted"
		}
	}
	return bars(fmt.Sprintf("Rewards of the %s that are paid, the largest first. The largest is %s, of miner %d.",
		plural.Of(len(paid), "miner"), decimals(paid[0].Reward, 6), paid[0].UID), all)
}

// emissionRow is how one repository's slice was split. All figures are shares of the whole
// emission.
type emissionRow struct {
	scoring.RepositoryEmission

	Maintainers int
	Miners      int // that it pays
	Bar         template.HTML
}

// emissionOf lists the repositories, those with the largest share first.
func emissionOf(o *scoring.Outcome) []emissionRow {
	rows := make([]emissionRow, len(o.Emission))
	widest := 0.0
	for i := range o.Emission {
		e := &o.Emission[i]
		rows[i] = emissionRow{*e, len(e.MaintainerRewards), view.PaidBy(e), ""}
		widest = max(widest, e.MaintainerCarveOut+e.PRSlice+e.IssueDiscoverySlice+e.RecycledAmount)
	}
	slices.SortStableFunc(rows, func(a, b emissionRow) int { return cmp.Compare(b.EmissionShare, a.EmissionShare) })
	for i := range rows {
		e := &rows[i]
		rows[i].Bar = stacked(fmt.Sprintf("maintainers %s, pull requests %s, issues %s, recycled %s", decimals(e.MaintainerCarveOut, 6),
			decimals(e.PRSlice, 6), decimals(e.IssueDiscoverySlice, 6), decimals(e.RecycledAmount, 6)), widest,
			portion{"fill-warn", e.MaintainerCarveOut, "maintainers"}, portion{"fill-accent", e.PRSlice, "pull requests"},
			portion{"fill-good", e.IssueDiscoverySlice, "issues"}, portion{"fill-muted", e.RecycledAmount, "recycled"})
	}
	return rows
}
