package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// versionFlag is on every command. Run answers it before it reads any setting, so it
// works without required ones.
func versionFlag() cli.Flag { return &cli.BoolFlag{Name: "version", Usage: "print the version"} }

// told is the version that `make bundle` tells a build. An image is built outside the
// repository, where Go finds neither a version nor a revision.
var told string //nolint:gochecknoglobals // only the linker sets it

// Build names the program that runs, for others of the fleet: the module's version, or the
// revision where it has none.
func Build() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return "unknown"
	}
	if revision := revisionOf(info); revision != "" && info.Main.Version == unversioned {
		return revision[:min(len(revision), 12)]
	}
	return moduleVersion(info, told)
}

// unversioned is Go's name for the version of a module that has none.
const unversioned = "(devel)"

// moduleVersion is the version that Go recorded, or the one that a build outside a
// repository was told.
func moduleVersion(info *debug.BuildInfo, told string) string {
	if info.Main.Version == unversioned && revisionOf(info) == "" && told != "" {
		return told
	}
	return info.Main.Version
}

func revisionOf(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// version is one line: the name and version, the revision, and the version of Go. A build
// outside a repository has no revision.
func version(name string, info *debug.BuildInfo, told string) string {
	if info == nil { // a build without modules
		return fmt.Sprintf("%s (unknown version), %s", name, runtime.Version())
	}
	parts := []string{name + " " + moduleVersion(info, told)}
	if revision := revisionOf(info); revision != "" {
		if slices.Contains(info.Settings, debug.BuildSetting{Key: "vcs.modified", Value: "true"}) {
			revision += " (modified)"
		}
		parts = append(parts, "revision "+revision)
	}
	return strings.Join(append(parts, info.GoVersion), ", ")
}
