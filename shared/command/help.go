package command

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v3"
)

// helpWidth is the maximum width of a help page, in columns: that of the narrowest
// terminal in use.
const helpWidth = 80

// helpPages gives a command and its subcommands help pages of one form: what it does,
// its usage, examples, and its flags by group in the order of their declaration, each
// with its default.
func helpPages(cmd, root *cli.Command, path string) {
	// The library wants a template: braces in our text must not be actions.
	page := strings.ReplaceAll(helpPage(cmd, root, path), "{{", `{{"{{"}}`)
	cmd.CustomHelpTemplate, cmd.CustomRootCommandHelpTemplate = page, page
	for _, sub := range cmd.Commands {
		helpPages(sub, root, path+" "+sub.Name)
	}
}

func helpPage(cmd, root *cli.Command, path string) string {
	var b strings.Builder
	b.WriteString(wrapped("", path+" - "+cmd.Usage))
	b.WriteString("\nUsage: " + path)
	if len(cmd.Commands) > 0 && cmd.Action == nil {
		b.WriteString(" COMMAND")
	}
	b.WriteString(" [flags]")
	for _, argument := range cmd.Arguments {
		b.WriteString(" " + argument.Usage())
	}
	b.WriteByte('\n')
	if cmd.Description != "" {
		b.WriteString("\n" + paragraphs(cmd.Description))
	}
	if commands := visibleCommands(cmd); len(commands) > 0 {
		b.WriteString("\nCommands:\n")
		for _, sub := range commands {
			b.WriteString(item("  "+sub.Name, 14, sub.Usage))
		}
	}
	flags := shownFlags(cmd, root)
	for _, group := range groupsOf(flags) {
		fmt.Fprintf(&b, "\n%s:\n", group)
		for _, flag := range flags {
			if d, visible := documented(flag); visible && groupOf(d) == group {
				b.WriteString(item("  --"+flag.Names()[0]+placeholder(d), 24, described(d)))
			}
		}
	}
	b.WriteString(item("  --help", 24, "show this page"))
	b.WriteString("\n" + variablesNote(flags))
	return b.String()
}

// groupOthers is the group of the flags that every command has.
const groupOthers = "All commands"

// shownFlags are a command's own flags and those that every command has. The library
// accepts all flags of the root below it; those of a root that does work itself (worker)
// would mean nothing there, so they are not shown.
func shownFlags(cmd, root *cli.Command) []cli.Flag {
	flags := slices.Clone(cmd.Flags)
	for _, flag := range root.Flags {
		if d, visible := documented(flag); cmd != root && visible && groupOf(d) == groupOthers {
			flags = append(flags, flag)
		}
	}
	return flags
}

// documented is a flag's documentation, and whether help pages show it.
func documented(flag cli.Flag) (documentedFlag, bool) {
	d, ok := flag.(documentedFlag)
	return d, ok && d.IsVisible()
}

type documentedFlag interface {
	cli.DocGenerationFlag
	cli.CategorizableFlag
	cli.VisibleFlag
	SchemaType() string
}

func groupOf(d documentedFlag) string {
	if category := d.GetCategory(); category != "" {
		return category
	}
	return groupOthers
}

func groupsOf(flags []cli.Flag) []string {
	var groups []string
	for _, flag := range flags {
		if d, visible := documented(flag); visible && !slices.Contains(groups, groupOf(d)) {
			groups = append(groups, groupOf(d))
		}
	}
	return groups
}

// placeholder is the name of a flag's value: the word between backticks in its usage, or
// the name of its type. A switch has none.
func placeholder(d documentedFlag) string {
	if parts := strings.SplitN(d.GetUsage(), "`", 3); len(parts) == 3 {
		return " " + parts[1]
	}
	return map[string]string{
		"integer": " N", "number": " NUMBER", "duration": " DURATION", "string": " TEXT", "array": " TEXT",
	}[d.SchemaType()]
}

func described(d documentedFlag) string {
	text := plainUsage(d)
	if value := defaultOf(d); value != "" {
		text += " (default " + value + ")"
	}
	return text
}

// plainUsage is a flag's usage without the backticks around its placeholder.
func plainUsage(d documentedFlag) string { return strings.ReplaceAll(d.GetUsage(), "`", "") }

// defaultOf is a flag's default as a user would type it; "" for none.
func defaultOf(d documentedFlag) string {
	value := d.GetDefaultText()
	if value == "" && d.SchemaType() != "boolean" {
		value = d.GetValue()
	}
	switch d.SchemaType() {
	case "array":
		value = strings.ReplaceAll(value, `"`, "")
	case "duration":
		for _, idle := range []string{"m0s", "h0m"} { // Go prints 2h0m0s
			if strings.HasSuffix(value, idle) {
				value = strings.TrimSuffix(value, idle[1:])
			}
		}
	}
	return strings.Trim(value, "[]\"")
}

// variablesNote explains the names of environment variables by the first flag of the
// command that has one.
func variablesNote(flags []cli.Flag) string {
	for _, flag := range flags {
		if d, visible := documented(flag); visible && len(d.GetEnvVars()) > 0 {
			return wrapped("", fmt.Sprintf("Each flag can be set by an environment variable (--%s: %s) or in the file of --config.",
				flag.Names()[0], d.GetEnvVars()[0]))
		}
	}
	return ""
}

func visibleCommands(cmd *cli.Command) []*cli.Command {
	return slices.DeleteFunc(slices.Clone(cmd.Commands), func(sub *cli.Command) bool { return sub.Hidden })
}

// item is a name with its text beside it, or below it if the name is too long.
func item(name string, column int, text string) string {
	margin := strings.Repeat(" ", column)
	if utf8.RuneCountInString(name) > column-2 {
		return name + "\n" + wrapped(margin, text)
	}
	return fmt.Sprintf("%-*s", column, name) + strings.TrimPrefix(wrapped(margin, text), margin)
}

// paragraphs wraps text. Indented lines, such as examples, stay as they are.
func paragraphs(text string) string {
	var b strings.Builder
	var words []string
	flush := func() {
		if len(words) > 0 {
			b.WriteString(wrapped("", strings.Join(words, " ")))
			words = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && !strings.HasPrefix(line, " ") {
			words = append(words, line)
			continue
		}
		flush()
		b.WriteString(line + "\n")
	}
	flush()
	return b.String()
}

// wrapped breaks a text into lines after a margin. A word longer than a line stays whole.
func wrapped(margin, text string) string {
	var b strings.Builder
	at := 0
	for word := range strings.FieldsSeq(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case at == 0:
			b.WriteString(margin)
			at = len(margin)
		case at+1+length > helpWidth:
			b.WriteString("\n" + margin)
			at = len(margin)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += length
	}
	return b.String() + "\n"
}
