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

// others are the product's variables that belong to no flag. Each line of the file has a
// variable and the part that reads it. A test compares the file with the sources.
//
//go:embed environment.txt
var others string

// warnOfUnknown warns of each variable with the product's prefix that nothing reads, and
// suggests the one that was probably meant. It does not stop the command. Kubernetes sets
// such variables for its services (MIRRORFLEET_NATS_SERVICE_HOST for a service named
// mirrorfleet-nats), and after a downgrade the environment may be that of a newer version.
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

// nearestVariable compares names without the prefix. The prefix is right, and as the
// longest part it would make every name look similar.
func nearestVariable(name string, names []string) string {
	short := make([]string, len(names))
	for i, one := range names {
		short[i] = strings.TrimPrefix(one, envPrefix)
	}
	return didYouMean(envPrefix, nearest(strings.TrimPrefix(name, envPrefix), short))
}
