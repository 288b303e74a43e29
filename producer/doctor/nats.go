package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/secret"
)

// NATS checks the NATS servers, the streams, the workers and the roles' permissions.
type NATS struct {
	// URL is the address that producers use, Worker the one that workers use; "" if it is not
	// known how they log in: then their role is not looked at.
	URL, Worker        string
	Files, WorkerFiles jobstream.Files
	// Streams are the settings that the streams should have.
	Streams jobstream.Config
	// Wait is how long a server that is away is retried. Default: 3 s.
	Wait time.Duration
	// Build is the version of the program that asks, to compare with the workers'; "" for none.
	Build string
	// Local says that the server is the one of a local round: it has no users and no
	// cluster, and its consumer is filtered to one round.
	Local bool
}

// Checks are the server, the streams, the workers with their versions, and the permissions of
// both roles.
func (n NATS) Checks() []Check {
	checks := []Check{{"NATS server", n.server}, {"streams", n.streams}, {"workers", n.workers}, {"versions", n.versions}}
	if n.Local { // no users, so no roles
		return checks
	}
	checks = append(checks, Check{"producer role", func(ctx context.Context) []Finding {
		return n.role(ctx, n.URL, n.Files, jobstream.RoleProducer)
	}})
	if n.Worker == "" {
		return append(checks, Nothing("worker role", "not looked at from here: only workers have their credentials; "+
			"producer doctor --worker-nats-creds looks at it"))
	}
	return append(checks, Check{"worker role", func(ctx context.Context) []Finding {
		return n.role(ctx, n.Worker, n.WorkerFiles, jobstream.RoleWorker)
	}})
}

// DefaultWait is how long a server that is away is retried, unless said otherwise.
const DefaultWait = 3 * time.Second

// inspect reads the server's settings and its streams. If it cannot, the findings say why.
func (n NATS) inspect(ctx context.Context) (jobstream.Inspection, []Finding) {
	nc, err := connectNATS(ctx, n.URL, n.Files, n.Wait)
	if err != nil {
		return jobstream.Inspection{}, []Finding{unreachable(err)}
	}
	defer nc.Close()
	in, err := jobstream.Inspect(ctx, nc, n.Streams)
	switch {
	case errors.Is(err, jobstream.ErrNoJetStream):
		return in, []Finding{fault(NATSJetStream, "%s %s: JetStream is off, for the server or for the user's account", where(n.URL), in.Version)}
	case err != nil:
		return in, []Finding{refuses(where(n.URL)+" "+in.Version, jobstream.Trouble(err))}
	}
	return in, nil
}

// writes says why a producer's writes would not be confirmed: a full disk, a cluster
// without a leader. Before the first producer has made the streams, there is nothing to
// write to.
func (n NATS) writes(ctx context.Context, in jobstream.Inspection) []Finding {
	if len(missing(in)) == len(in.Streams) {
		return nil
	}
	nc, err := connectNATS(ctx, n.URL, n.Files, n.Wait)
	if err != nil {
		return []Finding{unreachable(err)}
	}
	defer nc.Close()
	// A cluster without a leader need not refuse a write: it may never answer.
	ctx, cancel := context.WithTimeout(ctx, DefaultWait)
	defer cancel()
	if err := jobstream.TryWrite(ctx, nc, jobstream.RoleProducer); err != nil {
		return []Finding{refuses(where(n.URL)+" confirms no write", err)}
	}
	return nil
}

// refuses turns an error of JetStream into a finding with the code of its cause.
func refuses(where string, err error) Finding {
	code := NATSRefuses
	switch jobstream.Code(err) {
	case "": // no answer
		code = NATSJetStream
	case jobstream.CodeUser:
		code = NATSCredentials
	case jobstream.CodePermission:
		code = PermissionMissing
	case jobstream.CodeTLS:
		code = NATSCertificate
	}
	return fault(code, "%s: %v", where, err)
}

