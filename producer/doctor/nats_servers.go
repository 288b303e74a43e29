package doctor

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// usualPayload is NATS' default for max_payload, in bytes. Few values exceed it.
const usualPayload = 1 << 20

// connectNATS opens a connection for one check. It logs nothing: the finding has the error.
func connectNATS(ctx context.Context, address string, files jobstream.Files, wait time.Duration) (*nats.Conn, error) {
	return jobstream.Connect(ctx, address, "producer-doctor", jobstream.ConnectConfig{
		Wait:    cmp.Or(wait, DefaultWait),
		Setting: "--connect-timeout",
		Log:     slog.New(slog.DiscardHandler),
		Files:   files,
	})
}

// askServers asks every server of the cluster for its settings and its clock.
func askServers(ctx context.Context, address string, files jobstream.Files, wait time.Duration) (
	told []jobstream.Server, silent []string, err error,
) {
	nc, err := connectNATS(ctx, address, files, wait)
	if err != nil {
		return nil, nil, err
	}
	defer nc.Close()
	return jobstream.Servers(ctx, nc)
}

// JudgeServers judges each server of a cluster; silent are those that have not answered. A
// silent server is a warning: the others answer, so rounds can run without it.
func JudgeServers(told []jobstream.Server, silent []string) []Finding {
	var found []Finding
	for _, s := range told {
		found = append(found, judgeNATS(s)...)
	}
	if len(silent) > 0 {
		found = append(found, warn(NATSServers, "%s: no answer, although the cluster knows of it and other servers answer",
			plural.Some(silent, maxNamed)))
	}
	return found
}

// judgeNATS judges one server. Its store and its syncs are judged only if it says that it
// keeps streams. A server that tells only what it tells every client does not say so.
func judgeNATS(s jobstream.Server) []Finding {
	var found []Finding
	switch {
	case jobstream.Older(s.Version, jobstream.OldestServer):
		found = append(found, fault(NATSVersion, "%s: nats-server %s, want %s or later", s.Name, s.Version, jobstream.OldestServer))
	case jobstream.Older(s.Version, jobstream.OldestForBackups):
		found = append(found, warn(NATSVersion, "%s: nats-server %s: producer backup and restore need %s or later",
			s.Name, s.Version, jobstream.OldestForBackups))
	}
	switch {
	case s.MaxPayload > 0 && s.MaxPayload < jobstream.MinPayload:
		found = append(found, fault(NATSPayload, "%s: max_payload is %s, want at least %s",
			s.Name, size(s.MaxPayload), size(jobstream.MinPayload)))
	case s.MaxPayload > 0 && s.MaxPayload < usualPayload:
		found = append(found, warn(NATSPayload, "%s: max_payload is %s: values longer than that are split, %s is usual",
			s.Name, size(s.MaxPayload), size(usualPayload)))
	}
	if !s.JetStream {
		return found
	}
	found = append(found, fullness(s.Name+": the server's file storage", s.Store, s.StoreLimit)...)
	// A confirmed write may not be lost, even if all machines lose power at once. So copies on
	// other servers are no substitute for the disk.
	if !s.SyncAlways {
		found = append(found, fault(NATSSync, "%s confirms writes up to %s before they are on its disk (sync_interval): "+
			"if its machine crashes they can be lost, however many copies there are", s.Name, s.SyncInterval))
	}
	return found
}

// storing names the servers that keep streams.
func storing(servers []jobstream.Server) string {
	var names []string
	for _, s := range servers {
		if s.JetStream {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}
