package jobstreamtest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/must"
)

// Fault is a state in which a server answers and confirms no write.
type Fault struct {
	// Code is what the server's refusal is told by.
	Code string

	begin func(tb testing.TB, f *Faulty)
}

// settings are what a fault changes of the server's configuration.
type settings struct {
	password, permissions string
}

// Faults are the states, by name.
func Faults() map[string]Fault {
	return map[string]Fault{
		"account full": {"10002", func(tb testing.TB, f *Faulty) {
			tb.Helper()
			f.room(tb, 1)
		}},
		"stream full": {"10077", func(tb testing.TB, f *Faulty) {
			tb.Helper()
			s := must.Get(f.js.Stream(tb.Context(), records))(tb)
			cfg := s.CachedInfo().Config
			cfg.MaxBytes, cfg.MaxMsgsPerSubject = 10, -1
			must.Get(f.js.UpdateStream(tb.Context(), cfg))(tb)
		}},
		"stream gone": {"10059", func(tb testing.TB, f *Faulty) {
			tb.Helper()
			must.Do(tb, f.js.DeleteStream(tb.Context(), records))
		}},
		"right gone": {"permission", func(tb testing.TB, f *Faulty) {
			tb.Helper()
			f.reload(tb, settings{password: userPassword, permissions: `permissions { publish { deny: "$KV.RECORDS.>" } }`})
		}},
		"wrong password": {"authorization", func(tb testing.TB, f *Faulty) {
			tb.Helper()
			f.reload(tb, settings{password: "second-of-two"})
		}},
	}
}

// records is the stream of the bucket that every job writes to.
const records = "KV_RECORDS"

// userPassword is that of the user whom Faulty.NATSURL names.
const userPassword = "first-of-two"

// Faulty is a server that a fault may befall.
type Faulty struct {
	server *natsserver.Server
	fault  Fault
	path   string // of its configuration
	store  string
	url    string
	port   int
	js     jetstream.JetStream // of the user whom no fault concerns
}

// StartFaulty starts a server that is well. Its users may do everything.
func StartFaulty(tb testing.TB, fault Fault) *Faulty {
	tb.Helper()
	return StartFaultyIn(tb, fault, tb.TempDir())
}

// StartFaultyIn is StartFaulty with the store in a directory that there is.
func StartFaultyIn(tb testing.TB, fault Fault, store string) *Faulty {
	tb.Helper()
	f := &Faulty{fault: fault, path: filepath.Join(tb.TempDir(), "nats.conf"), store: store}
	well := settings{password: userPassword}
	f.write(tb, -1, well)
	f.server = Run(tb, must.Get(natsserver.ProcessConfigFile(f.path))(tb))
	f.url = f.server.ClientURL()
	f.port = must.Get(strconv.Atoi(must.Get(url.Parse(f.url))(tb).Port()))(tb)
	_, f.js = Connect(tb, f.as("other", "other"), nil)
	return f
}

func (f *Faulty) as(user, password string) string {
	return strings.Replace(f.url, "nats://", "nats://"+user+":"+password+"@", 1)
}

// NATSURL has the password that the user has when all is well.
func (f *Faulty) NATSURL() string { return f.as("user", userPassword) }

// Break has the fault begin.
func (f *Faulty) Break(tb testing.TB) {
	tb.Helper()
	f.fault.begin(tb, f)
}

// MakeRoom ends the fault of a full account.
func (f *Faulty) MakeRoom(tb testing.TB) {
	tb.Helper()
	f.room(tb, -1)
}

// room sets what the account may store, in bytes.
func (f *Faulty) room(tb testing.TB, bytes int64) {
	tb.Helper()
	account := must.Get(f.server.LookupAccount("A"))(tb)
	must.Do(tb, account.UpdateJetStreamLimits(map[string]natsserver.JetStreamAccountLimits{
		"": {MaxMemory: -1, MaxStore: bytes, MaxStreams: -1, MaxConsumers: -1},
	}))
}

func (f *Faulty) write(tb testing.TB, port int, s settings) {
	tb.Helper()
	must.Do(tb, os.WriteFile(f.path, fmt.Appendf(nil, `
server_name: n1, listen: "127.0.0.1:%d"
jetstream { store_dir: %q, max_file_store: 1GB, sync_interval: always }
accounts {
  A {
    jetstream: enabled, users: [ { user: user, password: %q, %s }, { user: other, password: other } ]
    imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
  }
  SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response: stream, accounts: [A] } ] }
}
system_account: SYS
`, port, f.store, s.password, s.permissions), 0o600))
}

// reload changes what a server that runs can be told.
func (f *Faulty) reload(tb testing.TB, s settings) {
	tb.Helper()
	f.write(tb, f.port, s)
	must.Do(tb, f.server.Reload())
}
