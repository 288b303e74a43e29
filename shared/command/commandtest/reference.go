package commandtest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// Reference compares the command's part of a page with the tables of its flags. The
// part lies between two marks with the command's name; the text around the marks is
// written by people and never touched.
func Reference(tb testing.TB, cmd *cli.Command, page string) {
	tb.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		tb.Fatal(err)
	}
	begin, end := fmt.Sprintf("<!-- settings of %s -->\n", cmd.Name), fmt.Sprintf("<!-- /settings of %s -->\n", cmd.Name)
	before, rest, found := strings.Cut(string(data), begin)
	have, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		tb.Fatalf("%s has no place for the settings of %s: want the lines %s%s", page, cmd.Name, begin, end)
	}
	entries := command.Reference(cmd)
	for _, e := range entries {
		if e.Usage == "" {
			tb.Errorf("%s %s has no usage text: give it one", e.Command, e.Flag)
		}
	}
	want := referenceTables(entries)
	if have == want {
		return
	}
	if !Update() {
		tb.Errorf("%s: the settings of %s (-page +flags), -update accepts them:\n%s", page, cmd.Name, cmp.Diff(have, want))
		return
	}
	text := before + begin + want + end + after
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil { //nolint:gosec // a page that everybody reads
		tb.Fatal(err)
	}
}

// row is one line of a table: a flag with the commands that have exactly this flag.
// Commands whose default or usage differs get a row of their own.
type row struct {
	command.Entry

	commands []string
}

// referenceTables has a table for each group of flags, in the order of the help pages.
func referenceTables(entries []command.Entry) string {
	var groups, all []string
	rows := map[string][]*row{}
	for _, e := range entries {
		if !slices.Contains(groups, e.Group) {
			groups = append(groups, e.Group)
		}
		name := e.Command
		if _, sub, below := strings.Cut(name, " "); below {
			name = sub
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
		e.Command = ""
		same := func(r *row) bool { return r.Entry == e }
		if i := slices.IndexFunc(rows[e.Group], same); i >= 0 {
			rows[e.Group][i].commands = append(rows[e.Group][i].commands, name)
			continue
		}
		rows[e.Group] = append(rows[e.Group], &row{e, []string{name}})
	}
	var b strings.Builder
	for _, group := range groups {
		fmt.Fprintf(&b, "\n#### %s\n\n| flag | commands | variable | default | what it does |\n|---|---|---|---|---|\n", group)
		for _, r := range rows[group] {
			commands := strings.Join(r.commands, ", ")
			if len(all) > 1 && len(r.commands) == len(all) {
				commands = "all"
			}
			fmt.Fprintf(&b, "| `%s%s` | %s | `%s` | %s | %s |\n", r.Flag, r.Value, commands, r.Variable, cell(r.Default), cell(r.Usage))
		}
	}
	return b.String() + "\n"
}

// cell escapes the characters that would end a cell or start markup.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(text)
}
