package telemetrytest

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"mirrorfleet/shared/broadcast"
)

// Log keeps what somebody logs, a process too, and lets a test wait for a word
// of it. The zero value is empty.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
	more broadcast.Signal // there is another word
}

// Logger logs everything to l, as text.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more.Send()
	return l.text.Write(p) //nolint:wrapcheck // it never fails
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count says how often a word was logged.
func (l *Log) Count(word string) int { return strings.Count(l.String(), word) }

// Await waits until a word is logged; the test ends if ctx does before.
func (l *Log) Await(ctx context.Context, tb testing.TB, word string) {
	tb.Helper()
	for {
		l.mu.Lock()
		said := strings.Contains(l.text.String(), word)
		more := l.more.Next()
		l.mu.Unlock()
		if said {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			tb.Fatalf("never logged %q; logged:\n%s", word, l)
		}
	}
}
