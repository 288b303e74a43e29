package jobstreamtest

import (
	"bufio"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mirrorfleet/shared/must"
)

// said is what a server says of its version when it greets.
var said = regexp.MustCompile(`"version":"[^"]*"`)

// Aged is an address where a real server greets as another version of itself.
func Aged(tb testing.TB, address, version string) string {
	tb.Helper()
	listener := must.Get(net.Listen("tcp", "127.0.0.1:0"))(tb) //nolint:noctx // it ends with the test
	at := must.Get(url.Parse(address))(tb)
	server := at.Host
	at.Host = listener.Addr().String()
	var work sync.WaitGroup
	work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			work.Go(func() { greet(client, server, version) })
		}
	})
	tb.Cleanup(func() { _ = listener.Close(); work.Wait() })
	return at.String()
}

// greet carries one connection until one of its ends is gone.
func greet(client net.Conn, address, version string) {
	var up sync.WaitGroup
	defer up.Wait()
	defer client.Close() // before the wait: the way up reads from it

	server, err := net.Dial("tcp", address) //nolint:noctx // it ends with the client
	if err != nil {
		return
	}
	up.Go(func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	})
	from := bufio.NewReader(server)
	for {
		line, err := from.ReadString('\n')
		if strings.HasPrefix(line, "INFO ") { // it greets again once it knows the user
			line = said.ReplaceAllString(line, `"version":"`+version+`"`)
		}
		if _, writeErr := io.WriteString(client, line); err != nil || writeErr != nil {
			return
		}
	}
}
