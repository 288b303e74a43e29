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

// versions compares the versions of the worker processes that run now, and of this program.
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
		return JudgeVersions(jobstream.Roll{}, n.Build)
	}
	if err != nil {
		return []Finding{skipped("streams")}
	}
	roll, err := bus.Presence.List(ctx)
	if err != nil {
		return []Finding{warn(NotLookedAt, "not looked at: %v", err)}
	}
	return JudgeVersions(roll, n.Build)
}

// JudgeVersions warns when worker processes that run now are of different versions, or of
// another one than this program, whose build is own ("" leaves it out). Every round works while
// versions read each other's data (docs/upgrade.md), so a difference is no fault: it is most
// often an upgrade that was not finished. Processes that have left or are silent do not count.
func JudgeVersions(roll jobstream.Roll, own string) []Finding {
	by := map[string][]string{}
	running := 0
	for i := range roll.Workers {
		w := &roll.Workers[i]
		if _, silent := w.Silence(w.Stored, roll.Now); w.Left == "" && !silent {
			by[w.Build] = append(by[w.Build], w.Name)
			running++
		}
	}
	if running == 0 {
		return []Finding{fine("no worker process shows its version")}
	}
	if own != "" {
		by[own] = append(by[own], "this program")
	}
	if len(by) == 1 {
		return []Finding{fine("all that run have version %s: %s",
			slices.Collect(maps.Keys(by))[0], plural.Forms(running, "worker process", "worker processes"))}
	}
	var texts []string
	for _, build := range slices.Sorted(maps.Keys(by)) {
		texts = append(texts, fmt.Sprintf("%s (%s)", build, plural.Some(slices.Sorted(slices.Values(by[build])), maxNamed)))
	}
	return []Finding{warn(VersionsDiffer, "different versions run now: %s", strings.Join(texts, ", "))}
}
