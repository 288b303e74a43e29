package jobstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Role is the part that a process plays in the fleet. Its permissions in NATS follow from
// it.
type Role string

// The roles.
const (
	RoleProducer Role = "producer"
	RoleWorker   Role = "worker"
	// RoleViewer only reads: for commands and pages that show rounds.
	RoleViewer Role = "viewer"
)

// Permissions compares a user with a role: Denied are the permissions that the role needs
// and the user lacks, Excess those that the user has and the role does not need.
type Permissions struct {
	Denied []string
	Excess []string
}

// probeRound is the round that the probes' subjects name. No real round has this name.
const probeRound = "doctor"

// tryTimeout bounds the whole of TryRole: some hundred questions of one round trip each.
const tryTimeout = 20 * time.Second

// TryRole finds out what the user of an address may do, and changes nothing. The server
// checks permissions before anything else, so each probe is made to fail after that check:
//
//   - a message for a stream expects another stream (Nats-Expected-Stream)
//   - a request to the API needs a later API than any server has, and is not JSON
//   - an ack is for message 0, which does not exist
//   - the question to the servers for their settings changes nothing, and its answers are
//     not used
func TryRole(ctx context.Context, address string, role Role, files Files) (Permissions, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	nc, err := connectOnce(address, "doctor-"+string(role), files)
	if err != nil {
		return Permissions{}, err
	}
	defer nc.Close()
	inbox, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return Permissions{}, fmt.Errorf("subscribing: %w", err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return Permissions{}, fmt.Errorf("asking NATS: %w", err)
	}
	if refused(nc, inbox.Subject) { // without an inbox no answer can arrive
		return Permissions{Denied: []string{"subscribe _INBOX.>"}}, nil
	}
	q, err := newQuestions(ctx, nc)
	if err != nil {
		return Permissions{}, err
	}
	return q.compare(ctx, role)
}

// connectOnce connects, and does not wait for a server that is away.
func connectOnce(address, name string, files Files) (*nats.Conn, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	address, more, err := files.apply(address)
	if err != nil {
		return nil, err
	}
	// The connection logs nothing: refusals are expected here.
	options := append(connectOptions(name, slog.New(slog.DiscardHandler)), nats.NoReconnect())
	nc, err := nats.Connect(address, append(options, more...)...)
	if err == nil {
		return nc, nil
	}
	if permanent := refusal(address, err); permanent != nil {
		return nil, permanent
	}
	return nil, fmt.Errorf("NATS at %s: %w", Redact(address), redacted(err, address))
}

// questions tries the permissions of one user.
type questions struct {
	nc *nats.Conn
	// importing says that the streams are in another account, from which the user's account
	// imports subjects. Nobody listens to a subject that is not imported.
	importing bool
	// undeclared are the streams that do not exist yet, or whose cluster has no leader.
	// Nobody listens to their subjects, so only a refusal shows whether the user may publish
	// to them.
	undeclared map[string]bool
}

func newQuestions(ctx context.Context, nc *nats.Conn) (*questions, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	q := &questions{nc: nc, importing: true, undeclared: map[string]bool{}}
	// No role may do this. In the streams' own account the server answers or refuses it;
	// in an importing account nobody listens.
	deleting := "$JS.API.STREAM.DELETE." + job.StreamJobs
	may, err := q.mayPublish(ctx, deleting)
	if err != nil {
		return nil, err
	}
	q.importing = !may && !refused(nc, deleting)
	for _, name := range StreamNames() {
		if may, err := q.mayPublish(ctx, "$JS.API.STREAM.INFO."+name); err != nil || !may {
			continue // a look would get no answer; compare finds the missing permission
		}
		_, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) || passing(err) {
			q.undeclared[name] = true
		}
	}
	return q, nil
}

// compare tries the subjects that a role needs, then those that it must not have.
func (q *questions) compare(ctx context.Context, role Role) (found Permissions, err error) {
	for _, subject := range needs(role) {
		may, err := q.mayPublish(ctx, subject)
		if err != nil {
			return found, err
		}
		if !may {
			found.Denied = append(found.Denied, "publish "+subject)
		}
	}
	for _, subject := range needless(role) {
		may, err := q.mayPublish(ctx, subject)
		if err != nil {
			return found, err
		}
		if may && (!q.importing || !q.undeclared[listener(subject)]) {
			found.Excess = append(found.Excess, "publish "+subject)
		}
	}
	return found, nil
}

