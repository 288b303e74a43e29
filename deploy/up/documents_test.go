package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// documented is a command of a page.
type documented struct {
	page  string
	line  int
	words []string
}

func (d documented) String() string { return strings.Join(d.words, " ") }

// foreign are commands of others, and why no test runs them by themselves.
var foreign = map[string]string{
	"apt-get": "it changes the machine", "dpkg": "it changes the machine", "systemctl": "it changes the machine",
	"docker": "it needs a daemon; deploy/compose.yaml has tests of its own", "podman": "as docker", "kubectl": "it needs a cluster; deploy/kubernetes has tests of its own",
	"curl": "it asks a server of the reader's", "redis-cli": "as curl", "nats": "as curl: a tool that is not ours", "git": "it works on the reader's checkout",
	"nats-server": "TestTheDocumentedMove runs those of docs/backup.md", "sha256sum": "it checks what was downloaded", "tar": "as sha256sum",
	"bin/jaeger": "make trace-test runs it", "kill": "TestUp runs what `make up` prints", "openssl": "it makes keys", "bearer()": "a function of the shell's",
	"cd": "it changes the folder", "cp": "it copies a file", "mkdir": "as cp", "sed": "it changes a file", "source": "TestCompletion runs it", "export": "it sets a variable",
	".": "it reads variables", "cat": "it joins files", "python3": "the validator's; make validator and make conform run it", "(umask": "it writes a token", "setfacl": "it changes the reader's files", "install": "as cp",
}

// commands are those of the product.
var commands = []string{"producer", "worker", "mirrorgate", "mirrorsim"}

// pages are the documents whose commands are checked.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/rules/*.md"} {
		for _, path := range must.Get(filepath.Glob(filepath.Join("..", "..", pattern)))(t) {
			list = append(list, must.Get(filepath.Rel(filepath.Join("..", ".."), path))(t))
		}
	}
	return list
}

// assignment is a variable in front of a command.
var assignment = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*=`)

// column is where a command ends in a table of commands: a comment is none.
var column = regexp.MustCompile(`\S   +[^#\s]`)

// split takes a line apart as a shell does, as far as the documents go: commands end at a
// comment, a pipe, a list or a redirection.
func split(line string) (list [][]string) {
	var words []string
	word, quote := "", rune(0)
	depth := 0
	end := func() {
		if word != "" {
			words = append(words, word)
		}
		word = ""
	}
	for _, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
			word += string(r)
		case r == '"' || r == '\'':
			quote = r
			word += string(r)
		case r == '(':
			depth++
			word += string(r)
		case r == ')' && depth > 0:
			depth--
			word += string(r)
		case depth > 0:
			word += string(r)
		case r == '#' && word == "":
			end()
			return append(list, words)
		case r == ' ':
			end()
		case strings.ContainsRune("|;&<>", r):
			end()
			list, words = append(list, words), nil
		default:
			word += string(r)
		}
	}
	end()
	return append(list, words)
}

