package doctor

import (
	"fmt"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// The used shares of a limit that give a warning and a fault. At 95 % a single round can
// fill the rest.
const (
	nearlyFull = 0.75
	full       = 0.95
)

// JudgeAccount judges the account's limits, and whether the cluster has a server for each
// copy that --replicas asks for; 0 asks for none.
func JudgeAccount(in jobstream.Inspection, replicas int) []Finding {
	found := fullness("the account's file storage", in.Store, in.StoreLimit)
	// InUse counts other programs' streams in the account too, so only the missing ones are
	// added to it.
	if missing := missing(in); in.StreamLimit > 0 && in.InUse+len(missing) > in.StreamLimit {
		found = append(found, fault(NATSStreams, "the account may have %s and has %d; %d more %s needed",
			plural.Of(in.StreamLimit, "stream"), in.InUse, len(missing), plural.Are(len(missing))))
	}
	if replicas > 1 && in.Cluster == "" {
		found = append(found, fault(NATSServers, "--replicas %d, but the server is in no cluster", replicas))
	} else if replicas > 1 && len(in.Servers) < replicas {
		found = append(found, fault(NATSServers, "--replicas %d, but the cluster has only %s", replicas, plural.Of(len(in.Servers), "server")))
	}
	return found
}

// fullness judges the use of a storage, in bytes. A limit below 1 means that there is
// none, as NATS reports it.
func fullness(what string, used, limit int64) []Finding {
	if limit < 1 {
		return nil
	}
	switch share := float64(used) / float64(limit); {
	case share >= full:
		return []Finding{fault(NATSStorage, "%s is full: %s of %s are used", what, size(used), size(limit))}
	case share >= nearlyFull:
		return []Finding{warn(NATSStorage, "%s is nearly full: %s of %s are used", what, size(used), size(limit))}
	}
	return nil
}

// missing lists the streams and buckets that do not exist.
func missing(in jobstream.Inspection) []string {
	var names []string
	for _, s := range in.Streams {
		if s.Missing {
			names = append(names, s.Name)
		}
	}
	return names
}

// size prints a number of bytes in units of 1024, as NATS and Redis count; a negative one
// is NATS' word for no limit.
func size(n int64) string {
	const kilo = 1024
	switch f := float64(n); {
	case n < 0:
		return "any number"
	case n >= kilo*kilo*kilo:
		return fmt.Sprintf("%.1f GB", f/kilo/kilo/kilo)
	case n >= kilo*kilo:
		return fmt.Sprintf("%.1f MB", f/kilo/kilo)
	case n >= kilo:
		return fmt.Sprintf("%.0f kB", f/kilo)
	}
	return plural.Of(n, "byte")
}
