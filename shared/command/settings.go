package command

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// Setting is one flag that can be set by the environment and by a configuration file.
type Setting struct {
	// Command is the flag's command, such as producer.run. It is the name of a section
	// in a configuration, and Flag is the setting's name there.
	Command, Flag string
	// Key is the setting's name at the top of a configuration: its environment
	// variable in lower case with dashes, without MIRRORFLEET_.
	Key string
}

// String is the setting's line in the record of settings.
func (s Setting) String() string { return s.Command + " " + s.Flag + " " + s.Key }

// Settings lists the settings of a command and of its subcommands.
func Settings(cmd *cli.Command) []Setting { return settingsBelow(cmd, cmd.Name) }

func settingsBelow(cmd *cli.Command, path string) []Setting {
	var list []Setting
	for _, flag := range cmd.Flags {
		if key := keyOf(flag); key != "" {
			list = append(list, Setting{path, flag.Names()[0], key})
		}
	}
	for _, sub := range cmd.Commands {
		list = append(list, settingsBelow(sub, dotted(path, sub.Name))...)
	}
	return list
}

// keyOf is a flag's key at the top of a configuration, "" for a flag that a file cannot
// set. --config is one of these: the file cannot say where it is.
func keyOf(flag cli.Flag) string {
	documented, ok := flag.(cli.DocGenerationFlag)
	if !ok || flag.Names()[0] == "config" {
		return ""
	}
	for _, variable := range documented.GetEnvVars() {
		if name, ours := strings.CutPrefix(variable, envPrefix); ours {
			return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		}
	}
	return ""
}

// recorded are the settings of all commands of the product. One file may serve them all,
// so each must tell the settings of another command from mistyped names. The tests of the
// commands keep the record true (commandtest.Settings).
//
//go:embed settings/*.txt
var recorded embed.FS

// vocabulary is the set of names that a configuration file may have.
type vocabulary struct {
	// top has all keys. sections has the flags of each command; a command with
	// subcommands has theirs too, because a setting above applies to all below.
	top      map[string]bool
	sections map[string]map[string]bool
}

// known is the vocabulary of all recorded commands and of the running one, which a test
// may have made up.
func known(root *cli.Command) vocabulary {
	v := vocabulary{top: map[string]bool{}, sections: map[string]map[string]bool{}}
	v.addCommands(root, root.Name)
	for _, s := range Settings(root) {
		v.add(s)
	}
	files, _ := recorded.ReadDir("settings") // embedded: it is there
	for _, file := range files {
		data, _ := recorded.ReadFile("settings/" + file.Name())
		for line := range strings.Lines(string(data)) {
			if part := strings.Fields(line); len(part) == 3 {
				v.add(Setting{part[0], part[1], part[2]})
			}
		}
	}
	return v
}

// addCommands adds a section for each command, even one without settings.
func (v vocabulary) addCommands(cmd *cli.Command, path string) {
	if cmd.Hidden {
		return
	}
	v.section(path)
	for _, sub := range cmd.Commands {
		if sub.Name != "help" {
			v.addCommands(sub, dotted(path, sub.Name))
		}
	}
}

func (v vocabulary) section(path string) map[string]bool {
	if v.sections[path] == nil {
		v.sections[path] = map[string]bool{}
	}
	return v.sections[path]
}

// add makes a setting known at the top, in its command's section and in those above.
func (v vocabulary) add(s Setting) {
	v.top[s.Key] = true
	for path, more := s.Command, true; more; {
		v.section(path)[s.Flag] = true
		at := strings.LastIndexByte(path, '.')
		if more = at >= 0; more {
			path = path[:at]
		}
	}
}

// check refuses every name that no command knows. Of an unknown section only the name is
// reported, not each setting in it.
func (v vocabulary) check(entries []entry) error {
	var errs []error
	for _, e := range entries {
		if v.has(e) || !v.isSection(e.section) {
			continue
		}
		errs = append(errs, v.unknown(e))
	}
	return errors.Join(errs...)
}

func (v vocabulary) isSection(path string) bool { return path == "" || v.sections[path] != nil }

// has says whether an entry's name is known where it stands. At the top it is a key, in a
// section the name of a flag.
func (v vocabulary) has(e entry) bool {
	switch {
	case e.isSection:
		return v.isSection(dotted(e.section, e.key))
	case e.section == "":
		return v.top[e.key]
	}
	return v.sections[e.section][e.key]
}

// unknown is the error about a name: it suggests a similar one, or names the commands
// that have the setting.
func (v vocabulary) unknown(e entry) error {
	what, where := "key", ""
	if e.section != "" {
		where = " in " + e.section
	}
	here := v.top
	if e.section != "" {
		here = v.sections[e.section]
	}
	candidates := slices.Sorted(maps.Keys(here))
	for path := range v.sections {
		if name, below := strings.CutPrefix(path, dotted(e.section, "")); below && !strings.Contains(name, ".") {
			candidates = append(candidates, name)
		}
	}
	slices.Sort(candidates)
	if e.isSection {
		what = "command"
	}
	text := fmt.Sprintf("line %d: unknown %s %q%s", e.line, what, e.key, where)
	owners := v.owners(e.key)
	switch near := nearest(e.key, candidates); {
	case slices.Contains(candidates, e.key) && e.isSection:
		return fmt.Errorf("line %d: %q%s is a setting, want a value", e.line, e.key, where)
	case slices.Contains(candidates, e.key):
		return fmt.Errorf("line %d: %q%s is a command, want settings below it", e.line, e.key, where)
	case len(owners) > 0:
		return fmt.Errorf("%s: it is a setting of %s", text, strings.Join(owners, ", "))
	case near != "":
		return fmt.Errorf("%s: did you mean %q?", text, near)
	}
	return fmt.Errorf("%s: --help of each command lists its settings", text)
}

// owners are the commands that have a flag of this name. A command above an owner is
// listed in its place, because the setting may go there.
func (v vocabulary) owners(flag string) []string {
	var list []string
	for _, path := range slices.Sorted(maps.Keys(v.sections)) {
		if v.sections[path][flag] && !slices.ContainsFunc(list, func(o string) bool { return strings.HasPrefix(path, o+".") }) {
			list = append(list, path)
		}
	}
	return list
}
