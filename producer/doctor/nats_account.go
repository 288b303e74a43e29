package doctor

import (
	"fmt"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// Shares of a limit that are worth saying.
const (
	nearlyFull = 0.75
	full       = 0.95
)

// JudgeAccount says what is wrong with the account's limits, and with the cluster's
// size for so many copies, 0 for any.
func JudgeAccount(in jobstream.Inspection, replicas int) []Finding {
	found := fullness("the account's file storage", in.Store, in.StoreLimit)
	if missing := missing(in); in.StreamLimit > 0 && in.InUse+len(missing) > in.StreamLimit {
		found = append(found, fault(NATSStreams, "the account may have %s and has %d; %d more %s needed",
			plural.Of(in.StreamLimit, "stream"), in.InUse, len(missing), plural.Are(len(missing))))
	}
	if replicas > 1 && in.Cluster == "" {
		found = append(found, fault(NATSServers, "--replicas %d, and the server is in no cluster", replicas))
	} else if replicas > 1 && len(in.Servers) < replicas {
		found = append(found, fault(NATSServers, "--replicas %d, and the cluster has %s", replicas, plural.Of(len(in.Servers), "server")))
	}
	return found
}

// fullness judges the use of something that has a limit; one below 1 is none.
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

func missing(in jobstream.Inspection) []string {
	var names []string
	for _, s := range in.Streams {
		if s.Missing {
			names = append(names, s.Name)
		}
	}
	return names
}

// size is bytes as people read them.
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
