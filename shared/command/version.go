package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v3"
)

// versionFlag is the flag that every command has. Run answers it before anything
// else is read, so that it tells the version of a command that lacks settings.
func versionFlag() cli.Flag { return &cli.BoolFlag{Name: "version", Usage: "print the version"} }

// version is one line: what was built, of which revision, with which Go. A build
// outside a repository knows no revision.
func version(name string, info *debug.BuildInfo) string {
	if info == nil { // a build without modules
		return fmt.Sprintf("%s (unknown version), %s", name, runtime.Version())
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	parts := []string{name + " " + info.Main.Version}
	if revision := settings["vcs.revision"]; revision != "" {
		if settings["vcs.modified"] == "true" {
			revision += " (modified)"
		}
		parts = append(parts, "revision "+revision)
	}
	return strings.Join(append(parts, info.GoVersion), ", ")
}
