package dashboard

import "time"

// What the tests hold the streams to.
const MaxStreams = maxStreams

// Regions is how many regions a running round has.
var Regions = len(liveRegions)

// Linger sets how long a round is still followed when nobody looks at it any more.
func (d *Dashboard) Linger(long time.Duration) { d.shows.lingers = long }

// Wait waits until nothing is followed and no stream is open.
func (d *Dashboard) Wait() { d.shows.wait.Wait() }

// Shows is how many rounds are followed.
func (d *Dashboard) Shows() int {
	d.shows.mu.Lock()
	defer d.shows.mu.Unlock()
	return len(d.shows.byRound)
}
