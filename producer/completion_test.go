package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// bashLine completes a line in a bash that has loaded only the script.
const bashLine = `
source <(producer completion bash) || exit 1
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_producer_complete
printf '%s\n' "${COMPREPLY[@]}"
`

// A plain bash completes commands, flags and rounds. It evaluates nothing that was typed.
func TestBashCompletes(t *testing.T) {
	t.Parallel()
	trap := filepath.Join(t.TempDir(), "trap")
	registry := previewRegistry(t)[2]
	for line, want := range map[string]string{
		"producer|ru":                         "run",
		"producer|run|--repl":                 "--replicas",
		"producer|run|--nats|":                "",
		"producer|run|--limit-r":              "--limit-rate --limit-requests",
		"producer|show|la":                    "latest",
		"producer|cancel|la":                  "latest",
		"producer|rescore|la":                 "latest",
		"producer|completion|":                "bash fish zsh",
		"producer|export|--format|":           "jsonl csv",
		"producer|export|--format|=":          "jsonl csv", // as bash takes --format= apart
		"producer|export|--format|=|c":        "csv",
		"producer|export|--what|pulls,i":      "pulls,issues",
		"producer|run|--log-level|=|":         "debug info warn error",
		"producer|run|--replicas|":            "0 1 3 5",
		"producer|run|--resume|":              "latest",
		"producer|run|--unloadable|csharp,ko": "csharp,kotlin",
		"producer|replay|latest|--class|":     "transient permanent poison overdue cancelled damaged identity",
		"producer|serve|--vers":               "--version",
		"producer|preview|--issue|":           "standard maintainer",
		"producer|preview|--registry|" + registry + "|--repository|acme/k":   "acme/kinds acme/kettles",
		"producer|preview|--registry|" + registry + "|--repository|=|other/": "other/thing",
		"producer|show|$(touch " + trap + ")|--rev":                          "--revision",
	} {
		cmd := exec.CommandContext(t.Context(), "bash", append([]string{"--noprofile", "--norc", "-c", bashLine, "bash"}, strings.Split(line, "|")...)...)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(fleettest.Path(t, "producer"))+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		if err != nil || !sameWords(got, strings.Fields(want)) {
			t.Errorf("%s: %v, got %q, want %q", line, err, got, want)
		}
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("what was typed was evaluated")
	}
}

// Fish lists its offers without a terminal.
func TestFishCompletes(t *testing.T) {
	t.Parallel()
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("fish is not installed: apt-get install fish")
	}
	for line, want := range map[string]string{
		"producer ru":                       "run",
		"producer run --limit-r":            "--limit-rate --limit-requests",
		"producer show la":                  "latest",
		"producer run --miners mai":         "main.go",
		"producer export --format ":         "jsonl csv",
		"producer export --format=c":        "--format=csv",
		"producer export --what=pulls,i":    "--what=pulls,issues",
		"producer replay latest --class po": "poison",
		"producer run --log-level=w":        "--log-level=warn",
	} {
		cmd := exec.CommandContext(t.Context(), fish, "--no-config", "-c", "producer completion fish | source; complete -C "+`"`+line+`"`)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(fleettest.Path(t, "producer"))+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		var got []string
		for row := range strings.Lines(string(out)) {
			got = append(got, strings.Fields(row)[0])
		}
		if err != nil || !sameWords(got, strings.Fields(want)) {
			t.Errorf("%s: %v, got %q, want %q", line, err, got, want)
		}
	}
}

// zshLine completes a line in a zsh that prints its offers in place of a menu.
const zshLine = `
compdef() { }
_describe() { print -rl -- "${(@P)4%%:*}" }
_files() { print FILES }
source <(producer completion zsh) || exit 1
words=("$@") CURRENT=$#
_producer
`

// Zsh makes the same offers.
func TestZshCompletes(t *testing.T) {
	t.Parallel()
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("zsh is not installed: apt-get install zsh")
	}
	for line, want := range map[string]string{
		"producer|ru":                       "run",
		"producer|run|--limit-r":            "--limit-rate --limit-requests",
		"producer|show|la":                  "latest",
		"producer|run|--miners|":            "FILES",
		"producer|export|--format|":         "jsonl csv",
		"producer|export|--format=c":        "--format=csv",
		"producer|export|--what=pulls,i":    "--what=pulls,issues",
		"producer|replay|latest|--class|po": "poison",
		"producer|run|--log-level|":         "debug info warn error",
	} {
		cmd := exec.CommandContext(t.Context(), zsh, append([]string{"-f", "-c", zshLine, "zsh"}, strings.Split(line, "|")...)...)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(fleettest.Path(t, "producer"))+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if got := strings.Fields(string(out)); err != nil || !sameWords(got, strings.Fields(want)) {
			t.Errorf("%s: %v, got %q, want %q", line, err, got, want)
		}
	}
}

func sameWords(got, want []string) bool {
	count := map[string]int{}
	for _, word := range got {
		count[word]++
	}
	for _, word := range want {
		count[word]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// A shell is told the groups of failures of the round on the line, with what each has in
// common; and nothing when the server, or the round, is not there.
func TestGroupsAreCompleted(t *testing.T) {
	t.Parallel()
	url, bus := listed(t)
	groups := must.Get(view.RoundOf(t.Context(), bus, replayedRound, time.Now()))(t).Groups
	var all string
	for _, g := range groups {
		all += fmt.Sprintf("%s\t%s, 1 miner: %s\n", g.Key, g.Class, g.Text)
	}
	for _, c := range []struct {
		want string
		line []string
	}{
		{all, []string{"failed", replayedRound, "--nats", url, "--like", ""}},
		{all, []string{"replay", replayedRound, "--nats", url, "--like", ""}},
		{all, []string{"replay", "latest", "--nats", url, "--like", ""}},
		{all, []string{"failed", "--nats", url, "--like", ""}}, // the round that was planned last
		{"--like=" + all[:strings.Index(all, "\n")+1], []string{"failed", replayedRound, "--nats", url, "--like=" + groups[0].Key}},
		{"", []string{"failed", "r9", "--nats", url, "--like", ""}},
		{"", []string{"failed", "--like", ""}},
		{"", []string{"failed", "--nats", "nats://127.0.0.1:1", "--like", ""}},
	} {
		if got := run(t, "producer", append(c.line, "--complete-words")...); got.code != 0 || got.stderr != "" || got.stdout != c.want {
			t.Errorf("%q: exit %d, %q, want %q\n%s", c.line, got.code, got.stdout, c.want, got.stderr)
		}
	}
}
