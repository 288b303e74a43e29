package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v3"
)

// versionFlag is on every command. Run answers it before it reads any setting, so it
// works without required ones.
func versionFlag() cli.Flag { return &cli.BoolFlag{Name: "version", Usage: "print the version"} }

// Build names the program that runs, for others of the fleet: the module's version, or the
// revision where it has none.
func Build() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return info.Main.Version
}

// version is one line: the name and version, the revision, and the version of Go. A build
// outside a repository has no revision.
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
