//nolint:thelper // what takes a *testing.T here is a scenario, not a helper
package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

const restricted = withJetStream + `
accounts { A { jetstream: enabled, users: [
  { user: worker, password: w, permissions { publish { deny: ["$KV.EVALUATIONS.>", "miner.job.>", "$KV.ROUNDS.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.DELETE.>"] } } }
  { user: all, password: a }
] } }`

// withUser puts a user into an address.
func withUser(url, user string) string { return strings.Replace(url, "nats://", "nats://"+user+"@", 1) }

func natsScenarios() map[string]scenario {
	at := func(conf string, n doctor.NATS) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			n.URL = natsServer(t, conf).ClientURL()
			return run(t, natsChecks(n)...)
		}
	}
	judged := func(in jobstream.Inspection) func(*testing.T) []doctor.Finding {
		return func(*testing.T) []doctor.Finding {
			return append(doctor.JudgeAccount(in, 0), doctor.JudgeStreams(in, false)...)
		}
	}
	server := func(s jobstream.Server, silent ...string) func(*testing.T) []doctor.Finding {
		s.Name = "n1"
		return func(t *testing.T) []doctor.Finding {
			found := doctor.JudgeServers([]jobstream.Server{{Name: "n0", Version: "2.15.2", JetStream: true, SyncAlways: true}, s}, silent)
			if text := fmt.Sprint(found); strings.Contains(text, "n0") {
				t.Errorf("%s: want the server that is well not named", text)
			}
			return found
		}
	}
	return map[string]scenario{
		"nobody listens": {doctor.NATSUnreachable, doctor.Fault, func(t *testing.T) []doctor.Finding {
			return run(t, natsChecks(doctor.NATS{URL: "nats://127.0.0.1:1"})...)
		}},
		"what follows from it": {doctor.NotLookedAt, doctor.Warning, func(t *testing.T) []doctor.Finding {
			return run(t, natsChecks(doctor.NATS{URL: "nats://127.0.0.1:1"})...)
		}},
		"the password is another": {doctor.NATSCredentials, doctor.Fault, func(t *testing.T) []doctor.Finding {
			url := withUser(natsServer(t, restricted).ClientURL(), "worker:guessed")
			found := run(t, natsChecks(doctor.NATS{URL: url})...)
			if text := fmt.Sprint(found); strings.Contains(text, "guessed") {
				t.Errorf("the password is shown: %s", text)
			}
			return found
		}},
		"a certificate of another CA": {doctor.NATSCertificate, doctor.Fault, func(t *testing.T) []doctor.Finding {
			cert, key := certstest.New(t).Issue(t, "server")
			url := natsServer(t, fmt.Sprintf("%s\ntls { cert_file: %q, key_file: %q }\n", withJetStream, cert, key)).ClientURL()
			files := jobstream.Files{TLS: certs.Files{CA: certstest.New(t).File}}
			return run(t, natsChecks(doctor.NATS{URL: url, Files: files, WorkerFiles: files})...)
		}},
		"certificates that expire soon": {doctor.CertificateExpires, doctor.Warning, func(t *testing.T) []doctor.Finding {
			ca, now := certstest.New(t), time.Now()
			cert, key := ca.IssueUntil(t, "server", now.Add(72*time.Hour))
			url := natsServer(t, fmt.Sprintf("%s\ntls { cert_file: %q, key_file: %q }\n", withJetStream, cert, key)).ClientURL()
			old, oldKey := ca.IssueUntil(t, "api", now.Add(-time.Hour))
			found := run(t, doctor.Certificates{
				NATS:      url,
				Redis:     "redis://127.0.0.1:1",
				NATSFiles: jobstream.Files{TLS: certs.Files{CA: ca.File}},
				API:       certs.Files{Cert: old, Key: oldKey},
				Now:       now,
			}.Check())
			if text := fmt.Sprint(found); !strings.Contains(text, "expires in 3 days") || !strings.Contains(text, "--api-cert "+old+" has expired") {
				t.Errorf("found %s, want both certificates", text)
			}
			return found
		}},
		"a seed for everybody": {doctor.FileExposed, doctor.Fault, func(t *testing.T) []doctor.Finding {
			path := filepath.Join(t.TempDir(), "seed")
			must.Do(t, os.WriteFile(path, []byte("SECRET"), 0o600))
			must.Do(t, os.Chmod(path, 0o644))
			return run(t, natsChecks(doctor.NATS{URL: natsServer(t, withJetStream).ClientURL(), Files: jobstream.Files{NKey: path}})...)
		}},
		"an old server":                  {doctor.NATSVersion, doctor.Fault, server(jobstream.Server{Version: "2.12.2"})},
		"a server in preparation":        {doctor.NATSVersion, doctor.Fault, server(jobstream.Server{Version: "2.12.3-RC.1"})},
		"a server that is not backed up": {doctor.NATSVersion, doctor.Warning, server(jobstream.Server{Version: "2.14.9"})},
		"no JetStream":                   {doctor.NATSJetStream, doctor.Fault, at("", doctor.NATS{})},
		"tiny messages":                  {doctor.NATSPayload, doctor.Fault, at("max_payload: 32768\n"+withJetStream, doctor.NATS{})},
		"small messages":                 {doctor.NATSPayload, doctor.Warning, at("max_payload: 500000\n"+withJetStream, doctor.NATS{})},
		"too few streams":                {doctor.NATSStreams, doctor.Fault, at(withJetStream+"accounts { A { jetstream { max_streams: 3, max_file: 100MB }, users: [{user: a, password: a}] } }\nno_auth_user: a\n", doctor.NATS{})},
		"too few servers":                {doctor.NATSServers, doctor.Fault, at(withJetStream, doctor.NATS{Streams: jobstream.Config{Replicas: 3}})},
		"a full account":                 {doctor.NATSStorage, doctor.Fault, fullAccount},
		"a nearly full disk":             {doctor.NATSStorage, doctor.Warning, judged(jobstream.Inspection{Store: 80, StoreLimit: 100})},
		"a full disk":                    {doctor.NATSStorage, doctor.Fault, server(jobstream.Server{JetStream: true, SyncAlways: true, Store: 99, StoreLimit: 100})},
		"a server that is away":          {doctor.NATSServers, doctor.Warning, server(jobstream.Server{}, "n2")},
		"servers that tell nothing":      {doctor.NATSSilent, doctor.Warning, at(withJetStream, doctor.NATS{})},
		"writes that are not synced":     {doctor.NATSSync, doctor.Fault, at(withJetStream+telling, doctor.NATS{})},
		// Copies are no substitute for the disk.
		"copies that are not synced": {doctor.NATSSync, doctor.Fault, at(withJetStream+telling, doctor.NATS{Streams: jobstream.Config{Replicas: 3}})},
		"a copy that lags": {doctor.StreamCopies, doctor.Warning, judged(jobstream.Inspection{
			Streams: []jobstream.InspectedStream{{Name: job.StreamJobs, Replicas: 3, Current: 2}},
		})},
		"a right too few": {doctor.PermissionMissing, doctor.Fault, func(t *testing.T) []doctor.Finding {
			url := natsServer(t, restricted).ClientURL()
			found := run(t, natsChecks(doctor.NATS{URL: withUser(url, "all:a"), Worker: withUser(url, "worker:w")})...)
			if text := fmt.Sprint(found); !strings.Contains(text, "publish $KV.EVALUATIONS") || strings.Contains(text, ":w@") {
				t.Errorf("%s does not name the right, or shows the password", text)
			}
			return found
		}},
		"rights too many": {doctor.PermissionExcess, doctor.Warning, at(withJetStream, doctor.NATS{})},
	}
}

