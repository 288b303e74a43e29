package main

import (
	"strings"
	"testing"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/round"
)

// Without miners, the error says whether there is no round yet, or whether no server was
// given.
func TestAPlanNeedsMiners(t *testing.T) {
	t.Parallel()
	for asked, want := range map[bool]string{true: "no round is concluded yet", false: "without --nats or --local"} {
		err := take(&estimate.Input{}, round.Inputs{}, nil, asked)
		if err == nil || !strings.Contains(err.Error(), "--miners and --registry are required") || !strings.Contains(err.Error(), want) {
			t.Errorf("asked %t: got %v, want %q", asked, err, want)
		}
	}
}
