package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// root reads a file of the repository.
func root(t *testing.T, path string) string {
	t.Helper()
	return string(must.Get(os.ReadFile(filepath.Join("..", "..", path)))(t))
}

// pip built the metadata of what it downloaded, with tools that nothing pinned:
// what a build runs must be named with a version, and its hash stand somewhere.
// A wheel whose hash is required is built by nobody.
func TestWhatABuildRunsIsPinned(t *testing.T) {
	t.Parallel()
	unpinned := regexp.MustCompile(`(?m)^.*(\b(curl|wget|npx|git clone|go install)\b|\bnpm\s+(a|add|exec|i|in|install|it|pack|run|update)\b|\bpip\b.*\b(install|download)\b|go run \S+@|@latest).*$`)
	for _, path := range []string{"Makefile", ".ci/run", "tools/setup", "tools/gobuild", "deploy/Dockerfile"} {
		whole := strings.ReplaceAll(root(t, path), "\\\n", " ") // lines that go on
		for _, line := range unpinned.FindAllString(whole, -1) {
			wheels := strings.Contains(line, "--only-binary :all:") && strings.Contains(line, "--require-hashes") && strings.Contains(line, "--no-deps")
			if line[0] != '#' && !wheels {
				t.Errorf("%s runs what no hash pins: %s", path, line)
			}
		}
	}
	// npm ci installs what the lock names by its digest, and nothing else.
	for _, tool := range []string{"axe", "pyright"} {
		lock := root(t, filepath.Join("tools", tool, "package-lock.json"))
		if all, digests := strings.Count(lock, `"node_modules/`), strings.Count(lock, `"integrity": "sha512-`); all == 0 || all != digests {
			t.Errorf("tools/%s/package-lock.json names %d packages and %d digests", tool, all, digests)
		}
	}
	tools := regexp.MustCompile(`\$\(call tool,([a-z-]+)\)|-modfile=tools/([a-z-]+)/`).FindAllStringSubmatch(root(t, "Makefile"), -1)
	if len(tools) == 0 {
		t.Error("no tools are called: this test does not see the Makefile")
	}
	for _, tool := range tools {
		for _, file := range []string{"go.mod", "go.sum"} {
			if path := filepath.Join("tools", tool[1]+tool[2], file); root(t, path) == "" {
				t.Errorf("%s is empty", path)
			}
		}
	}
}

// What was built can be built again; the local rounds cannot be run again as they were.
func TestCleanLeavesTheRounds(t *testing.T) {
	t.Parallel()
	clean := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-n", "clean")
	clean.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // the tests may run under another make
	clean.Dir = filepath.Join("..", "..")
	if got := string(must.Get(clean.CombinedOutput())(t)); got != "rm -rf bin\n" {
		t.Errorf("make clean runs %q, want it to remove bin alone", got)
	}
}

// An image without a version is another one every month.
func TestImagesHaveVersions(t *testing.T) {
	t.Parallel()
	images := regexp.MustCompile(`(?m)^(?:ARG [A-Z]+_IMAGE=|\s+image: )(\S+)$`)
	versioned := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+[a-z0-9.-]*(@sha256:[0-9a-f]{64})?$`)
	for _, path := range []string{"deploy/Dockerfile", "deploy/compose.yaml"} {
		found := images.FindAllStringSubmatch(root(t, path), -1)
		if len(found) < 2 {
			t.Errorf("%s: %d images found: this test does not see them", path, len(found))
		}
		for _, image := range found {
			if image[1] != "mirrorfleet" && !versioned.MatchString(image[1]) {
				t.Errorf("%s: image %s has no version", path, image[1])
			}
		}
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(root(t, "deploy/Dockerfile"), -1) {
		if from[1] != "scratch" && !strings.HasPrefix(from[1], "${") {
			t.Errorf("deploy/Dockerfile: %s is no build argument", from[1])
		}
	}
}
