package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
)

// workersBody is the page of the worker processes of the last day.
type workersBody struct {
	Tiles      []tile
	Versions   []versionCount // more than one: the fleet is mixed
	Table      table[workerRow]
	Jobs       []workerJobRow
	Unreadable []string
}

// tile is one figure at the head of a page.
type tile struct{ Name, Value, Note string }

type versionCount struct {
	Version string
	Workers int
}

// workerRow is a worker in the table.
type workerRow struct {
	view.Worker

	ID      string // the anchor of the worker; "" for an older process of the same name
	Stand   badge
	Differs bool // its version is not that of most
}

// workerJobRow is what a worker does in one of its slots.
type workerJobRow struct {
	view.WorkerJob

	Worker string
	Link   string // the miner's page; "" for a warm-up
}

func (d *Dashboard) workers(r *http.Request) (page, error) {
	all, err := view.ReadWorkers(r.Context(), d.cfg.Bus)
	if err != nil {
		return page{}, err
	}
	body := workersBody{
		Tiles:      workerTiles(all),
		Versions:   versionsOf(all),
		Jobs:       workerJobs(all),
		Unreadable: all.Unreadable,
	}
	rows := workerRows(all, body.Versions)
	body.Table, err = readTable(r, "workers", workerColumns(), rows, "state", func(row *workerRow, text string) bool {
		of := []string{row.Name, row.Host, row.Egress, row.Version, row.Stand.Text, row.LastWord}
		return strings.Contains(strings.ToLower(strings.Join(of, "\n")), text)
	})
	running := all.Count(view.Working) + all.Count(view.Idle)
	title := fmt.Sprintf("%d · Workers", running)
	if silent := all.Count(view.Silent); silent > 0 {
		title = fmt.Sprintf("%d silent · Workers", silent)
	}
	return page{
		Template: "workers",
		Title:    title,
		Nav:      "Workers",
		JSON:     "/api/v1/workers",
		Body:     body,
	}, err
}

// runs says that a process is there, as far as its signs of life tell.
func runs(w *view.Worker) bool { return w.Standing == view.Working || w.Standing == view.Idle }

func workerTiles(all view.Workers) []tile {
	slots, jobs := 0, 0
	requests, share := int64(0), map[string]float64{}
	for i := range all.Workers {
		if w := &all.Workers[i]; runs(w) {
			slots += w.Slots
			jobs += len(w.Jobs)
			requests += w.Requests
			share[w.Egress] += w.Share
		}
	}
	lost := all.Count(view.Silent)
	return []tile{
		{"Working", number(all.Count(view.Working)), plural.Of(all.Count(view.Idle), "worker") + " idle"},
		{"Slots", fmt.Sprintf("%d of %d", jobs, slots), "have a job"},
		{"Requests", number(requests), "in the last minute"},
		sharesOf(share),
		{"Silent", number(lost), "their jobs go to other workers"},
		{"Left", number(all.Count(view.Left)), "within the last day"},
	}
}

// sharesOf is the part of each egress's limit that its workers take.
func sharesOf(share map[string]float64) tile {
	egresses := slices.Sorted(maps.Keys(share))
	if len(egresses) == 1 {
		return tile{"Of the limit", percent(share[egresses[0]]), "of egress " + egresses[0]}
	}
	texts := make([]string, len(egresses))
	for i, egress := range egresses {
		texts[i] = percent(share[egress]) + " of " + egress
	}
	return tile{"Of the limit", strings.Join(texts, ", "), ""}
}

// versionsOf counts the versions of the processes that run, the most frequent first.
func versionsOf(all view.Workers) (list []versionCount) {
	for version, n := range all.Versions() {
		list = append(list, versionCount{version, n})
	}
	slices.SortFunc(list, func(a, b versionCount) int {
		return cmp.Or(b.Workers-a.Workers, cmp.Compare(b.Version, a.Version))
	})
	return list
}

func workerRows(all view.Workers, versions []versionCount) []workerRow {
	seen := map[string]bool{}
	rows := make([]workerRow, len(all.Workers))
	for i := range all.Workers {
		w := &all.Workers[i]
		rows[i] = workerRow{Worker: *w, Stand: standOfWorker(w.Standing)}
		rows[i].Differs = runs(w) && w.Version != versions[0].Version
		if !seen[w.Name] {
			seen[w.Name] = true
			rows[i].ID = w.Name
		}
	}
	return rows
}

func standOfWorker(s view.Standing) badge {
	switch s {
	case view.Working:
		return badge{string(s), "good"}
	case view.Silent:
		return badge{string(s), "bad"}
	case view.Idle, view.Left:
	}
	return badge{string(s), ""}
}

// workerJobs are the jobs of all workers, the oldest first.
func workerJobs(all view.Workers) (rows []workerJobRow) {
	for i := range all.Workers {
		w := &all.Workers[i]
		for _, j := range w.Jobs {
			row := workerJobRow{WorkerJob: j, Worker: w.Name}
			if !j.WarmUp {
				row.Link = fmt.Sprintf("/rounds/%s/miners/%d", j.Round, j.UID)
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b workerJobRow) int { return a.Since.Compare(b.Since) })
	return rows
}

func workerColumns() []column[workerRow] {
	order := []view.Standing{view.Working, view.Idle, view.Silent, view.Left}
	return []column[workerRow]{
		{"worker", "Worker", false, by(func(w *workerRow) string { return w.Name })},
		{"state", "State", false, by(func(w *workerRow) int { return slices.Index(order, w.Standing) })},
		{"host", "Host", false, by(func(w *workerRow) string { return w.Host })},
		{"egress", "Egress", false, by(func(w *workerRow) string { return w.Egress })},
		{"version", "Version", false, by(func(w *workerRow) string { return w.Version })},
		{"jobs", "Slots", true, by(func(w *workerRow) int { return len(w.Jobs) })},
		{"requests", "Last minute", true, by(func(w *workerRow) int64 { return w.Requests })},
		{"share", "Of the limit", true, by(func(w *workerRow) float64 { return w.Share })},
		{"seen", "Last sign", true, func(a, b *workerRow) int { return b.Seen.Compare(a.Seen) }},
		{"started", "Started", true, func(a, b *workerRow) int { return b.Started.Compare(a.Started) }},
	}
}
