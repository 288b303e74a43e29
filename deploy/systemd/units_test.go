package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// units are all that are shipped.
func units(t *testing.T) map[string]string {
	t.Helper()
	paths := must.Get(filepath.Glob("*.service"))(t)
	texts := map[string]string{}
	for _, path := range paths {
		texts[path] = string(must.Get(os.ReadFile(path))(t))
	}
	if len(texts) != 5 {
		t.Fatalf("units %v, want five", paths)
	}
	return texts
}

// setting reads a setting of a unit; the last one counts.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(found) == 0 {
		t.Fatalf("no %s in %s", name, unit)
	}
	return found[len(found)-1][1]
}

// systemd reads the units without a complaint, and counts what a process may still do. It is
// not on every machine that builds.
func TestSystemdTakesTheUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze: apt-get install systemd")
	}
	bin := filepath.Dir(fleettest.Path(t, "producer"))
	dir := t.TempDir()
	for name, text := range units(t) {
		// Verifying looks for the command, which no package has installed here.
		path := filepath.Join(dir, strings.Replace(name, "@.", "@1.", 1))
		must.Do(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "/opt/mirrorfleet/", bin+"/")), 0o600))
		for _, args := range [][]string{{"verify", "--man=no", path}, {"security", "--offline=yes", "--no-pager", "--threshold=21", path}} {
			out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
			if err != nil || args[0] == "verify" && strings.Contains(string(out), name) {
				t.Errorf("systemd-analyze %v of %s: %v\n%s", args, name, err, out)
			}
		}
	}
}

// A producer that panicked stayed down: Go's exit code of a panic is that of refused settings, and
// RestartPreventExitStatus named it. So no end keeps a unit from its next start, and neither does
// systemd's limit of starts (5 in 10 s, systemd.unit(5)), even if each start fails at once.
func TestEveryEndIsFollowedByAStart(t *testing.T) {
	t.Parallel()
	const burst, interval = 5, 10 * time.Second
	for name, text := range units(t) {
		if got := setting(t, text, "Restart"); got != "always" {
			t.Errorf("%s: Restart=%s, want always", name, got)
		}
		pause := must.Get(time.ParseDuration(setting(t, text, "RestartSec") + "s"))(t)
		if burst*pause <= interval || pause > 15*time.Second {
			t.Errorf("%s: starts again after %s, want more than %s, and no more than the 15 s of a takeover", name, pause, interval/burst)
		}
		if final := regexp.MustCompile(`(?m)^(RestartPreventExitStatus|SuccessExitStatus|StartLimit\w+)=.*`).FindString(text); final != "" {
			t.Errorf("%s: %s, which can keep it from its next start", name, final)
		}
	}
}

// What each unit promises its operator: a drain has its time, no secret is in an argument, and
// each of the product's commands takes its arguments.
func TestUnitsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	drains := map[string]time.Duration{
		"mirrorfleet-worker@.service": 20 * time.Second, "mirrorfleet-gateway.service": 30 * time.Second,
		"mirrorfleet-nats.service": 30 * time.Second,
	}
	for name, text := range units(t) {
		stop := must.Get(time.ParseDuration(setting(t, text, "TimeoutStopSec") + "s"))(t)
		if stop < drains[name]+10*time.Second {
			t.Errorf("%s is killed after %s, and drains for %s", name, stop, drains[name])
		}
		for _, line := range []string{"NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "SystemCallArchitectures=native"} {
			if !slices.Contains(strings.Split(text, "\n"), line) {
				t.Errorf("%s lacks %s", name, line)
			}
		}
		takesItsArguments(t, name, text)
	}
}

// takesItsArguments runs the command of a unit with the shipped settings. They are read, and
// what they name is not there. Of the servers, TestServersStartFromTheirUnits runs the commands.
func takesItsArguments(t *testing.T, name, text string) {
	t.Helper()
	start := strings.Fields(setting(t, text, "ExecStart"))
	if start[0] == "/bin/sh" {
		return
	}
	command := strings.TrimPrefix(start[0], "/opt/mirrorfleet/")
	credentials := t.TempDir()
	args := start[1:]
	for i, arg := range args {
		if file, is := strings.CutPrefix(arg, "${CREDENTIALS_DIRECTORY}/"); is {
			if !strings.Contains(text, "\nLoadCredential="+file+":/etc/mirrorfleet/secrets/") {
				t.Errorf("%s loads no credential %s", name, file)
			}
			args[i] = filepath.Join(credentials, file)
			must.Do(t, os.WriteFile(args[i], []byte("a-password\n"), 0o600))
		}
		args[i] = strings.ReplaceAll(strings.ReplaceAll(args[i], "/etc/mirrorfleet/fleet.yaml", "fleet.yaml"), "%H-%i", "here-1")
	}
	cmd := fleettest.Command(t.Context(), t, command, args...)
	out, _ := cmd.CombinedOutput()
	missing := regexp.MustCompile(`(/etc|/var/lib)/mirrorfleet/\S+: no such file`)
	if code := cmd.ProcessState.ExitCode(); code != 2 || !missing.Match(out) {
		t.Errorf("%s: %v: exit code %d, said %s; want 2 and the file that is missing", name, args, code, out)
	}
}
