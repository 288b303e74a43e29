package command

import (
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// completeWords is the last argument of a shell that asks how the word before
// it may go on.
const completeWords = "--complete-words"

// The shells' scripts. The ones that the flags library brings are not used:
// its bash script evaluates what was typed, and needs a package that a plain
// machine does not have.
//
//go:embed completion
var scripts embed.FS

func shells() []string { return []string{"bash", "fish", "zsh"} }

// completionCommand prints the scripts.
func completionCommand(root *cli.Command) *cli.Command {
	return &cli.Command{
		Name:  "completion",
		Usage: "print what makes a shell complete this command",
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
				_, err = fmt.Fprintf(c.Root().Writer, string(script), root.Name)
			}
			if err != nil {
				return fmt.Errorf("printing the script: %w", err)
			}
			return nil
		},
	}
}

// complete writes how the last of the words may go on: a line for each
// continuation, with what it is behind a tab. No line leaves it to the shell,
// which then offers files. Nothing is run, no server is asked.
func complete(root *cli.Command, words []string, w io.Writer) {
	if len(words) == 0 {
		return
	}
	word, before := words[len(words)-1], words[:len(words)-1]
	c, flags, arguments := root, root.Flags, 0
	for i := 0; i < len(before); i++ {
		name, isFlag := strings.CutPrefix(before[i], "-")
		switch sub := c.Command(before[i]); {
		case before[i] == "--":
			return // what follows are arguments
		case isFlag:
			name, _, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
			if !given && takesValue(flags, name) {
				if i++; i == len(before) {
					return // the word is the flag's value
				}
			}
		case sub != nil && arguments == 0:
			c, flags = sub, slices.Concat(sub.Flags, root.Flags)
		default:
			arguments++
		}
	}
	if strings.HasPrefix(word, "-") {
		completeFlags(flags, word, w)
		return
	}
	for _, sub := range c.Commands {
		if !sub.Hidden && arguments == 0 {
			offer(w, word, sub.Name, sub.Usage)
		}
	}
	if arguments < len(c.Arguments) {
		completeArgument(c.Arguments[arguments], word, w)
	}
}

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
	offer(w, word, "--help", "show help")
}

func offer(w io.Writer, word, name, usage string) {
	if strings.HasPrefix(name, word) {
		fmt.Fprintf(w, "%s\t%s\n", name, usage)
	}
}

func takesValue(flags []cli.Flag, name string) bool {
	at := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if at < 0 {
		return false
	}
	documented, ok := flags[at].(cli.DocGenerationFlag)
	return ok && documented.TakesValue()
}