// commandsOf reads the commands of a page: in its blocks, and the product's in its sentences.
func commandsOf(page, text string) (list []documented) {
	add := func(line int, text string, mine bool) {
		for _, words := range split(text) {
			for len(words) > 0 && assignment.MatchString(words[0]) {
				words = words[1:]
			}
			if len(words) == 0 {
				continue
			}
			words[0] = strings.TrimPrefix(words[0], "bin/")
			own := slices.Contains(commands, words[0])
			if own && len(words) > 1 && words[1] == "…" {
				continue // the beginning of a message
			}
			if own && (len(words) > 1 || !mine) || !mine && (words[0] == "make" || words[0] == "go" || foreign[words[0]] != "") {
				list = append(list, documented{page, line, words})
			}
		}
	}
	inline := regexp.MustCompile("`((?:bin/)?(?:producer|worker|mirrorgate|mirrorsim) [^`\n]+)`")
	fenced, joined := false, ""
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		code, block := strings.CutPrefix(line, "    ")
		if !block && !fenced {
			joined = ""
			for _, found := range inline.FindAllStringSubmatch(line, -1) {
				add(i+1, found[1], true)
			}
			continue
		}
		code = joined + strings.TrimPrefix(strings.TrimSpace(code), "$ ")
		if said := column.FindStringIndex(code); said != nil {
			code = code[:said[0]+1] // what stands beside a command
		}
		if joined = ""; strings.HasSuffix(code, `\`) {
			joined = strings.TrimSuffix(code, `\`)
			continue
		}
		add(i+1, code, false)
	}
	return list
}

// everyCommand reads all pages.
func everyCommand(t *testing.T) (list []documented) {
	t.Helper()
	for _, page := range pages(t) {
		list = append(list, commandsOf(page, string(must.Get(os.ReadFile(filepath.Join("..", "..", page)))(t)))...)
	}
	return list
}

// Every command of the documents exists, and takes the flags and values that stand there: the
// commands themselves read them. Targets of make exist, and packages of go.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	makefile := string(must.Get(os.ReadFile(filepath.Join("..", "..", "Makefile")))(t))
	known := map[string][]string{}
	seen := map[string]bool{}
	counted := map[string]int{}
	for _, d := range everyCommand(t) {
		counted[d.words[0]]++
		switch first := d.words[0]; {
		case slices.Contains(commands, first):
			if known[first] == nil {
				known[first] = subcommands(t, first)
			}
			if seen[d.String()] {
				continue
			}
			seen[d.String()] = true
			if why := d.read(t, known[first]); why != "" {
				t.Errorf("%s:%d: %s: %s", d.page, d.line, d, why)
			}
		case first == "make":
			for _, word := range d.words[1:] {
				if regexp.MustCompile(`^[a-z-]+$`).MatchString(word) && !strings.Contains(makefile, "\n.PHONY: "+word+"\n") {
					t.Errorf("%s:%d: %s: the Makefile has no target %s", d.page, d.line, d, word)
				}
			}
		case first == "go":
			for _, word := range d.words[1:] {
				if path, is := strings.CutPrefix(word, "./"); is {
					if _, err := os.Stat(filepath.Join("..", "..", strings.TrimSuffix(path, "/..."))); err != nil {
						t.Errorf("%s:%d: %s: %v", d.page, d.line, d, err)
					}
				}
			}
		}
	}
	t.Logf("commands of the documents: %v", counted)
	if counted["producer"] < 100 || counted["make"] < 15 || counted["docker"] < 5 {
		t.Errorf("%v: this test does not see the documents", counted)
	}
}

// subcommands asks a command what it has; the command alone if it has none.
func subcommands(t *testing.T, name string) []string {
	t.Helper()
	out := must.Get(fleettest.Command(t.Context(), t, name, "--help").Output())(t)
	list := []string{""}
	for _, found := range regexp.MustCompile(`(?m)^  ([a-z-]+)  `).FindAllStringSubmatch(string(out), -1) {
		list = append(list, found[1])
	}
	return list
}

// read has the command read its own flags, by asking for its help behind them. What is left
// out by an ellipsis cannot be read.
func (d documented) read(t *testing.T, known []string) string {
	t.Helper()
	args := slices.DeleteFunc(slices.Clone(d.words[1:]), func(word string) bool { return word == "…" || word == "..." })
	var sub string
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && len(known) > 1 {
		sub = args[0]
	}
	if !slices.Contains(known, sub) && regexp.MustCompile(`^[a-z-]+$`).MatchString(sub) {
		return "there is no such command"
	}
	if !slices.ContainsFunc(args, func(word string) bool { return strings.HasPrefix(word, "-") }) {
		return "" // no flag to read
	}
	for i, arg := range args {
		args[i] = strings.Trim(arg, `"'`)
	}
	// The first one may become the value of a flag that is named without one.
	out, err := fleettest.Command(t.Context(), t, d.words[0], append(args, "--help", "--help")...).CombinedOutput()
	text, _, _ := strings.Cut(string(out), "\n")
	if err == nil || slices.ContainsFunc(unread, func(s string) bool { return strings.Contains(text, s) }) {
		return ""
	}
	return text
}

