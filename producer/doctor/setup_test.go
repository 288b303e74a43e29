package doctor_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/ratelimit/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = time.Minute

// natsServer runs a real server in this process by a configuration; STORE stands
// for a directory of its own.
func natsServer(t *testing.T, conf string) *server.Server {
	t.Helper()
	return jobstreamtest.Configured(t, conf)
}

const withJetStream = "jetstream { store_dir: STORE }\n"

// telling lets users without a name ask each server for its settings, as the
// shipped settings let the producer.
const telling = `
accounts {
  A {
    jetstream: enabled, users: [ { user: a, password: a } ]
    imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
  }
  SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response: stream, accounts: [A] } ], users: [ { user: s, password: s } ] }
}
system_account: SYS
no_auth_user: a
`

// synced is a server as it should be, but for the roles.
const synced = "jetstream { store_dir: STORE, sync_interval: always }\n" + telling

// streamsOn is JetStream on a server, for what a test prepares.
func streamsOn(t *testing.T, url string) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	return jobstreamtest.Connect(t, url, nil)
}

// declared is a server with everything declared on it.
func declared(t *testing.T) (string, jetstream.JetStream, *jobstream.Bus) {
	t.Helper()
	url := natsServer(t, synced).ClientURL()
	bus, nc := jobstreamtest.Open(t, url, jobstream.Config{})
	return url, must.Get(jetstream.New(nc))(t), bus
}

// asShipped is a Redis server's address for the producer's user that deploy/redis ships.
func asShipped(t *testing.T, s *redistest.Server) string {
	t.Helper()
	order := []any{"ACL", "SETUSER"}
	for line := range strings.Lines(string(must.Get(os.ReadFile("../../deploy/redis/users.acl"))(t))) {
		if rights, ok := strings.CutPrefix(line, "user producer "); ok {
			order = append(order, "producer")
			for word := range strings.FieldsSeq(rights) {
				order = append(order, strings.Replace(word, "#PRODUCER", ">secret", 1))
			}
		}
	}
	must.Do(t, s.Client(t).Do(t.Context(), order...).Err())
	return strings.Replace(s.URL(), "redis://", "redis://producer:secret@", 1)
}

// used makes a bucket by taking so many permits with these figures.
func used(t *testing.T, url string, cfg ratelimit.Config, permits int) {
	t.Helper()
	rdb := must.Get(ratelimit.NewClient(url, 0))(t)
	t.Cleanup(func() { _ = rdb.Close() })
	cfg.Log = jobstreamtest.Quiet()
	limiter := must.Get(ratelimit.New(cfg, rdb))(t)
	defer limiter.Close()
	for range permits {
		must.Get(limiter.Permit(t.Context()))(t)
	}
}

// fast is a limit whose bucket begins at once.
func fast() ratelimit.Config {
	return ratelimit.Config{Limit: 1000, Window: time.Second, Horizon: 100 * time.Millisecond, Log: jobstreamtest.Quiet()}
}

func run(t *testing.T, checks ...doctor.Check) []doctor.Finding {
	t.Helper()
	return doctor.Run(t.Context(), checks, patience)
}

func natsChecks(n doctor.NATS) []doctor.Check {
	if n.Worker == "" {
		n.Worker = n.URL
	}
	n.Streams.Log = jobstreamtest.Quiet()
	return n.Checks()
}

// book is the codes that the tests have met.
type book struct {
	mu  sync.Mutex
	met map[doctor.Code]bool
}

func (b *book) note(found []doctor.Finding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range found {
		b.met[f.Code] = true
	}
}

// has says whether a finding of a code and a status is there.
func has(found []doctor.Finding, code doctor.Code, status doctor.Status) bool {
	for _, f := range found {
		if f.Code == code && f.Status == status && f.Mend != "" && f.Text != "" {
			return true
		}
	}
	return false
}

func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
