package mirror_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// Requests leave from the address that is chosen: one machine with two is two egresses. Linux
// has all of 127.0.0.0/8.
func TestRequestsLeaveFromTheChosenAddress(t *testing.T) {
	t.Parallel()
	from := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		from <- host
		_, _ = w.Write([]byte(`{"status": "ok"}`))
	}))
	t.Cleanup(server.Close)
	client := must.Get(mirror.New(mirror.Config{BaseURL: server.URL, Meter: &meter{}, Source: netip.MustParseAddr("127.0.0.2")}))(t)
	t.Cleanup(client.Close)
	_, err := client.Probe(t.Context())
	must.Do(t, err)
	if got := <-from; got != "127.0.0.2" {
		t.Errorf("the mirror sees %s, want 127.0.0.2", got)
	}
}
