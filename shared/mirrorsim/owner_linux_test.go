package mirrorsim_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// TestOwnUserIsAnswered over each of many connections: one that is not found in the
// kernel's table would be a request that the mirror refuses. That others are not is held
// where two users run.
func TestOwnUserIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{OwnUser: true})
	address := strings.TrimPrefix(b.server.URL, "http://")
	for range 200 {
		conn := must.Get(net.Dial("tcp4", address))(t)
		must.Get(fmt.Fprint(conn, "GET /sim/stats HTTP/1.0\r\n\r\n"))(t)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("a connection of this user: %v", err)
		}
		must.Do(t, answer.Body.Close())
		must.Do(t, conn.Close())
	}
}
