package main_test

import (
	"strings"
	"testing"

	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/ratelimit/redistest"
)

// TestEveryStartLooksAtTheServers guards against servers that confirm writes before these
// are on the disk, without anybody knowing. A start names the server and the setting and
// continues. It names the servers that it could not ask.
func TestEveryStartLooksAtTheServers(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).URL()
	for name, c := range map[string]struct {
		nats      string
		want, not string
	}{
		"not synced": {tellingServer(t, ""), `"server":"n7","sync_interval":"2m0s","want":"always"`, "unknown whether NATS"},
		"synced":     {tellingServer(t, "sync_interval: always"), "no such round", "before they are on its disk"},
		"untold":     {jobstreamtest.Start(t).NATSURL(), "unknown whether NATS confirms writes", "before they are on its disk"},
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

// tellingServer is a server that reports its settings, as the shipped configuration makes
// it.
func tellingServer(t *testing.T, setting string) string {
	t.Helper()
	return jobstreamtest.Configured(t, `
server_name: n7, jetstream { store_dir: STORE, `+setting+` }
accounts {
  A {
    jetstream: enabled, users: [ { user: a, password: a } ]
    imports: [ { service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } } ]
  }
  SYS { exports: [ { service: "$SYS.REQ.SERVER.PING.VARZ", response: stream, accounts: [A] } ] }
}
system_account: SYS, no_auth_user: a
`).ClientURL()
}
