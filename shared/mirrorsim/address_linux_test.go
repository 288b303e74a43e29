package mirrorsim_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
)

// The limit holds for each address by itself: what one has spent is none of another's. Linux
// has all of 127.0.0.0/8.
func TestEachAddressHasItsLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, mirrorsim.Config{Limit: 3, Window: time.Hour, Mitigation: time.Hour})
	for address, requests := range map[string]int{"127.0.0.1": 3, "127.0.0.2": 5} {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		transport := &http.Transport{DialContext: dialer.DialContext}
		t.Cleanup(transport.CloseIdleConnections)
		b.client = &http.Client{Transport: transport}
		for i := range requests {
			want := http.StatusOK
			if i >= 3 {
				want = http.StatusTooManyRequests
			}
			if r := b.do(http.MethodGet, health, ""); r.status != want {
				t.Errorf("request %d of %s: status %d, want %d", i, address, r.status, want)
			}
		}
	}
	stats := b.server.Stats()
	one, two := stats.ByAddress["127.0.0.1"], stats.ByAddress["127.0.0.2"]
	if len(stats.ByAddress) != 2 || one.Requests != 3 || one.OverLimit != 0 || two.Requests != 5 || two.OverLimit != 2 || two.Worst.Sliding != 5 {
		t.Errorf("by address %+v, want 3 requests with none over the limit, and 5 with 2", stats.ByAddress)
	}
	if stats.Requests != 8 || stats.OverLimit != 2 || stats.Worst.Sliding != 5 {
		t.Errorf("stats %+v, want 8 requests, 2 over the limit, and the worst window of one address", stats.Arrivals)
	}
}
