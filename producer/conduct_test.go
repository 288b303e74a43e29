package main

import (
	"context"
	"errors"
	"testing"

	"mirrorfleet/producer/session"
	"mirrorfleet/shared/command"
)

// An error without a signal is told as it is. After a signal, nothing is said of a round
// that had not begun.
func TestWhatEndedARoundIsExplained(t *testing.T) {
	t.Parallel()
	s := session.New(session.Config{})
	ended, cancel := context.WithCancel(t.Context())
	if err := explain(ended, s, errors.ErrUnsupported); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a signal: %v, want the error as it is", err)
	}
	cancel()
	if err := explain(ended, s, ended.Err()); !errors.Is(err, command.ErrInterrupted) || err.Error() != command.ErrInterrupted.Error() {
		t.Errorf("before there was a round: %v, want that it was interrupted alone", err)
	}
}
