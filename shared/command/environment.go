package command

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mirrorfleet/shared/terminal"

	"github.com/urfave/cli/v3"
)

// others are the variables of the product's that are no flag's: each stands in the
// file with whose it is. A test keeps it true.
//
//go:embed environment.txt
var others string

// warnOfUnknown names each variable of ours that nothing reads, and the one that
// was perhaps meant. It is no reason to stop: an orchestrator makes variables of its
// own (MIRRORFLEET_NATS_SERVICE_HOST of a service named mirrorfleet-nats), and an
// older version reads what a newer one has left in a common file.
func warnOfUnknown(root *cli.Command, environ []string, w io.Writer) {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(known(root).top)) {
		names = append(names, variable(key))
	}
	for line := range strings.Lines(others) {
		if name, _, found := strings.Cut(line, " "); found {
			names = append(names, name)
		}
	}
	names = append(names, variable("config"))
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, envPrefix+"TEST_") || slices.Contains(names, name) {
			continue
		}
		fmt.Fprintf(w, "%s: warning: nothing reads the environment variable %s%s\n",
			root.Name, terminal.Clean(name), nearestVariable(name, names))
	}
}

// nearestVariable compares what stands behind the prefix: the prefix is right.
func nearestVariable(name string, names []string) string {
	short := make([]string, len(names))
	for i, one := range names {
		short[i] = strings.TrimPrefix(one, envPrefix)
	}
	return didYouMean(envPrefix, nearest(strings.TrimPrefix(name, envPrefix), short))
}
