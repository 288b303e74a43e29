package jobstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
)

// Role is what a process is to NATS: what it may publish follows from it.
type Role string

// The roles.
const (
	RoleProducer Role = "producer"
	RoleWorker   Role = "worker"
)

// Permissions are what a user may not do that its role needs, and what it may
// do that its role does not.
type Permissions struct {
	Denied []string
	Excess []string
}

// probeRound names what a probe would be about, if it were about anything.
const probeRound = "doctor"

// tryTimeout bounds all of TryRole; each of some hundred questions is one round trip.
const tryTimeout = 20 * time.Second

// TryRole finds out what the user of an address may do, and changes nothing:
// what is published is refused by the server before it has an effect. A message
// for a stream expects another stream than it comes to; a request of the API is
// no JSON; an ack is of no message; what the servers tell of themselves nobody
// hears. Whether the user may publish it is decided before that.
func TryRole(ctx context.Context, address string, role Role, files Files) (Permissions, error) {
	if err := checkAddress(address); err != nil {
		return Permissions{}, err
	}
	address, more, err := files.apply(address)
	if err != nil {
		return Permissions{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	// The handler stays quiet: refusals are what is looked for.
	options := append(connectOptions("doctor-"+string(role), slog.New(slog.DiscardHandler)), nats.NoReconnect())
	nc, err := nats.Connect(address, append(options, more...)...)
	if permanent := refusal(address, err); permanent != nil {
		return Permissions{}, permanent
	}
	if err != nil {
		return Permissions{}, fmt.Errorf("NATS at %s: %w", Redact(address), redacted(err, address))
	}
	defer nc.Close()
	var found Permissions
	inbox, err := nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		return found, fmt.Errorf("subscribing: %w", err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return found, fmt.Errorf("asking NATS: %w", err)
	}
	if refused(nc, inbox.Subject) {
		found.Denied = append(found.Denied, "subscribe _INBOX.>")
	}
	for _, subject := range needs(role) {
		ok, err := mayPublish(ctx, nc, subject)
		if err != nil {
			return found, err
		}
		if !ok {
			found.Denied = append(found.Denied, "publish "+subject)
		}
	}
	for _, subject := range needless(role) {
		ok, err := mayPublish(ctx, nc, subject)
		if err != nil {
			return found, err
		}
		if ok {
			found.Excess = append(found.Excess, "publish "+subject)
		}
	}
	return found, nil
}

// needs are subjects that stand for all that a role publishes.
func needs(role Role) []string {
	subjects := []string{"$JS.API.INFO"}
	for _, s := range declared() {
		subjects = append(subjects, declaring(s.Name)...)
		subjects = append(subjects, "$JS.API.STREAM.MSG.GET."+s.Name)
	}
	subjects = append(subjects, onConsumer("CREATE", job.StreamJobs, job.Consumer), onConsumer("INFO", job.StreamJobs, job.Consumer),
		job.DeadSubject(probeRound, 0), "$KV."+job.BucketRecords+"."+probeRound)
	if role == RoleWorker {
		return append(subjects,
			onConsumer("MSG.NEXT", job.StreamJobs, job.Consumer), "$JS.ACK."+job.StreamJobs+"."+job.Consumer+".1.0.0.0.0",
			"$KV."+job.BucketEvaluation+"."+probeRound, "$KV."+job.BucketScores+"."+probeRound)
	}
	exhaustions := advisoriesConsumer()
	for _, what := range leftovers(probeRound) {
		if purge := "$JS.API.STREAM.PURGE." + what.stream; !slices.Contains(subjects, purge) {
			subjects = append(subjects, purge)
		}
	}
	for _, name := range StreamNames() { // of backups
		subjects = append(subjects, "$JS.API.STREAM.SNAPSHOT."+name, "$JS.API.STREAM.RESTORE."+name,
			"$JS.SNAPSHOT.ACK."+name+"."+probeRound+".0.0", "$JS.SNAPSHOT.RESTORE."+name+"."+probeRound)
	}
	return append(subjects,
		job.Subject(probeRound, 0), "$KV."+job.BucketRounds+"."+probeRound, "$KV."+job.BucketMiners+"."+probeRound,
		"$KV."+job.BucketIdentities+"."+probeRound,
		"$JS.API.STREAM.MSG.DELETE."+job.StreamJobs,
		onConsumer("CREATE", job.StreamAdvisory, exhaustions.config.Durable),
		onConsumer("MSG.NEXT", job.StreamAdvisory, exhaustions.config.Durable),
		"$JS.ACK."+job.StreamAdvisory+"."+exhaustions.config.Durable+".1.0.0.0.0",
		watching(job.BucketRecords), watching(job.BucketRounds), watching(job.BucketMiners), watching(job.BucketEvaluation),
		watching(job.BucketIdentities))
}

// needless are subjects that a role should be kept from.
func needless(role Role) []string {
	subjects := []string{"$JS.API.STREAM.DELETE." + job.StreamJobs}
	if role == RoleWorker {
		subjects = append(subjects,
			job.Subject(probeRound, 0), "$KV."+job.BucketRounds+"."+probeRound, "$JS.API.STREAM.PURGE."+job.StreamJobs,
			"$JS.API.STREAM.SNAPSHOT."+bucketStream(job.BucketIdentities), serversQuestion)
	}
	return subjects
}

// declaring are the requests that bring a stream up to date.
func declaring(stream string) []string {
	return []string{"$JS.API.STREAM.INFO." + stream, "$JS.API.STREAM.CREATE." + stream, "$JS.API.STREAM.UPDATE." + stream}
}

func onConsumer(verb, stream, consumer string) string {
	return "$JS.API.CONSUMER." + verb + "." + stream + "." + consumer
}

// watching is the request with which a bucket's watch begins.
func watching(bucket string) string { return onConsumer("CREATE", bucketStream(bucket), probeRound) }

// mayPublish publishes what has no effect. The server's refusal comes before
// its answer to the flush.
func mayPublish(ctx context.Context, nc *nats.Conn, subject string) (bool, error) {
	msg := nats.NewMsg(subject)
	msg.Reply = nats.NewInbox() // nobody listens
	switch {
	case strings.HasPrefix(subject, "$JS.ACK."):
		msg.Data = []byte("+WPI") // of message 0
	case strings.HasPrefix(subject, "$JS.SNAPSHOT."): // of a snapshot that nobody takes
	case strings.HasPrefix(subject, "$JS.API."):
		msg.Data = []byte("{") // no JSON, and not empty: the server refuses either
	default:
		msg.Header.Set("Nats-Expected-Stream", "none-"+probeRound)
	}
	if err := nc.PublishMsg(msg); err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	return !refused(nc, subject), nil
}

// refused says whether the server's last refusal was of a subject.
func refused(nc *nats.Conn, subject string) bool {
	return isRefusal(nc.LastError(), subject)
}

// isRefusal says whether an error is the server's refusal of a subject.
func isRefusal(err error, subject string) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), strconv.Quote(subject))
}
