package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// NATS is what is looked at of NATS.
type NATS struct {
	// URL is the producer's address, Worker the workers'.
	URL, Worker string
	// Monitor is the server's http address, "" for none.
	Monitor string
	Streams jobstream.Config
	// Local says that a local round may have the server to itself.
	Local bool
}

// Checks are the server, the streams and the roles' permissions.
func (n NATS) Checks() []Check {
	checks := []Check{{"NATS server", n.server}, {"streams", n.streams}}
	if n.Local { // it has no users
		return checks
	}
	checks = append(checks, []Check{
		{"producer role", func(ctx context.Context) []Finding { return role(ctx, n.URL, jobstream.RoleProducer) }},
		{"worker role", func(ctx context.Context) []Finding { return role(ctx, n.Worker, jobstream.RoleWorker) }},
	}...)
	if n.Monitor != "" {
		checks = append(checks, Check{"NATS settings", n.settings})
	}
	return checks
}

// connectFor is how long a server that is away is tried.
const connectFor = 3 * time.Second

// inspect looks at the server. A finding beside it says why it could not.
func (n NATS) inspect(ctx context.Context) (jobstream.Inspection, []Finding) {
	nc, err := jobstream.Connect(ctx, n.URL, "producer-doctor", jobstream.ConnectConfig{
		Wait: connectFor, Setting: "the check's own time", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return jobstream.Inspection{}, []Finding{unreachable(err)}
	}
	defer nc.Close()
	in, err := jobstream.Inspect(ctx, nc, n.Streams)
	switch {
	case errors.Is(err, jobstream.ErrNoJetStream):
		return in, []Finding{fault(NATSJetStream, "%s %s: JetStream is off, for the server or for the user's account", where(n.URL), in.Version)}
	case err != nil:
		return in, []Finding{fault(NATSJetStream, "%s %s: JetStream does not answer: %v", where(n.URL), in.Version, err)}
	}
	return in, nil
}

func unreachable(err error) Finding {
	if errors.Is(err, nats.ErrAuthorization) {
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
	found = append(found, JudgeServer(in, n.Streams.Replicas)...)
	return unless(found, "%s, nats-server %s, JetStream on, messages up to %s, %s of files stored, %s", where(n.URL), in.Version,
		size(in.MaxPayload), size(in.Store), servers(in))
}

func servers(in jobstream.Inspection) string {
	if in.Cluster == "" {
		return "one server"
	}
	return fmt.Sprintf("cluster %s of %d known addresses", in.Cluster, len(in.Servers))
}

// The least that a server must be.
const (
	leastMajor, leastMinor = 2, 10
	leastPayload           = 64 << 10 // longer values are split
	usualPayload           = 1 << 20
)

// Shares of a limit that are worth saying.
const (
	nearlyFull = 0.75
	full       = 0.95
)

// JudgeServer says what is wrong with a server for so many copies, 0 for any.
func JudgeServer(in jobstream.Inspection, replicas int) []Finding {
	var found []Finding
	if older(in.Version, leastMajor, leastMinor) {
		found = append(found, fault(NATSVersion, "nats-server %s, want %d.%d or later", in.Version, leastMajor, leastMinor))
	}
	switch {
	case in.MaxPayload > 0 && in.MaxPayload < leastPayload:
		found = append(found, fault(NATSPayload, "max_payload is %s, want %s at least", size(in.MaxPayload), size(leastPayload)))
	case in.MaxPayload > 0 && in.MaxPayload < usualPayload:
		found = append(found, warn(NATSPayload, "max_payload is %s: values longer than that are split, %s is usual", size(in.MaxPayload), size(usualPayload)))
	}
	found = append(found, fullness("the account's file storage", in.Store, in.StoreLimit)...)
	if missing := missing(in); in.StreamLimit > 0 && in.InUse+len(missing) > in.StreamLimit {
		found = append(found, fault(NATSStreams, "the account may have %d streams and has %d; %d more are needed", in.StreamLimit, in.InUse, len(missing)))
	}
	if replicas > 1 && in.Cluster == "" {
		found = append(found, fault(NATSServers, "--replicas %d, and the server is in no cluster", replicas))
	} else if replicas > 1 && len(in.Servers) < replicas {
		found = append(found, fault(NATSServers, "--replicas %d, and the cluster has %d servers", replicas, len(in.Servers)))
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

// older compares a version such as 2.10.4-beta.1; what is none is not older.
func older(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	have, err := strconv.Atoi(parts[0])
	less, lessErr := strconv.Atoi(parts[1])
	if err != nil || lessErr != nil {
		return false
	}
	return have < major || have == major && less < minor
}

func (n NATS) streams(ctx context.Context) []Finding {
	in, found := n.inspect(ctx)
	if len(found) > 0 {
		return []Finding{fault(found[0].Code, "not looked at: see NATS server")}
	}
	found = JudgeStreams(in, n.Local)
	switch missing := missing(in); {
	case len(found) > 0:
		return found
	case len(missing) == len(in.Streams):
		return []Finding{fine("none of the %d streams and buckets exists yet: whoever starts first makes them", len(missing))}
	case len(missing) > 0:
		return []Finding{fine("%s do not exist yet, the others are as declared", strings.Join(missing, ", "))}
	}
	return []Finding{fine("%d streams and buckets and the consumer are as declared, %d copies", len(in.Streams), in.Streams[0].Replicas)}
}

// JudgeStreams says what is wrong with streams, buckets and the consumer.
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
	if in.Consumer == nil {
		return found
	}
	return append(found, judgeConsumer(*in.Consumer, local)...)
}

func judgeConsumer(c jobstream.InspectedConsumer, local bool) []Finding {
	var found []Finding
	if !c.Explicit {
		found = append(found, fault(ConsumerAck, "consumer %s does not acknowledge each job on its own", job.Consumer))
	}
	if c.Paused {
		found = append(found, fault(ConsumerPaused, "consumer %s is paused: nobody is given a job", job.Consumer))
	}
	if c.Filter != "" && !local {
		found = append(found, fault(ConsumerFilter, "consumer %s hands out %s alone", job.Consumer, c.Filter))
	}
	if c.MaxDeliver > 0 && c.MaxDeliver <= job.MaxFailures {
		found = append(found, fault(ConsumerDeliveries, "consumer %s hands a job out %d times at most, want more than the %d failures that it may have",
			job.Consumer, c.MaxDeliver, job.MaxFailures))
	}
	for _, d := range c.Drift {
		found = append(found, warn(ConsumerDrift, "consumer %s: %s", job.Consumer, d))
	}
	return found
}

// mostNamed bounds what a line lists.
const mostNamed = 5

// role finds out what a role's user may do.
func role(ctx context.Context, address string, r jobstream.Role) []Finding {
	may, err := jobstream.TryRole(ctx, address, r)
	if err != nil {
		return []Finding{unreachable(err)}
	}
	var found []Finding
	if len(may.Denied) > 0 {
		found = append(found, fault(PermissionMissing, "the user at %s may not %s, which a %s needs", where(address), some(may.Denied), r))
	}
	if len(may.Excess) > 0 {
		found = append(found, warn(PermissionExcess, "the user at %s may %s, which no %s needs", where(address), some(may.Excess), r))
	}
	return unless(found, "the user at %s may do what a %s needs, and not what it must not", where(address), r)
}

func some(list []string) string {
	if more := len(list) - mostNamed; more > 0 {
		return strings.Join(list[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

// Settings are what a server's monitoring tells of its JetStream.
type Settings struct {
	JetStream struct {
		Config struct {
			MaxStorage   int64         `json:"max_storage"`
			SyncInterval time.Duration `json:"sync_interval"`
			SyncAlways   bool          `json:"sync_always"`
		} `json:"config"`
		Stats struct {
			Store int64 `json:"storage"`
		} `json:"stats"`
	} `json:"jetstream"`
}

func (n NATS) settings(ctx context.Context) []Finding {
	settings, err := readSettings(ctx, n.Monitor)
	if err != nil {
		return []Finding{warn(NATSMonitor, "the server's settings cannot be read: %v", err)}
	}
	return unless(JudgeSettings(settings, n.Streams.Replicas), "writes are on the disk when they are confirmed, or are kept in copies; %s of %s of files are used",
		size(settings.JetStream.Stats.Store), size(settings.JetStream.Config.MaxStorage))
}

// JudgeSettings says what is wrong with a server's settings for so many copies.
func JudgeSettings(s Settings, replicas int) []Finding {
	found := fullness("the server's file storage", s.JetStream.Stats.Store, s.JetStream.Config.MaxStorage)
	if c := s.JetStream.Config; !c.SyncAlways && replicas <= 1 {
		found = append(found, warn(NATSSync, "with one copy a power cut loses what was confirmed in the last %s (sync_interval)", c.SyncInterval))
	}
	return found
}

func readSettings(ctx context.Context, monitor string) (Settings, error) {
	var s Settings
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(monitor, "/")+"/varz", nil)
	if err != nil {
		return s, errors.New("--nats-monitor is no URL") // the error would repeat what may hold a password
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: connectFor}
	response, err := client.Do(request)
	if err != nil {
		return s, fmt.Errorf("asking the server: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("asking the server: status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&s); err != nil {
		return s, fmt.Errorf("reading the server's answer: %w", err)
	}
	return s, nil
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
	return fmt.Sprintf("%d bytes", n)
}
