package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestEveryStartLooksAtTheServers guards against confirmed writes that are not on
// the disk and nobody knows: a start names the server and the setting, goes on, and
// says where it could not ask.
func TestEveryStartLooksAtTheServers(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).URL()
	for name, c := range map[string]struct {
		nats      string
		want, not string
	}{
		"not synced": {tellingServer(t, ""), `"server":"n7","sync_interval":"2m0s","want":"always"`, "is not known"},
		"synced":     {tellingServer(t, "sync_interval: always"), "no such round", "before they are on its disk"},
		"untold":     {jobstreamtest.Start(t).NATSURL(), "is not known", "before they are on its disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := run(t, "producer", "replay", "nosuch", "--nats", c.nats, "--redis", redis)
			if e.code != 2 || !strings.Contains(e.stderr, c.want) || strings.Contains(e.stderr, c.not) {
				t.Errorf("exit %d, %s: want %q, and not %q", e.code, e.stderr, c.want, c.not)
			}
		})
	}
}

// tellingServer is a server that tells its settings, as the shipped ones do.
func tellingServer(t *testing.T, setting string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	must.Do(t, os.WriteFile(path, []byte(`
server_name: n7, listen: "127.0.0.1:-1"
jetstream { store_dir: "`+t.TempDir()+`", `+setting+` }
accounts {
  A {
    jetstream: enabled, users: [ { user: a, password: a } ]
    imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
  }
  SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response: stream, accounts: [A] } ] }
}
system_account: SYS, no_auth_user: a
`), 0o600))
	options := must.Get(natsserver.ProcessConfigFile(path))(t)
	options.NoLog, options.NoSigs = true, true
	s := must.Get(natsserver.NewServer(options))(t)
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}
