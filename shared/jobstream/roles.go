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
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Role is what a process is to NATS: what it may publish follows from it.
type Role string

// The roles.
const (
	RoleProducer Role = "producer"
	RoleWorker   Role = "worker"
	// RoleViewer reads what commands and pages show.
	RoleViewer Role = "viewer"
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
	if refused(nc, inbox.Subject) { // no other answer would be heard
		return Permissions{Denied: []string{"subscribe _INBOX.>"}}, nil
	}
	q, err := newQuestions(ctx, nc)
	if err != nil {
		return Permissions{}, err
	}
	return q.compare(ctx, role)
}

// connectOnce connects without waiting for a server that is away.
func connectOnce(address, name string, files Files) (*nats.Conn, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	address, more, err := files.apply(address)
	if err != nil {
		return nil, err
	}
	// Its log stays quiet: refusals are what is looked for.
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

// questions are what one user is tried with.
type questions struct {
	nc *nats.Conn
	// importing says that the user's account is not that of the streams: what it does
	// not import, nobody listens to.
	importing bool
	// undeclared are the streams that are not there yet, or not in a cluster that has
	// no leader: whether he may publish to them shows only in a refusal.
	undeclared map[string]bool
}

func newQuestions(ctx context.Context, nc *nats.Conn) (*questions, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jobstream: %w", err)
	}
	q := &questions{nc: nc, importing: true, undeclared: map[string]bool{}}
	// No role may do this. Where the streams are, the server answers or refuses it.
	deleting := "$JS.API.STREAM.DELETE." + job.StreamJobs
	may, err := q.mayPublish(ctx, deleting)
	if err != nil {
		return nil, err
	}
	q.importing = !may && !refused(nc, deleting)
	for _, name := range StreamNames() {
		if may, err := q.mayPublish(ctx, "$JS.API.STREAM.INFO."+name); err != nil || !may {
			continue // it would not be answered; what is wrong shows in the next question
		}
		_, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) || passing(err) {
			q.undeclared[name] = true
		}
	}
	return q, nil
}

// compare tries what a role needs, and what it should be kept from.
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

// needs are subjects that stand for all that a role publishes.
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
		return append(append(subjects, workersNeeds()...), "$JS.API.STREAM.INFO."+job.StreamWarm)
	case RoleProducer:
		return append(subjects, producersNeeds()...)
	case RoleViewer:
	}
	return subjects
}

// workersNeeds are to be handed jobs and miners of warm-ups, and to read single keys of rounds.
func workersNeeds() []string {
	return []string{
		onConsumer("MSG.NEXT", job.StreamJobs, job.Consumer), "$JS.ACK." + job.StreamJobs + "." + job.Consumer + ".1.0.0.0.0",
		direct(job.ManifestKey(probeRound)), direct(job.EgressesKey), direct(job.LastKey),
		onConsumer("INFO", job.StreamWarm, job.ConsumerWarm), onConsumer("MSG.NEXT", job.StreamWarm, job.ConsumerWarm),
		"$JS.ACK." + job.StreamWarm + "." + job.ConsumerWarm + ".1.0.0.0.0", direct(job.WarmUpKey), direct(job.WarmUpInputsKey),
	}
}

// producersNeeds are to declare, remove and back up, to be handed advisories, and to watch.
func producersNeeds() []string {
	subjects := []string{"$JS.API.STREAM.MSG.DELETE." + job.StreamJobs, onConsumer("CREATE", job.StreamJobs, job.Consumer),
		onConsumer("CREATE", job.StreamWarm, job.ConsumerWarm), onConsumer("INFO", job.StreamWarm, job.ConsumerWarm),
		"$JS.API.STREAM.PURGE." + job.StreamWarm}
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

// needless are subjects that a role should be kept from: nobody deletes a stream, and
// who is no producer changes nothing but what is of its role.
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
	subjects = append(subjects, serversQuestion, onConsumer("PAUSE", job.StreamJobs, job.Consumer))
	if role == RoleViewer {
		subjects = append(subjects, workersNeeds()...)
	}
	return subjects
}

// probe is a subject that is published to by whoever writes to the stream; "" for what the
// server alone writes.
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
	}
	bucket, _ := kv.BucketOf(d.Name) // all others are buckets
	return probeKey(bucket)
}

func onConsumer(verb, stream, consumer string) string {
	return "$JS.API.CONSUMER." + verb + "." + stream + "." + consumer
}

// probeKey is where a bucket would keep the record of a job that there is not.
func probeKey(bucket string) string { return kv.Subject(bucket, job.RecordKey(probeRound, 0)) }

// direct is the request for one key of the bucket of rounds.
func direct(key string) string {
	return "$JS.API.DIRECT.GET." + kv.StreamOf(job.BucketRounds) + "." + kv.Subject(job.BucketRounds, key)
}

// mayPublish publishes what has no effect. The server's refusal comes before its
// answer to the flush. So does its word that nobody listens: the user's account does
// not import the subject, or no stream is declared yet that would take it.
func (q *questions) mayPublish(ctx context.Context, subject string) (bool, error) {
	inbox, err := q.nc.SubscribeSync(q.nc.NewInbox())
	if err != nil {
		return false, fmt.Errorf("asking NATS: %w", err)
	}
	defer func() { _ = inbox.Unsubscribe() }() // it fails when the connection has ended, and the inbox with it
	msg := nats.NewMsg(subject)
	msg.Reply = inbox.Subject
	switch {
	case strings.HasPrefix(subject, "$JS.ACK."):
		msg.Data = []byte("+WPI") // of message 0
	case strings.HasPrefix(subject, "$JS.SNAPSHOT."): // of a snapshot that nobody takes
		msg.Reply = ""
	case strings.HasPrefix(subject, "$JS.API."):
		msg.Data = []byte("{") // no JSON, and not empty: the server refuses either
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
	_, err = inbox.NextMsg(time.Millisecond) // what the server said before its answer to the flush is there
	return !q.importing || !errors.Is(err, nats.ErrNoResponders) || q.undeclared[listener(subject)], nil
}

// listener is the declared stream that listens to a subject, itself, by a consumer or
// for direct reads; "" for what JetStream's own listens to.
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

// refused says whether the server's last refusal was of a subject.
func refused(nc *nats.Conn, subject string) bool {
	return isRefusal(nc.LastError(), subject)
}

// isRefusal says whether an error is the server's refusal of a subject.
func isRefusal(err error, subject string) bool {
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), strconv.Quote(subject))
}
