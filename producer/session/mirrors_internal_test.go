package session

import (
	"sync"
	"testing"

	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/must"
)

// Rounds and replays that are served side by side share one client of their mirror: each
// had its own, with connections and a breaker of its own.
func TestRoundsOfOneMirrorShareItsClient(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	s.fleet = &fleet.Fleet{} // nobody asks for a permit
	clients := make([]*mirror.Client, 8)
	var made sync.WaitGroup
	for i := range clients {
		made.Go(func() {
			var err error
			if clients[i], err = s.mirrorOf("https://a.example"); err != nil {
				t.Error(err)
			}
		})
	}
	made.Wait()
	for _, client := range clients {
		if client != clients[0] {
			t.Fatal("two rounds of one mirror have two clients, want one")
		}
	}
	if other := must.Get(s.mirrorOf("https://b.example"))(t); other == clients[0] {
		t.Error("another mirror has the same client, want its own")
	}
	must.Do(t, s.closeMirrors())
}
