package doctor

import (
	"context"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// streams compares streams, buckets and the consumer with what a producer declares. That
// none exists is fine: the first producer makes them all.
func (n NATS) streams(ctx context.Context) []Finding {
	in, found := n.inspect(ctx)
	if len(found) > 0 {
		return []Finding{skipped("NATS server")}
	}
	found = JudgeStreams(in, n.Local)
	// Some missing and some there is another case than none there: somebody has removed them,
	// or an update has added one.
	switch missing := missing(in); {
	case len(found) > 0:
		return found
	case len(missing) == len(in.Streams):
		return []Finding{fine("none of the %d streams and buckets exists yet: the first producer makes them", len(missing))}
	case len(missing) > 0:
		return []Finding{warn(StreamMissing, "missing: %s; the others are as declared", strings.Join(missing, ", "))}
	}
	return []Finding{fine("%d streams and buckets and the consumer are as declared, copies of each: %d",
		len(in.Streams), in.Streams[0].Replicas)}
}

// JudgeStreams judges streams, buckets and the consumer. A mismatch is a setting that
// cannot be changed in place, drift one that the next producer sets back. local accepts a
// consumer that is filtered to one round.
func JudgeStreams(in jobstream.Inspection, local bool) []Finding {
	var found []Finding
	for _, s := range in.Streams {
		if s.Mismatch != nil {
			found = append(found, fault(StreamMismatch, "%s has %s %v, want %v, which cannot be changed in place",
				s.Name, s.Mismatch.Setting, s.Mismatch.Have, s.Mismatch.Want))
		}
		for _, d := range s.Drift {
			found = append(found, warn(StreamDrift, "%s: %s", s.Name, d))
		}
		if s.Mismatch == nil && s.Current < s.Replicas {
			found = append(found, warn(StreamCopies, "%s: %d of %d copies are up to date", s.Name, s.Current, s.Replicas))
		}
	}
	if in.Consumer == nil { // a producer makes it when it starts
		return found
	}
	return append(found, judgeConsumer(*in.Consumer, local)...)
}

// judgeConsumer judges the workers' consumer. It must allow one delivery more than a job
// may have failures: otherwise the server would stop before the job is a dead letter.
func judgeConsumer(c jobstream.InspectedConsumer, local bool) []Finding {
	var found []Finding
	switch {
	case c.Held:
		found = append(found, warn(RoundPaused, "a round is paused by hand: no worker gets a job; producer rounds says by whom and why"))
	case c.Paused:
		found = append(found, fault(ConsumerPaused, "consumer %s is paused: no worker gets a job", job.Consumer))
	}
	if c.Filter != "" && !local { // workers would never see the jobs of any other round
		found = append(found, fault(ConsumerFilter, "consumer %s hands out only %s", job.Consumer, c.Filter))
	}
	if c.MaxDeliver > 0 && c.MaxDeliver <= job.MaxFailures {
		found = append(found, fault(ConsumerDeliveries,
			"consumer %s hands a job out %d times at most, want more than the %d failures that it may have",
			job.Consumer, c.MaxDeliver, job.MaxFailures))
	}
	for _, d := range c.Drift {
		found = append(found, warn(ConsumerDrift, "consumer %s: %s", job.Consumer, d))
	}
	return found
}
