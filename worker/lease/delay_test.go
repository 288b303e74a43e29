package lease //nolint:testpackage // the delays are decided inside

import (
	"testing"
	"time"
)

// TestDelay: 2 s, 8 s, 30 s and no more, each 20 % up or down.
func TestDelay(t *testing.T) {
	t.Parallel()
	cfg := Config{}.withDefaults()
	for _, c := range []struct {
		failures int
		random   float64
		want     time.Duration
	}{
		{0, 0.5, 2 * time.Second},
		{1, 0.5, 2 * time.Second},
		{1, 0, 1600 * time.Millisecond},
		{1, 1, 2400 * time.Millisecond},
		{2, 0.5, 8 * time.Second},
		{3, 0, 24 * time.Second},
		{9, 0.5, 30 * time.Second},
	} {
		if got := cfg.delay(c.failures, c.random); got != c.want {
			t.Errorf("after %d failures, random %g: got %s, want %s", c.failures, c.random, got, c.want)
		}
	}
	cfg.Jitter = -1
	if got := cfg.delay(1, 0); got != 2*time.Second {
		t.Errorf("without jitter: got %s, want 2s", got)
	}
}

// TestTiming: two heartbeats may be lost before the local deadline, and that
// is before the server's.
func TestTiming(t *testing.T) {
	t.Parallel()
	for _, ackWait := range []time.Duration{time.Second, 30 * time.Second, time.Hour} {
		got := timingOf(ackWait)
		if local := got.length - got.margin; local >= ackWait || 2*got.beat >= local {
			t.Errorf("AckWait %s: local deadline after %s, heartbeats every %s", ackWait, local, got.beat)
		}
	}
}

// TestClip keeps records short and their text whole.
func TestClip(t *testing.T) {
	t.Parallel()
	long := make([]byte, 5000)
	for i := range long {
		long[i] = "é"[i%2]
	}
	if got := clip(string(long)); len(got) > 2010 {
		t.Errorf("clipped to %d bytes", len(got))
	}
	if got := clip("a\xffb"); got != "a?b" {
		t.Errorf("got %q, want valid text", got)
	}
}
