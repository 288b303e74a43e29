package estimate

import (
	"slices"
	"time"
)

// Reading is the bucket of an egress at an instant.
type Reading struct {
	// Granted counts permits over the bucket's life, Rate is how many it grants a
	// second.
	Granted int64
	Rate    float64
	// Limit requests in Window are what the mirror allows.
	Limit  int
	Window time.Duration
	// Rests says that nothing can be sent: a cool-down, a hold, a mirror that is
	// away, nobody to send. Such times say nothing of the pace.
	Rests bool
}

// Meter follows the count of a bucket's permits. It begins with the first of its
// own: before it there was nothing to send.
type Meter struct {
	last Reading
	// samples are those of the last minute and the last one before, oldest first.
	samples []sample
	base    int64 // permits granted before the meter began
	began   bool  // there was a permit since
}

// sample is a count at an instant; rests is of the time that ends with it.
type sample struct {
	at      time.Time
	granted int64
	rests   bool
}

// The meter looks back a minute, and takes a pace for measured after ten seconds
// in which something could be sent.
const (
	lookBack = time.Minute
	enough   = 10 * time.Second
)

// Read takes a reading.
func (m *Meter) Read(r Reading, now time.Time) {
	s := sample{now, r.Granted, r.Rests || m.last.Rests}
	switch n := len(m.samples); {
	case n == 0 || r.Granted < m.samples[n-1].granted: // the first reading, or the bucket began anew
		m.base = r.Granted
		m.samples = []sample{s}
		m.began = false
	case !m.began && r.Granted == m.base:
		m.samples = []sample{s}
	default:
		m.began = true
		m.samples = append(m.samples, s)
	}
	m.last = r
	first := 0
	for first+1 < len(m.samples) && now.Sub(m.samples[first+1].at) >= lookBack {
		first++
	}
	m.samples = slices.Delete(m.samples, 0, first)
}

// Clone is the meter as it is now, for a reader beside the goroutine that reads into it.
func (m *Meter) Clone() *Meter {
	c := *m
	c.samples = slices.Clone(m.samples)
	return &c
}

// Granted is how many permits were granted since the meter began.
func (m *Meter) Granted() int64 { return m.now().granted - m.base }

// now is the last sample; zero before the first.
func (m *Meter) now() (s sample) {
	if n := len(m.samples); n > 0 {
		s = m.samples[n-1]
	}
	return s
}

// Share is how much of what the mirror allows was used in the last minute, or
// since the first permit if that is not so long ago.
func (m *Meter) Share() float64 {
	if !m.began || m.last.Window <= 0 {
		return 0
	}
	first, last := m.samples[0], m.now()
	allowed := float64(m.last.Limit) / m.last.Window.Seconds() * last.at.Sub(first.at).Seconds()
	if allowed < 1 {
		return 0
	}
	return float64(last.granted-first.granted) / allowed
}

// Pace is how many requests a second go out: as many as the bucket grants, or
// fewer, if fewer did in the last minute though nothing kept them back.
func (m *Meter) Pace() float64 {
	var granted int64
	var took time.Duration
	for i := 1; i < len(m.samples); i++ {
		if one := m.samples[i]; !one.rests {
			granted += one.granted - m.samples[i-1].granted
			took += one.at.Sub(m.samples[i-1].at)
		}
	}
	if took < enough || granted == 0 {
		return m.last.Rate
	}
	return min(m.last.Rate, float64(granted)/took.Seconds())
}

// Since is how many permits were granted since an instant of the last minute, as if
// they had gone evenly from one reading to the next.
func (m *Meter) Since(at time.Time) int {
	if len(m.samples) == 0 {
		return 0
	}
	last := m.now()
	for i := len(m.samples) - 1; i > 0; i-- {
		from, to := m.samples[i-1], m.samples[i]
		if from.at.After(at) {
			continue
		}
		share := min(1, at.Sub(from.at).Seconds()/max(to.at.Sub(from.at).Seconds(), 1e-9))
		return int(float64(last.granted-to.granted) + (1-share)*float64(to.granted-from.granted))
	}
	return int(last.granted - m.samples[0].granted)
}
