package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mirrorfleet/shared/must"
)

// machine is one on which tools/setup runs: it has these commands and no others.
type machine struct {
	t       *testing.T
	dir     string // of the commands, the script, and what apt-get was asked
	user    uint32
	goSays  string // what `go version` prints
	cc      string // what the compiler does
	env     []string
	without []string
}

func newMachine(t *testing.T, without ...string) machine {
	t.Helper()
	dir := t.TempDir()
	must.Do(t, os.Chmod(filepath.Dir(dir), 0o755)) // another user enters it
	return machine{t: t, dir: dir, user: uint32(os.Getuid()), goSays: "go version go1.26.8 linux/amd64", without: without}
}

// setUp runs tools/setup for a target. What apt-get is asked stands in asked.
func (m machine) setUp(target string) (code int, said, asked string) {
	m.t.Helper()
	write := func(name, text string) {
		must.Do(m.t, os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o755))
	}
	record := filepath.Join(m.dir, "asked")
	must.Do(m.t, os.WriteFile(record, nil, 0o644)) // another user reads it
	for _, name := range []string{"cc", "make", "git", "python3", "redis-server", "promtool", "openssl", "chromium", "npm", "uname", "podman", "runc", "iptables", "mmdebstrap"} {
		write(name, "#!/bin/sh\n")
	}
	if m.cc != "" {
		write("cc", "#!/bin/sh\n"+m.cc+"\n")
	}
	write("apt-get", "#!/bin/sh\necho \"$@\" >> "+record+"\n")
	write("go", "#!/bin/sh\necho "+m.goSays+"\n")
	for _, name := range m.without {
		must.Do(m.t, os.Remove(filepath.Join(m.dir, name)))
	}
	write("setup", root(m.t, "tools/setup"))
	bash := must.Get(exec.LookPath("bash"))(m.t)
	cmd := exec.CommandContext(m.t.Context(), bash, filepath.Join(m.dir, "setup"), target)
	cmd.Env = slices.Concat(m.env, []string{"PATH=" + m.dir, "SSL_CERT_FILE=" + record})
	cmd.Dir = m.dir
	if m.user != uint32(os.Getuid()) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: m.user, Gid: m.user}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), string(must.Get(os.ReadFile(record))(m.t))
}

// A machine that has everything is left alone, and a round needs less than the tests.
func TestSetUpLeavesAWholeMachineAlone(t *testing.T) {
	t.Parallel()
	for target, without := range map[string][]string{
		"test":      {"podman", "runc", "iptables", "mmdebstrap"},
		"container": {"git", "chromium", "npm"},
		"lint":      {"git", "redis-server", "promtool", "openssl", "chromium"},
		"round":     {"git", "python3", "redis-server", "promtool", "openssl", "chromium", "npm"},
		"up":        {"git", "python3", "promtool", "chromium"},
	} {
		if code, said, asked := newMachine(t, without...).setUp(target); code != 0 || said+asked != "" {
			t.Errorf("%s, without %q: exit code %d, said %q, apt-get %q; want nothing done", target, without, code, said, asked)
		}
	}
}

// Root has what is missing installed, and nothing else; another user is told the
// command that does it.
func TestSetUpInstallsOrSaysHow(t *testing.T) {
	t.Parallel()
	for target, c := range map[string]struct{ without, packages string }{
		"round": {"cc", "gcc libc6-dev"}, "up": {"make redis-server git", "make redis-server"},
		"test":      {"make git python3 redis-server promtool", "make redis-server git python3 prometheus"},
		"lint":      {"python3 npm", "python3 python3-pip npm"},
		"container": {"podman runc mmdebstrap", "podman netavark aardvark-dns catatonit runc mmdebstrap"},
	} {
		want := "install --yes --no-install-recommends " + c.packages
		m := newMachine(t, strings.Fields(c.without)...)
		if m.user == 0 {
			code, said, asked := m.setUp(target)
			if code != 0 || asked != "update -qq\n"+want+" -qq\n" || !strings.Contains(said, "missing: ") {
				t.Errorf("%s as root: exit code %d, said %q, apt-get %q; want %q", target, code, said, asked, want)
			}
			m.user = 65534
		}
		code, said, asked := m.setUp(target)
		if code != 1 || asked != "" || !strings.Contains(said, "apt-get update && apt-get "+want+"\n") || !strings.Contains(said, "as root") {
			t.Errorf("%s as another user: exit code %d, said %q, apt-get %q; want 1 and %q", target, code, said, asked, want)
		}
	}
	bare := newMachine(t)
	bare.cc = "exit 1"
	if bare.user == 0 {
		bare.user = 65534
	}
	if code, said, _ := bare.setUp("round"); code != 1 || !strings.Contains(said, "recommends libc6-dev\n") {
		t.Errorf("a compiler without headers: exit code %d, said %q; want libc6-dev", code, said)
	}
	code, said, _ := newMachine(t, "cc", "apt-get").setUp("round")
	if code != 1 || !strings.Contains(said, "a C compiler") {
		t.Errorf("without apt-get: exit code %d, said %q; want 1 and what is missing", code, said)
	}
}