// unreachable turns an error of connecting into a finding with the code of its cause.
func unreachable(err error) Finding {
	_, tls := errors.AsType[*certs.Error](err)
	_, exposed := errors.AsType[*secret.ExposedError](err)
	switch {
	case exposed:
		return fault(FileExposed, "%v", err)
	case tls:
		return fault(NATSCertificate, "%v", err)
	case jobstream.Unauthorized(err):
		return fault(NATSCredentials, "%v", err)
	}
	return fault(NATSUnreachable, "%v", err)
}

func where(address string) string { return jobstream.Redact(address) }

func (n NATS) server(ctx context.Context) []Finding {
	in, found := n.inspect(ctx)
	if in.Version == "" {
		return found
	}
	found = append(found, JudgeAccount(in, n.Streams.Replicas)...)
	if in.Streams != nil {
		found = append(found, n.writes(ctx, in)...)
	}
	of, more := n.servers(ctx, in)
	return unless(append(found, more...), "%s, nats-server %s, JetStream on, messages up to %s, %s of files stored, %s%s", where(n.URL),
		in.Version, size(in.MaxPayload), size(in.Store), servers(in), of)
}

// servers judges each server of the cluster. of names those that sync every write. If no
// server tells its settings, which takes a permission, only the server of this connection
// is judged, by what it tells every client.
func (n NATS) servers(ctx context.Context, in jobstream.Inspection) (of string, found []Finding) {
	connected := []jobstream.Server{{Name: where(n.URL), Version: in.Version, MaxPayload: in.MaxPayload}}
	if n.Local { // its server is this machine's, and has no system account to ask
		return "", JudgeServers(connected, nil)
	}
	told, silent, err := askServers(ctx, n.URL, n.Files, n.Wait)
	if err != nil {
		return "", append(JudgeServers(connected, nil), warn(NATSSilent, "sync_interval and the clock of each server cannot be read: %v", err))
	}
	return "; writes are on disk before they are confirmed, by " + storing(told), JudgeServers(told, silent)
}

func servers(in jobstream.Inspection) string {
	if in.Cluster == "" {
		return "one server"
	}
	return fmt.Sprintf("cluster %s of %d known addresses", in.Cluster, len(in.Servers))
}

// maxNamed is how many items a finding lists.
const maxNamed = 5

// producers says whether the connection's user is the one of a producer alone: where each role
// has a user of its own, nobody expects it to do a worker's work.
func (n NATS) producers(ctx context.Context) bool {
	may, err := jobstream.TryRole(ctx, n.URL, jobstream.RoleProducer, n.Files)
	return err == nil && len(may.Denied) == 0 && len(may.Excess) == 0
}

// role checks that a role's user may do what the role needs, and nothing that it must not.
func (n NATS) role(ctx context.Context, address string, files jobstream.Files, r jobstream.Role) []Finding {
	may, err := jobstream.TryRole(ctx, address, r, files)
	switch {
	case err != nil && address == n.URL && files == n.Files:
		return []Finding{skipped("NATS server")} // which says why
	case err != nil:
		return []Finding{unreachable(err)}
	}
	var found []Finding
	if len(may.Denied) > 0 {
		if r == jobstream.RoleWorker && address == n.URL && files == n.Files && n.producers(ctx) {
			return []Finding{fine("not looked at: the user at %s is a producer's, and --worker-nats names none of the workers", where(address))}
		}
		found = append(found, fault(PermissionMissing, "the user at %s may not %s, which a %s needs",
			where(address), plural.Some(may.Denied, maxNamed), r))
	}
	if len(may.Excess) > 0 {
		found = append(found, warn(PermissionExcess, "the user at %s may %s, which no %s needs",
			where(address), plural.Some(may.Excess, maxNamed), r))
	}
	return unless(found, "the user at %s may do what a %s needs, and not what it must not", where(address), r)
}
