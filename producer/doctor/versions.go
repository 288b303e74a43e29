package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// versions compares the versions of the processes that run now, and of this program.
func (n NATS) versions(ctx context.Context) []Finding {
	nc, err := connectNATS(ctx, n.URL, n.Files, n.Wait)
	if err != nil {
		return []Finding{skipped("NATS server")} // which says why
	}
	defer nc.Close()
	cfg := n.Streams
	cfg.Role = jobstream.RoleViewer
	bus, err := jobstream.Open(ctx, nc, cfg)
	if _, undeclared := errors.AsType[*jobstream.UndeclaredError](err); undeclared {
		return JudgeVersions(jobstream.Roll{}, jobstream.ProducerRoll{}, n.Build)
	}
	if err != nil {
		return []Finding{skipped("streams")}
	}
	workers, err := bus.Presence.List(ctx)
	if err != nil {
		return []Finding{warn(NotLookedAt, "not looked at: %v", err)}
	}
	producers, err := bus.Presence.Producers(ctx)
	if err != nil {
		return []Finding{warn(NotLookedAt, "not looked at: %v", err)}
	}
	return JudgeVersions(workers, producers, n.Build)
}

// JudgeVersions warns when the worker and producer processes that run now have different
// versions, or another version than this program, whose build is own ("" leaves it out). Rounds
// work as long as versions read each other's data (docs/upgrade.md), so a difference is no
// fault. Most often it is an upgrade that was not finished. Processes that have left or are
// silent do not count.
func JudgeVersions(workers jobstream.Roll, producers jobstream.ProducerRoll, own string) []Finding {
	by, running := map[string][]string{}, 0
	for i := range workers.Workers {
		w := &workers.Workers[i]
		if _, silent := w.Silence(w.Stored, workers.Now); w.Left == "" && !silent {
			by[w.Build] = append(by[w.Build], w.Name)
			running++
		}
	}
	for i := range producers.Producers {
		p := &producers.Producers[i]
		if _, silent := p.Silence(p.Stored, producers.Now); p.Left == "" && !silent {
			by[p.Build] = append(by[p.Build], "producer "+p.Name)
			running++
		}
	}
	if running == 0 {
		return []Finding{fine("no process shows its version")}
	}
	if own != "" {
		by[own] = append(by[own], "this program")
	}
	if len(by) == 1 {
		return []Finding{fine("all that run have version %s: %s",
			slices.Collect(maps.Keys(by))[0], plural.Forms(running, "process", "processes"))}
	}
	var texts []string
	for _, build := range slices.Sorted(maps.Keys(by)) {
		texts = append(texts, fmt.Sprintf("%s (%s)", build, plural.Some(slices.Sorted(slices.Values(by[build])), maxNamed)))
	}
	return []Finding{warn(VersionsDiffer, "different versions run now: %s", strings.Join(texts, ", "))}
}
