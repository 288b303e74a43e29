package doctor

import (
	"context"

	"mirrorfleet/shared/jobstream"
)

// workers looks for a live worker: one that waits for a job, or shows signs of life on the
// record of one.
func (n NATS) workers(ctx context.Context) []Finding {
	nc, err := connectNATS(ctx, n.URL, n.Files, n.Wait)
	if err != nil {
		return []Finding{skipped("NATS server")} // which says why
	}
	defer nc.Close()
	seen, err := jobstream.LookForWorkers(ctx, nc)
	if err != nil {
		return []Finding{warn(NotLookedAt, "not looked at: %v", err)}
	}
	return JudgeWorkers(seen)
}

// JudgeWorkers says whether any worker would take a job. If no job waits for one, a missing
// worker is only a warning: workers may be started after the producer.
func JudgeWorkers(seen jobstream.Workers) []Finding {
	switch {
	case !seen.Declared:
		return []Finding{warn(WorkersNone, "no worker can be seen before the first producer has made the streams")}
	case seen.Idle > 0:
		return []Finding{fine("workers that wait for a job: %d", seen.Idle)}
	case seen.Busy != "":
		return []Finding{fine("%s is at work on a job", seen.Busy)}
	case seen.Queued > 0:
		return []Finding{fault(WorkersNone, "no worker waits for a job, and none shows a sign of life; unfinished jobs: %d", seen.Queued)}
	}
	return []Finding{warn(WorkersNone, "no worker waits for a job")}
}
