package fleet_test

import (
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
)

// More copies than there are servers: a server alone can never have them, so that the start
// ends at once, with the setting and what to do.
func TestMoreCopiesThanServersAreRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Streams.Replicas, cfg.ConnectTimeout = 3, time.Hour
	_, err := fleet.Open(t.Context(), cfg)
	if command.Code(err) != command.ExitUsage || !strings.Contains(err.Error(), "--replicas 3") || !strings.Contains(err.Error(), "--replicas 1") {
		t.Errorf("got %v with code %d, want wrong usage of --replicas, and the remedy", err, command.Code(err))
	}
}
