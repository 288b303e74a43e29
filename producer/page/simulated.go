package page

import (
	"io"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
)

// Simulated prints what a simulated mirror has counted during a round, and how close the
// fleet came to the limit by three ways of counting windows.
func Simulated(w io.Writer, v view.Simulated) error {
	p := newPage(w)
	p.blank()
	p.textf(0, "The mirror saw %s over %s (%d at once), %.1f %% of what it allows.",
		plural.Of(v.Requests, "request"), plural.Of(v.Connections.Used, "connection"), v.Connections.MaxOpen, 100*v.LimitUsed)
	p.textf(0, "Maximum in any ten seconds: %d in fixed windows, %d sliding, %.1f by the two-window estimate.",
		v.Worst.Fixed, v.Worst.Sliding, v.Worst.TwoWindow)
	p.textf(0, "%d over the limit.", v.OverLimit)
	return p.writeTo(w)
}
