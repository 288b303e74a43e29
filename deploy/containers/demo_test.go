package containers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
)

// TestARoundInContainers: the commands of deploy/README.md run a whole round of the demo
// world, in containers that can do no more than they need. The long form goes on with the
// same fleet.
//
//nolint:paralleltest // each fleet has the names and the ports of the compose file, and the steps share one
func TestARoundInContainers(t *testing.T) {
	s := newStack(t, map[string]string{"COMPOSE_PROFILES": "demo"})
	services := []string{"nats", "redis", "mirror", "worker", "producer"}
	if form == "full" {
		services = append(services, "prometheus", "otelcol", "jaeger")
	}
	s.up(services...)
	if code := podman(t, "wait", named("producer")); code != "0" {
		t.Errorf("the producer ended with %s, want a complete round", code)
	}
	first := rewards(t, podman(t, "logs", named("producer")))
	for _, service := range services {
		t.Run("guarded/"+service, func(t *testing.T) { checkGuards(t, service) })
	}
	if form == "full" {
		goOn(t, s, first)
	}
}

// rewards cuts the table of a round's rewards out of what its producer said.
func rewards(t *testing.T, said string) string {
	t.Helper()
	_, table, found := strings.Cut(said, "\nUID ")
	table, _, whole := strings.Cut(table, "Rewards sum to 1.0")
	if !found || !whole || !strings.Contains(said, "The round is complete.") {
		t.Errorf("the producer said, instead of a complete round:\n%s", said)
	}
	return table
}

// checkGuards looks at what a container may do and has used, and at what everybody can
// read of it.
func checkGuards(t *testing.T, service string) {
	t.Helper()
	c := inspect(t, named(service))
	if !c.HostConfig.ReadonlyRootfs || len(c.EffectiveCaps) > 0 || len(c.BoundingCaps) > 0 {
		t.Errorf("read-only %v, capabilities %v of %v; want a read-only root and none",
			c.HostConfig.ReadonlyRootfs, c.EffectiveCaps, c.BoundingCaps)
	}
	if !slices.ContainsFunc(c.HostConfig.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") }) {
		t.Errorf("security options %v, want no new privileges", c.HostConfig.SecurityOpt)
	}
	if c.HostConfig.Memory == 0 || c.State.OOMKilled {
		t.Errorf("memory limit %d, killed for it %v; want one that suffices", c.HostConfig.Memory, c.State.OOMKilled)
	}
	if text := shown(t, named(service)); strings.Contains(text, "secret-") {
		t.Errorf("a password is shown outside the environment: %s", text)
	}
	if c.State.Status != "running" {
		return
	}
	if said := podman(t, "exec", named(service), "cat", "/proc/mounts"); !regexp.MustCompile(`(?m)^\S+ / overlay ro,`).MatchString(said) {
		t.Errorf("the root is mounted as\n%s\nwant it read-only", said)
	}
	peak := peakMemory(t, c)
	t.Logf("%-10s user %-11q memory at most %4d of %4d MB", service, c.Config.User, peak>>20, c.HostConfig.Memory>>20)
}

// peakMemory is the sum of the largest resident sizes of the container's processes, in
// bytes. The control group's own figure counts pages of files too.
func peakMemory(t *testing.T, c container) (sum int64) {
	t.Helper()
	var lists []string
	for _, pattern := range []string{"memory/libpod_parent/libpod-%s", "libpod_parent/libpod-%s", "libpod_parent/libpod-%s/container"} {
		found := must.Get(filepath.Glob(filepath.Join("/sys/fs/cgroup", strings.ReplaceAll(pattern, "%s", c.ID), "cgroup.procs")))(t)
		lists = append(lists, found...)
	}
	high := regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	for _, list := range lists {
		for pid := range strings.FieldsSeq(string(must.Get(os.ReadFile(list))(t))) {
			status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
			if err != nil {
				continue // it has ended
			}
			if match := high.FindSubmatch(status); match != nil {
				sum += must.Get(strconv.ParseInt(string(match[1]), 10, 64))(t) << 10
			}
		}
	}
	return sum
}