// unread are refusals that say nothing against a documented command: of arguments, behind
// which there is no help; of the help in place of a value; of an address of a machine that is an example.
var unread = []string{"No help topic for", `"--help"`, "203.0.113."}

// A command that exists no longer, or a flag, is found.
func TestWrongCommandsAreFound(t *testing.T) {
	t.Parallel()
	known := subcommands(t, "producer")
	for text, want := range map[string]string{
		"producer frobnicate": "no such command", "producer run --locale": "unknown flag", "producer serve --every soon": "want a duration",
		"producer rounds --json": "", "producer show latest 12 --local": "",
	} {
		list := commandsOf("page", "A sentence.\n\n    $ X=1 "+text+" | less   # why\n")
		if len(list) != 1 {
			t.Errorf("%q: found %v, want one command", text, list)
			continue
		}
		if got := list[0].read(t, known); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// looks are the commands that change nothing, and need nothing but the servers.
var looks = []string{"rounds", "show", "rewards", "failed", "export", "workers", "egresses", "plan", "limit", "doctor", "what-if"}

// elsewhere are flags, with their values, that name other servers than those of the fleet.
var elsewhere = regexp.MustCompile(`^--(nats|redis|egress|state|world|mirror|workers|nats-[a-z-]+|worker-nats-creds|redis-[a-z-]+)$`)

// runDocumented runs the documents' commands that look at a fleet, on this one, as they are
// written but for names of rounds and files and for addresses.
func (u *up) runDocumented() {
	u.t.Helper()
	here := strings.NewReplacer("miners.json", "$FLEET/world/miners.json", "master_repositories.json", "$FLEET/world/master_repositories.json")
	round := regexp.MustCompile(`^(ROUND|latest|20\d{6}t\w+-\w+)$`)
	uid := regexp.MustCompile(`^\d+$`)
	// What changes something, leaves a value out, names a pull request, another revision or
	// another limit, is a sentence's mention of a command that wants a round, or a sentence of
	// a page that is shown.
	skipped := regexp.MustCompile(`…|[A-Z]{2}|/repo#|basin/|--(limit-[a-z]+|hold|release|end-cool-down|verify-key|check-timeout|compare)|^producer (show|what-if|rewards|export)$|^producer doctor .|limit shows a`)
	ran := map[string]bool{}
	var script strings.Builder
	for _, d := range everyCommand(u.t) {
		if d.words[0] != "producer" || len(d.words) < 2 || !slices.Contains(looks, d.words[1]) {
			continue
		}
		var words []string
		for i := 0; i < len(d.words); i++ {
			switch word := d.words[i]; {
			case elsewhere.MatchString(word):
				i++ // its value
			case word == "--local":
			case round.MatchString(word):
				words = append(words, "latest")
			case uid.MatchString(word) && !strings.HasPrefix(d.words[i-1], "--"):
				words = append(words, "12") // a miner of the demo
			default:
				words = append(words, here.Replace(word))
			}
		}
		text := strings.Join(words, " ")
		if ran[text] || skipped.MatchString(strings.ReplaceAll(text, "$FLEET", "")) {
			continue
		}
		ran[text] = true
		script.WriteString(text + " >out 2>&1 || { echo \"$? of: " + text + "\"; cat out; }\n")
	}
	if len(ran) < 15 {
		u.t.Errorf("%d documented commands run: this test does not see them", len(ran))
	}
	if out := u.sh("producer", script.String()); out != "" {
		u.t.Errorf("documented commands failed:\n%s", out)
	}
	u.t.Logf("%d documented commands were run", len(ran))
}