// needs lists subjects that stand for everything that a role publishes.
func needs(role Role) []string {
	subjects := []string{"$JS.API.INFO", onConsumer("INFO", job.StreamJobs, job.Consumer)}
	for _, d := range declared() {
		if d.does(role, looks) {
			subjects = append(subjects, "$JS.API.STREAM.INFO."+d.Name)
		}
		if d.does(role, reads) {
			subjects = append(subjects, "$JS.API.STREAM.MSG.GET."+d.Name)
		}
		if d.does(role, writes) {
			subjects = append(subjects, d.probe())
		}
	}
	switch role {
	case RoleWorker:
		return append(append(subjects, workersNeeds()...),
			"$JS.API.STREAM.INFO."+job.StreamWarm, "$JS.API.STREAM.INFO."+kv.StreamOf(job.BucketWorkers))
	case RoleProducer:
		return append(subjects, producersNeeds()...)
	case RoleViewer:
	}
	return subjects
}

// workersNeeds are the subjects of a worker alone: pulling and acknowledging jobs and
// warm-up miners, and reading single keys of the bucket of rounds.
func workersNeeds() []string {
	return []string{
		onConsumer("MSG.NEXT", job.StreamJobs, job.Consumer), "$JS.ACK." + job.StreamJobs + "." + job.Consumer + ".1.0.0.0.0",
		direct(job.ManifestKey(probeRound)), direct(job.EgressesKey), direct(job.LastKey),
		onConsumer("INFO", job.StreamWarm, job.ConsumerWarm), onConsumer("MSG.NEXT", job.StreamWarm, job.ConsumerWarm),
		"$JS.ACK." + job.StreamWarm + "." + job.ConsumerWarm + ".1.0.0.0.0", direct(job.WarmUpKey), direct(job.WarmUpInputsKey),
	}
}

// producersNeeds are the subjects of a producer alone: declaring, purging and backing up
// streams, pausing the hand-out of jobs, pulling advisories, watching records, and showing
// itself.
func producersNeeds() []string {
	subjects := []string{"$JS.API.STREAM.MSG.DELETE." + job.StreamJobs, onConsumer("CREATE", job.StreamJobs, job.Consumer),
		onConsumer("PAUSE", job.StreamJobs, job.Consumer),
		onConsumer("CREATE", job.StreamWarm, job.ConsumerWarm), onConsumer("INFO", job.StreamWarm, job.ConsumerWarm),
		"$JS.API.STREAM.PURGE." + job.StreamWarm, producersSign()}
	exhaustions := advisoriesConsumer()
	for _, verb := range []string{"CREATE", "INFO", "MSG.NEXT"} {
		subjects = append(subjects, onConsumer(verb, exhaustions.stream, exhaustions.config.Durable))
	}
	subjects = append(subjects, "$JS.ACK."+exhaustions.stream+"."+exhaustions.config.Durable+".1.0.0.0.0")
	for _, verb := range []string{"CREATE", "INFO", "MSG.NEXT", "DELETE"} { // of a watch
		subjects = append(subjects, onConsumer(verb, kv.StreamOf(job.BucketRecords), probeRound))
	}
	for _, name := range StreamNames() {
		subjects = append(subjects, "$JS.API.STREAM.CREATE."+name, "$JS.API.STREAM.UPDATE."+name,
			"$JS.API.STREAM.SNAPSHOT."+name, "$JS.API.STREAM.RESTORE."+name, // of backups
			"$JS.SNAPSHOT.ACK."+name+"."+probeRound+".0.0", "$JS.SNAPSHOT.RESTORE."+name+"."+probeRound)
	}
	for _, what := range leftovers(probeRound) {
		if purge := "$JS.API.STREAM.PURGE." + what.stream; !slices.Contains(subjects, purge) {
			subjects = append(subjects, purge)
		}
	}
	return subjects
}

// needless lists subjects that a role must not have. No role deletes a stream. Workers and
// viewers change only what belongs to their role.
func needless(role Role) []string {
	var subjects []string
	for _, d := range declared() {
		subjects = append(subjects, "$JS.API.STREAM.DELETE."+d.Name)
		if role == RoleProducer {
			continue
		}
		for _, verb := range []string{"CREATE", "UPDATE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.DELETE"} {
			subjects = append(subjects, "$JS.API.STREAM."+verb+"."+d.Name)
		}
		for _, verb := range []string{"CREATE", "DURABLE.CREATE", "DELETE", "PAUSE"} {
			subjects = append(subjects, onConsumer(verb, d.Name, probeRound))
		}
		if !d.does(role, reads) {
			subjects = append(subjects, "$JS.API.STREAM.MSG.GET."+d.Name)
		}
		if !d.does(role, writes) && d.probe() != "" {
			subjects = append(subjects, d.probe())
		}
	}
	if role == RoleProducer {
		return subjects
	}
	subjects = append(subjects, serversQuestion, onConsumer("PAUSE", job.StreamJobs, job.Consumer), producersSign())
	if role == RoleViewer {
		subjects = append(subjects, workersNeeds()...)
	}
	return subjects
}