// A compiler may be named with arguments, as Go takes it; one that is not there is named
// by its variable.
func TestSetUpTakesWhatTheEnvironmentNames(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"CC=make cc": "", "CC=cc -m64": "", "CC=": "", "PYTHON=git": "",
		"CC=none cc": "setup: CC is none cc, which is not there", "PYTHON=none": "setup: PYTHON is none, which is not there",
	} {
		m := newMachine(t)
		m.env = []string{env}
		code, said, asked := m.setUp("test")
		if !strings.HasPrefix(said, want) || (code == 0) != (want == "") || want == "" && said != "" || asked != "" {
			t.Errorf("%s: exit code %d, said %q, apt-get %q; want %q", env, code, said, asked, want)
		}
	}
}

// Debian's own Go reads no go.mod of today: it stopped with an error about a version.
func TestSetUpWantsGo(t *testing.T) {
	t.Parallel()
	old := newMachine(t)
	old.goSays = "go version go1.19.8 linux/amd64"
	for want, m := range map[string]machine{"go is missing": newMachine(t, "go"), "go1.19.8": old} {
		if code, said, _ := m.setUp("round"); code != 1 || !strings.Contains(said, want) || !strings.Contains(said, "https://go.dev/doc/install") {
			t.Errorf("exit code %d, said %q; want 1, %q and where to get it", code, said, want)
		}
	}
}

// CI sets a machine up as make does.
func TestSetUpIsOne(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"Makefile": "tools/setup $(SETUP)", ".ci/run": "tools/setup test\ntools/setup container\n"} {
		if text := root(t, path); !strings.Contains(text, want) || strings.Contains(text, "apt-get") {
			t.Errorf("%s: want %q, and no packages of its own", path, want)
		}
	}
}

// CI runs the targets that people run, so that both find the same.
func TestCIRunsTheTargetsOfPeople(t *testing.T) {
	t.Parallel()
	run := root(t, ".ci/run")
	for _, want := range []string{"\nmake test\n", " container-round lint\n"} {
		if !strings.Contains(run, want) {
			t.Errorf(".ci/run lacks the command %q", strings.TrimSpace(want))
		}
	}
}

// Whoever only uses the product does not have to look among what its developers
// need, and the page has every target that says what it does.
func TestHelpListsTargetsApart(t *testing.T) {
	t.Parallel()
	help := exec.CommandContext(t.Context(), "make", "--no-print-directory", "help")
	help.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // the tests may run under another make
	help.Dir = filepath.Join("..", "..")
	page := string(must.Get(help.CombinedOutput())(t))
	users, developers, apart := strings.Cut(page, "\nTo develop it:\n")
	if !apart || !strings.HasPrefix(users, "To use it:\n") {
		t.Fatalf("make help prints\n%s\nwant the targets to use it, and then those to develop it", page)
	}
	for target, part := range map[string]string{"round": users, "build": users, "test": developers, "lint": developers} {
		if !strings.Contains(part, "  make "+target+" ") {
			t.Errorf("make help has %s in the wrong part, or not at all:\n%s", target, page)
		}
	}
	for _, target := range regexp.MustCompile(`(?m)^([a-z-]+):.* ###? `).FindAllStringSubmatch(root(t, "Makefile"), -1) {
		if strings.Count(page, "  make "+target[1]+" ") != 1 {
			t.Errorf("make help does not have %s once:\n%s", target[1], page)
		}
	}
}

// A build says how far it is, and nothing when there is nothing to do; what the
// compiler says comes through, and so does its failure.
func TestABuildSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(path, text string) {
		must.Do(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
		must.Do(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
	}
	write("go.mod", "module example\n\ngo 1.26\n")
	write("a/a.go", "package a\n")
	write("b/b.go", "package b\n\nimport _ \"example/a\"\n")
	script := must.Get(filepath.Abs(filepath.Join("..", "..", "tools", "gobuild")))(t)
	build := func() (int, string) {
		cmd := exec.CommandContext(t.Context(), "bash", script, os.DevNull, "./a", "./b")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(dir, "cache"), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, said := build(); code != 0 || said != "go: compiling package 1 of 2\n" {
		t.Errorf("the first build: exit code %d, %q; want how far it is", code, said)
	}
	if code, said := build(); code != 0 || said != "" {
		t.Errorf("the second build: exit code %d, %q; want nothing", code, said)
	}
	write("b/b.go", "package b\n\nvar x string = 1\n")
	if code, said := build(); code == 0 || !strings.Contains(said, "b/b.go:3") {
		t.Errorf("a build that fails: exit code %d, %q; want the compiler's word", code, said)
	}
}
