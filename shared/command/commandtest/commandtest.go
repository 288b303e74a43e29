// Package commandtest checks the flags and the help pages of a command. Each flag has its
// environment variable and is in the record of settings, and each help page equals a
// golden file that somebody has read.
//
// A failed check shows the difference. The test flag -update rewrites pages and
// record.
package commandtest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// Update says whether golden files are to be rewritten: the flag -update of the
// test's package, if it has one.
func Update() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// Golden compares a text with a golden file. With -update it writes the file first.
func Golden(tb testing.TB, path, got string) {
	tb.Helper()
	if Update() {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v (-update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		tb.Errorf("%s (-want +got), -update accepts it:\n%s", path, diff)
	}
}

// Settings checks the flags of a command and of all its subcommands. record is the
// file of package command that lists them. without has the hidden flags that have no
// environment variable, each with the reason.
func Settings(tb testing.TB, cmd *cli.Command, record string, without map[string]string) {
	tb.Helper()
	var lines []string
	for _, s := range command.Settings(cmd) {
		lines = append(lines, s.String()+"\n")
	}
	slices.Sort(lines)
	Golden(tb, record, strings.Join(lines, ""))
	flagsOf(tb, cmd, cmd.Name, without)
	for name := range without {
		tb.Errorf("%s: no such flag without a variable", name)
	}
}

// flagsOf checks three promises: a flag has the one variable of its name, it accepts
// every value that it offers to shells, and it is not required by the library, which
// would not see a value in the configuration file. It deletes from without what it finds.
func flagsOf(tb testing.TB, cmd *cli.Command, path string, without map[string]string) {
	tb.Helper()
	for _, f := range cmd.Flags {
		name := path + " --" + f.Names()[0]
		documented, _ := f.(cli.DocGenerationFlag)
		variable := "_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
		switch variables := documented.GetEnvVars(); {
		case len(variables) == 1 && strings.HasPrefix(variables[0], "MIRRORFLEET_") && strings.HasSuffix(variables[0], variable):
		case len(variables) == 0 && without[name] != "":
			delete(without, name)
		default:
			tb.Errorf("%s has the variables %v, want the one of its name: Sources: command.Env(%q)", name, variables, f.Names()[0])
		}
		for _, value := range command.Offered(f) {
			if err := f.Set(f.Names()[0], value); err != nil {
				tb.Errorf("%s refuses %q, which it offers to shells: %v", name, value, err)
			}
		}
		if required, ok := f.(cli.RequiredFlag); ok && required.IsRequired() && !cmd.Hidden {
			tb.Errorf("%s is required by the library, which does not see the configuration file: check it in the action", name)
		}
	}
	for _, sub := range cmd.Commands {
		flagsOf(tb, sub, path+" "+sub.Name, without)
	}
}

// Help compares the help pages of a command and of its visible subcommands with the
// files of a folder. A page must fit a terminal of 80 columns and have an example. A
// file without a command fails too.
func Help(tb testing.TB, newCommand func() *cli.Command, folder string) {
	tb.Helper()
	root := newCommand()
	paths := [][]string{{root.Name}}
	for _, sub := range root.Commands {
		if !sub.Hidden {
			paths = append(paths, []string{root.Name, sub.Name})
		}
	}
	var written []string
	for _, path := range paths {
		var out strings.Builder
		cmd := newCommand()
		cmd.Writer = &out
		if code := command.Run(cmd, append(slices.Clone(path), "--help"), &out); code != 0 {
			tb.Fatalf("%v --help: exit %d\n%s", path, code, out.String())
		}
		page, name := out.String(), strings.Join(path, "-")+".txt"
		written = append(written, name)
		Golden(tb, filepath.Join(folder, name), page)
		if !strings.Contains(page, "\nExamples:\n  "+root.Name+" ") {
			tb.Errorf("%v --help has no examples", path)
		}
		for line := range strings.SplitSeq(page, "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				tb.Errorf("%v --help: a line of %d characters, want at most 80: %s", path, n, line)
			}
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range left {
		if !slices.Contains(written, file.Name()) {
			tb.Errorf("no command has the page %s/%s", folder, file.Name())
		}
	}
}
