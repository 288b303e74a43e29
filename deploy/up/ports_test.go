package main

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"testing"

	"mirrorfleet/shared/must"
)

// Every port lies below those that the system gives to connections, and none is given twice.
// With -any-ports the usual ones are left to another fleet.
func TestPortsAreNobodyElses(t *testing.T) {
	t.Parallel()
	listened := func(anyPorts bool) []int {
		f := &fleet{settings: settings{anyPorts: anyPorts}, addresses: map[string]string{}}
		must.Do(t, f.listen())
		var ports []int
		for name, address := range f.addresses {
			_, text, err := net.SplitHostPort(address)
			must.Do(t, err)
			port := must.Get(strconv.Atoi(text))(t)
			if port != usual[name] && (port < 10_000 || port >= 32_000) {
				t.Errorf("%s has port %d, want one from 10000 to 31999", name, port)
			}
			ports = append(ports, port)
		}
		slices.Sort(ports)
		if len(ports) != 23 || len(slices.Compact(slices.Clone(ports))) != 23 {
			t.Errorf("ports %v, want 23 different ones", ports)
		}
		return ports
	}
	listened(false)
	for _, port := range listened(true) {
		if slices.Contains(slices.Collect(maps.Values(usual)), port) {
			t.Errorf("port %d with -any-ports, want none of the usual", port)
		}
	}
}