// probe is a subject to which the stream's writers publish; "" for the advisories, which
// only the server writes.
func (d declaration) probe() string {
	switch d.Name {
	case job.StreamJobs:
		return job.Subject(probeRound, 0)
	case job.StreamDead:
		return job.DeadSubject(probeRound, 0)
	case job.StreamWarm:
		return job.WarmSubject(probeRound, 0)
	case job.StreamAdvisory:
		return ""
	case kv.StreamOf(job.BucketWorkers): // a worker's key is one token
		return kv.Subject(job.BucketWorkers, probeRound)
	}
	bucket, _ := kv.BucketOf(d.Name) // all other streams are buckets
	return probeKey(bucket)
}

func onConsumer(verb, stream, consumer string) string {
	return "$JS.API.CONSUMER." + verb + "." + stream + "." + consumer
}

// probeKey is the subject of a record in a bucket, for a job that does not exist.
func probeKey(bucket string) string { return kv.Subject(bucket, job.RecordKey(probeRound, 0)) }

// producersSign is the subject of a producer's sign of life. No other role may store one.
func producersSign() string { return kv.Subject(job.BucketWorkers, job.ProducerKey(probeRound)) }

// direct is the subject of a direct read of one key of the bucket of rounds. The key is part
// of the subject, so permissions can be granted by key.
func direct(key string) string {
	return "$JS.API.DIRECT.GET." + kv.StreamOf(job.BucketRounds) + "." + kv.Subject(job.BucketRounds, key)
}

// mayPublish publishes a message that has no effect, and says whether the server allowed it.
// Two answers count, and the server sends both before its answer to the flush: a refusal,
// and "no responders". The latter means that the user's account does not import the subject,
// or that the stream is not declared yet.
func (q *questions) mayPublish(ctx context.Context, subject string) (bool, error) {
	inbox, err := q.nc.SubscribeSync(q.nc.NewInbox())
	if err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	defer func() { _ = inbox.Unsubscribe() }() // it fails only if the connection has ended, which ends the inbox too
	msg := nats.NewMsg(subject)
	msg.Reply = inbox.Subject
	switch {
	case strings.HasPrefix(subject, "$JS.ACK."):
		msg.Data = []byte("+WPI") // "in progress", for message 0
	case strings.HasPrefix(subject, "$JS.SNAPSHOT."): // no such snapshot is under way
		msg.Reply = ""
	case strings.HasPrefix(subject, "$JS.API."):
		// A server refuses what needs a later API than its own, and logs nothing. The few
		// requests that it parses before that are not JSON.
		msg.Header.Set("Nats-Required-Api-Level", strconv.Itoa(math.MaxInt32))
		msg.Data = []byte("{")
	default:
		msg.Header.Set("Nats-Expected-Stream", "none-"+probeRound)
	}
	if err := q.nc.PublishMsg(msg); err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	if err := q.nc.FlushWithContext(ctx); err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	if refused(q.nc, subject) {
		return false, nil
	}
	_, err = inbox.NextMsg(time.Millisecond) // everything that the server sent before its answer to the flush is here
	return !q.importing || !errors.Is(err, nats.ErrNoResponders) || q.undeclared[listener(subject)], nil
}

// listener is the declared stream that receives a subject: as a message, as an ack, as a
// pull, or as a direct read. It is "" for the subjects of JetStream's own API.
func listener(subject string) string {
	for _, s := range declared() {
		for _, prefix := range []string{
			strings.TrimSuffix(s.Subjects[0], ">"), "$JS.ACK." + s.Name + ".", "$JS.API.CONSUMER.MSG.NEXT." + s.Name + ".",
			"$JS.API.DIRECT.GET." + s.Name + ".",
		} {
			if strings.HasPrefix(subject, prefix) {
				return s.Name
			}
		}
	}
	return ""
}

// refused says whether the server's last refusal named this subject.
func refused(nc *nats.Conn, subject string) bool {
	return isRefusal(nc.LastError(), subject)
}

// isRefusal says whether an error is the server's refusal of this subject.
func isRefusal(err error, subject string) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), strconv.Quote(subject))
}
