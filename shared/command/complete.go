package command

import (
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/terminal"
)

// completeWords is the last argument when a shell asks for completions of the word
// before it. It is no flag: a command that gets it prints completions and ends.
const completeWords = "--complete-words"

// scripts are the shells' scripts. Those of the flags library are not used: its bash
// script evaluates what was typed, and needs the package bash-completion, which a plain
// machine does not have.
//
//go:embed completion
var scripts embed.FS

func shells() []string { return []string{"bash", "fish", "zsh"} }

// completionCommand is the subcommand that prints the scripts.
func completionCommand(root *cli.Command) *cli.Command {
	return &cli.Command{
		Name:  "completion",
		Usage: "print a shell's completion script for this command",
		Description: fmt.Sprintf("Examples:\n"+
			"  source <(%[1]s completion bash)          # in ~/.bashrc\n"+
			"  source <(%[1]s completion zsh)           # in ~/.zshrc, after compinit\n"+
			"  %[1]s completion fish > ~/.config/fish/completions/%[1]s.fish", root.Name),
		Arguments: []cli.Argument{&cli.StringArg{Name: "shell", UsageText: strings.Join(shells(), "|")}},
		Action: func(_ context.Context, c *cli.Command) error {
			shell := c.StringArg("shell")
			if !slices.Contains(shells(), shell) {
				return Usage("completion for %q: want one of %s", shell, strings.Join(shells(), ", "))
			}
			script, err := scripts.ReadFile("completion/" + shell)
			if err == nil {
				err = printed(c.Root().Writer, fmt.Sprintf(string(script), root.Name))
			}
			return err
		},
	}
}

// complete writes the completions of the last word: a line for each, with its usage
// after a tab. Without any line the shell offers files. No action runs, so completion is safe
// on a half-typed line. It is fast: only OffersFrom reads a file, only OffersAsked asks a server.
func complete(ctx context.Context, root *cli.Command, words []string, w io.Writer) {
	if len(words) == 0 {
		return
	}
	words = joined(words)
	word, at := words[len(words)-1], placeAfter(root, words[:len(words)-1])
	name, value, given := strings.Cut(word, "=")
	switch {
	case at.onlyArguments:
	case at.flag != nil:
		at.completeValue(ctx, at.flag, "", word, w)
	case strings.HasPrefix(word, "-") && given: // --flag=value is one word to zsh and fish
		at.completeValue(ctx, flagOf(at.flags, strings.TrimLeft(name, "-")), name+"=", value, w)
	case strings.HasPrefix(word, "-"):
		completeFlags(shownFlags(at.command, root), word, w)
	default:
		at.completeWord(word, w)
	}
}

// joined drops the = between a flag and its value: bash makes it a word of its own,
// because COMP_WORDBREAKS contains it.
func joined(words []string) []string {
	var list []string
	for i, word := range words {
		if word != "=" || i == 0 || !strings.HasPrefix(words[i-1], "--") {
			list = append(list, word)
		}
	}
	return list
}

// place is the state of a command line at the word to be completed.
type place struct {
	root, command *cli.Command
	// words are those before it.
	words []string
	// flags are the flags that are allowed here. flag is the one whose value comes
	// next; nil for none.
	flags []cli.Flag
	flag  cli.Flag
	// given are the values of the flags so far, by name.
	given map[string]string
	// arguments counts the command's arguments so far. onlyArguments is set after
	// "--": no further word is a flag.
	arguments     int
	onlyArguments bool
}

// placeAfter walks over words by the rules of the flags library.
func placeAfter(root *cli.Command, words []string) place {
	at := place{
		root:    root,
		command: root,
		words:   words,
		flags:   root.Flags,
		given:   map[string]string{},
	}
	for _, word := range words {
		at.step(root, word)
	}
	return at
}

// step moves over one word. A subcommand is recognized only before the first argument;
// its flags are joined by those of the root, which the library accepts everywhere.
func (at *place) step(root *cli.Command, word string) {
	sub := at.command.Command(word)
	switch name, isFlag := strings.CutPrefix(word, "-"); {
	case at.onlyArguments:
	case at.flag != nil:
		at.given[at.flag.Names()[0]] = word
		at.flag = nil
	case word == "--":
		at.onlyArguments = true
	case isFlag:
		name, value, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		switch flag := flagOf(at.flags, name); {
		case !takesValue(flag):
		case given:
			at.given[flag.Names()[0]] = value
		default:
			at.flag = flag
		}
	case sub != nil && at.arguments == 0:
		at.command, at.flags = sub, slices.Concat(sub.Flags, root.Flags)
	default:
		at.arguments++
	}
}

// asksVersion says whether --version is among the words and is not the value of
// another flag.
func asksVersion(root *cli.Command, words []string) bool {
	for i, word := range words {
		at := placeAfter(root, words[:i])
		if (word == "--version" || word == "-version") && at.flag == nil && !at.onlyArguments {
			return true
		}
	}
	return false
}

func (at *place) completeWord(word string, w io.Writer) {
	for _, sub := range at.command.Commands {
		if !sub.Hidden && at.arguments == 0 {
			offer(w, word, sub.Name, sub.Usage)
		}
	}
	if at.arguments < len(at.command.Arguments) {
		completeArgument(at.command.Arguments[at.arguments], word, w)
	}
}

// completeValue offers the values of a flag that has any (Offered). before is the part
// of the word that stays, such as "--flag=". A list is completed after its last comma,
// without the values that it has already.
func (at *place) completeValue(ctx context.Context, flag cli.Flag, before, word string, w io.Writer) {
	var named []string
	if _, several := flag.(*offersTexts); several {
		comma := strings.LastIndexByte(word, ',') + 1
		named = strings.Split(word[:comma], ",")
		before += word[:comma]
		word = word[comma:]
	}
	for _, o := range at.offered(ctx, flag) {
		if !slices.Contains(named, o.Value) {
			offer(w, before+word, before+o.Value, terminal.Clean(o.Usage))
		}
	}
}

// completeArgument offers the few values that need no server. The names of rounds would
// need one, so only the word latest is offered.
func completeArgument(argument cli.Argument, word string, w io.Writer) {
	text, ok := argument.(*cli.StringArg)
	switch {
	case !ok:
	case text.Name == "round":
		offer(w, word, "latest", "the last round")
	case text.Name == "shell":
		for _, shell := range shells() {
			offer(w, word, shell, "the script for "+shell)
		}
	}
}

func completeFlags(flags []cli.Flag, word string, w io.Writer) {
	for _, flag := range flags {
		if visible, ok := flag.(cli.VisibleFlag); ok && !visible.IsVisible() {
			continue
		}
		usage := ""
		if documented, ok := flag.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(documented.GetUsage(), "`", "")
		}
		offer(w, word, "--"+flag.Names()[0], usage)
	}
	offer(w, word, "--help", "show the help page")
}

// offer writes a completion if it continues the word.
func offer(w io.Writer, word, name, usage string) {
	if strings.HasPrefix(name, word) {
		fmt.Fprintf(w, "%s\t%s\n", name, usage)
	}
}

// flagOf finds a flag by any of its names, without dashes; nil if there is none.
func flagOf(flags []cli.Flag, name string) cli.Flag {
	at := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if at < 0 {
		return nil
	}
	return flags[at]
}

func takesValue(flag cli.Flag) bool {
	documented, ok := flag.(cli.DocGenerationFlag)
	return ok && documented.TakesValue()
}
