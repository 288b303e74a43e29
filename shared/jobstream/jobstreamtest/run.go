package jobstreamtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"mirrorfleet/shared/must"
)

// Run runs one NATS server in the test's process, without Redis, until the test ends.
func Run(tb testing.TB, options *natsserver.Options) *natsserver.Server {
	tb.Helper()
	options.NoLog, options.NoSigs = true, true
	s := must.Get(natsserver.NewServer(options))(tb)
	go s.Start()
	tb.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		tb.Fatal("the server does not start")
	}
	return s
}

var storeWord = regexp.MustCompile(`\bSTORE\b`)

// Configured is Run by the text of a configuration, at a port of its own. The word STORE
// stands for a directory of its own.
func Configured(tb testing.TB, conf string) *natsserver.Server {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "nats.conf")
	conf = "listen: \"127.0.0.1:-1\"\n" + storeWord.ReplaceAllLiteralString(conf, `"`+tb.TempDir()+`"`)
	must.Do(tb, os.WriteFile(path, []byte(conf), 0o600))
	return Run(tb, must.Get(natsserver.ProcessConfigFile(path))(tb))
}