// fullAccount has written nearly all that the account may store.
func fullAccount(t *testing.T) []doctor.Finding {
	t.Helper()
	url := natsServer(t, withJetStream+"accounts { A { jetstream { max_file: 2MB }, users: [{user: a, password: a}] } }\nno_auth_user: a\n").ClientURL()
	_, js := streamsOn(t, url)
	must.Get(js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other"}}))(t)
	for range 99 {
		must.Get(js.Publish(t.Context(), "other", make([]byte, 20<<10)))(t)
	}
	return run(t, natsChecks(doctor.NATS{URL: url})...)
}

func streamScenarios() map[string]scenario {
	on := func(spoil func(t *testing.T, js jetstream.JetStream, bus *jobstream.Bus), cfg jobstream.Config) func(t *testing.T) []doctor.Finding {
		return func(t *testing.T) []doctor.Finding {
			url, js, bus := declared(t)
			spoil(t, js, bus)
			return run(t, natsChecks(doctor.NATS{URL: url, Streams: cfg})...)
		}
	}
	consumer := func(change func(*jetstream.ConsumerConfig)) func(*testing.T, jetstream.JetStream, *jobstream.Bus) {
		return func(t *testing.T, js jetstream.JetStream, _ *jobstream.Bus) {
			c, err := js.Consumer(t.Context(), job.StreamJobs, job.Consumer)
			if err == nil {
				cfg := c.CachedInfo().Config
				change(&cfg)
				_, err = js.UpdateConsumer(t.Context(), job.StreamJobs, cfg)
			}
			must.Do(t, err)
		}
	}
	return map[string]scenario{
		"a stream in memory": {doctor.StreamMismatch, doctor.Fault, func(t *testing.T) []doctor.Finding {
			url := natsServer(t, withJetStream).ClientURL()
			_, js := streamsOn(t, url)
			must.Get(js.CreateStream(t.Context(), jetstream.StreamConfig{
				Name: job.StreamDead, Subjects: []string{job.SubjectDead}, Storage: jetstream.MemoryStorage,
			}))(t)
			return run(t, natsChecks(doctor.NATS{URL: url})...)
		}},
		"a worker and a producer of two versions": {doctor.VersionsDiffer, doctor.Warning, on(func(t *testing.T, _ jetstream.JetStream, bus *jobstream.Bus) {
			must.Do(t, bus.Presence.Show(t.Context(), "w", job.Worker{Name: "w", Build: "v1.2.0"}))
			must.Do(t, bus.Presence.ShowProducer(t.Context(), "p", job.Producer{Name: "p", Build: "v1.3.0"}))
		}, jobstream.Config{})},
		"letters kept for an hour": {doctor.StreamDrift, doctor.Warning, on(func(t *testing.T, js jetstream.JetStream, _ *jobstream.Bus) {
			s, err := js.Stream(t.Context(), job.StreamDead)
			if err == nil {
				cfg := s.CachedInfo().Config
				cfg.MaxAge = time.Hour
				_, err = js.UpdateStream(t.Context(), cfg)
			}
			must.Do(t, err)
		}, jobstream.Config{})},
		"another lease":      {doctor.ConsumerDrift, doctor.Warning, on(func(*testing.T, jetstream.JetStream, *jobstream.Bus) {}, jobstream.Config{AckWait: time.Minute})},
		"few deliveries":     {doctor.ConsumerDeliveries, doctor.Fault, on(consumer(func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 3 }), jobstream.Config{})},
		"one round's filter": {doctor.ConsumerFilter, doctor.Fault, on(consumer(func(c *jetstream.ConsumerConfig) { c.FilterSubject = "miner.job.r1.*" }), jobstream.Config{})},
		"a paused consumer": {doctor.ConsumerPaused, doctor.Fault, on(func(t *testing.T, js jetstream.JetStream, _ *jobstream.Bus) {
			must.Get(js.PauseConsumer(t.Context(), job.StreamJobs, job.Consumer, time.Now().Add(time.Hour)))(t)
		}, jobstream.Config{})},
		"a paused round": {doctor.RoundPaused, doctor.Warning, on(func(t *testing.T, _ jetstream.JetStream, bus *jobstream.Bus) {
			must.Do(t, bus.Steering.Follow(t.Context(), job.Steer{Round: &job.RoundStop{Round: "r1"}}))
		}, jobstream.Config{})},
	}
}

// TestAProducersUserAlone: with the shipped roles, a producer's user is not judged as the
// workers', whose password a producer does not have. A user who is neither is.
func TestAProducersUserAlone(t *testing.T) {
	t.Parallel()
	shipped := string(must.Get(os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "settings.conf")))(t))
	shipped = strings.ReplaceAll(shipped, "$NATS_STORE", "STORE")
	shipped = regexp.MustCompile(`\$NATS_[A-Z]+_PASSWORD`).ReplaceAllString(shipped, "p")
	url := natsServer(t, shipped).ClientURL()
	for user, want := range map[string]string{
		"producer:p": "a producer's, and --worker-nats names none",
		"viewer:p":   "which a worker needs",
	} {
		url := withUser(url, user)
		found := fmt.Sprint(run(t, natsChecks(doctor.NATS{URL: url, Worker: url})...))
		if got := strings.Contains(found, want); !got {
			t.Errorf("as %s: %s\nwant %q", user, found, want)
		}
	}
}
