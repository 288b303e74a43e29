package jobstream_test

import (
	"errors"
	"strings"
	"testing"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
)

// TestOlder compares three numbers. A version that was not yet released is older.
func TestOlder(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"2.12.3": false, "2.12.2": true, "2.12.10": false, "2.11.17": true, "2.14.0": false, "3.0.0": false, "1.99.99": true, "v2.12.2": true,
		"2.12.3-RC.1": true, "2.12.4-beta.1": false, "2.14.0-dev": false, "2.12.3+build.7": false, "2.12.2+build.7": true,
		"": false, "2.12": false, "latest": false, "2.x.1": false, "2.12.-1": false,
	} {
		if got := jobstream.Older(version, "2.12.3"); got != want {
			t.Errorf("%q is older than 2.12.3: %v, want %v", version, got, want)
		}
	}
}

// TestAnOldServerIsRefused guards against streams on a server that loses confirmed
// writes. The error names both versions, and nothing is declared.
func TestAnOldServerIsRefused(t *testing.T) {
	t.Parallel()
	address := jobstreamtest.Start(t).NATSURL()
	nc, _ := jobstreamtest.Connect(t, jobstreamtest.Aged(t, address, "2.12.2"), nil)
	_, err := jobstream.Open(t.Context(), nc, jobstream.Config{Log: jobstreamtest.Quiet()})
	tooOld, is := errors.AsType[*jobstream.VersionError](err)
	if !is || tooOld.Have != "2.12.2" || tooOld.Want != jobstream.OldestServer || !strings.Contains(err.Error(), "2.12.2, want "+jobstream.OldestServer) {
		t.Errorf("%v, want that 2.12.2 is older than %s", err, jobstream.OldestServer)
	}
	_, js := jobstreamtest.Connect(t, address, nil)
	if account, err := js.AccountInfo(t.Context()); err != nil || account.Streams != 0 {
		t.Errorf("%+v, %v, want no stream", account, err)
	}
}
