package page_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// What has come of an order, at 80 columns, as it was when somebody read it.
func TestCancelPages(t *testing.T) {
	t.Parallel()
	all := make([]int, 40)
	for i := range all {
		all[i] = 100 + 3*i
	}
	for name, c := range map[string]view.Cancel{
		"whole": {
			Whole:     true,
			Cancelled: all,
			Already:   []int{7, 12},
			Otherwise: []int{5},
			Reason:    "the registry of the day before \x1b[31mwas given: it is run again from the right one",
			State:     view.Concluded,
			Revision:  1,

			PlannedRules: scoring.FirstRules,
		},
		"continues": {Cancelled: []int{5, 17}, State: view.Running, Outstanding: 3},
		"stopped":   {Cancelled: []int{5}, State: view.Stopped, Outstanding: 1},
		"replay": {
			Replay:    2,
			Cancelled: []int{5},
			State:     view.Concluded,
			Revision:  3,
			Complete:  true,
		},
	} {
		c.Round = "20260603t000000z-010203"
		c.By = "producer-host-17-4f64qJ"
		c.At = time.Date(2026, 6, 3, 0, 4, 5, 0, time.UTC)
		var out bytes.Buffer
		must.Do(t, page.Cancelled(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 80}}, c))
		commandtest.Golden(t, filepath.Join("testdata", "cancel", name+".txt"), out.String())
	}
}
