package nettest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"mirrorfleet/shared/must"
)

// drawn are the ports that are some server's, also while it is down.
var drawn sync.Map //nolint:gochecknoglobals // ports are the process's

// FreePort draws a port of the loopback for a server that may be killed and
// started again: one below those that the system gives to connections, and
// nobody else's in this process.
func FreePort(tb testing.TB) int {
	tb.Helper()
	const lowest, highest = 10_000, 32_000
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		if _, taken := drawn.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		must.Do(tb, listener.Close())
		return port
	}
	tb.Fatalf("no port between %d and %d is free", lowest, highest)
	return 0
}
