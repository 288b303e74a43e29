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
	"mirrorfleet/shared/terminal"
)

// What has come of an order, at 80 columns, as it was when somebody read it.
func TestCancelPages(t *testing.T) {
	t.Parallel()
	all := make([]int, 40)
	for i := range all {
		all[i] = 100 + 3*i
	}
	order := view.Cancel{Round: "20260603t000000z-010203", By: "producer-host-17-4f64qJ", At: time.Date(2026, 6, 3, 0, 4, 5, 0, time.UTC)}
	for name, change := range map[string]func(*view.Cancel){
		"whole": func(c *view.Cancel) {
			c.Whole, c.Cancelled, c.Already, c.Otherwise = true, all, []int{7, 12}, []int{5}
			c.Reason = "the registry of the day before \x1b[31mwas given: it is run again from the right one"
			c.State, c.Revision = view.Concluded, 1
		},
		"goes-on": func(c *view.Cancel) { c.Cancelled, c.State, c.Outstanding = []int{5, 17}, view.Running, 3 },
		"stopped": func(c *view.Cancel) { c.Cancelled, c.State, c.Outstanding = []int{5}, view.Stopped, 1 },
		"replay": func(c *view.Cancel) {
			c.Replay, c.Cancelled, c.State, c.Revision, c.Complete = 2, []int{5}, view.Concluded, 3, true
		},
	} {
		c := order
		change(&c)
		var out bytes.Buffer
		must.Do(t, page.Cancelled(terminal.Writer{Writer: &out, Style: terminal.Style{Width: 80}}, c))
		commandtest.Golden(t, filepath.Join("testdata", "cancel", name+".txt"), out.String())
	}
}
