package command

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"
)

// The texts of the flags library about wrong flags and variables. They have flags with
// one dash, and repeat the words of the parser that refused a value. They are matched as
// text because the library has no types for them; a test notices when they change.
var (
	unknownFlag   = regexp.MustCompile(`^flag provided but not defined: -+(.+)$`)
	missingValue  = regexp.MustCompile(`^flag needs an argument: -+(.+)$`)
	wrongFlag     = regexp.MustCompile(`(?s)^invalid value (".*?[^\\]"|"") for flag -+([^ :]+): (.*)$`)
	wrongVariable = regexp.MustCompile(
		`(?s)^could not parse (".*?[^\\]"|"") as \S+ value from environment variable "(\w+)" for flag ([^ :]+): (.*)$`)
)

// inWords turns an error of the flags library into the product's own words, which
// errors about the configuration file have too. An unknown error stays as it is.
func inWords(err error, c *cli.Command) string {
	text := err.Error()
	flags := slices.Concat(c.Flags, c.Root().Flags)
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return "unknown flag --" + m[1] + didYouMean("--", nearest(m[1], visibleNames(shownFlags(c, c.Root()))))
	}
	if m := missingValue.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("--%s needs a value%s", m[1], form(flags, m[1]))
	}
	if m := wrongFlag.FindStringSubmatch(text); m != nil {
		return "--" + m[2] + refused(m[1], m[3], kindOf(flags, m[2]))
	}
	if m := wrongVariable.FindStringSubmatch(text); m != nil {
		return m[2] + refused(m[1], m[4], kindOf(everyFlag(c.Root()), m[3]))
	}
	return text
}

// form is a flag with its placeholder, as on the help page.
func form(flags []cli.Flag, name string) string {
	if d, visible := documented(flagOf(flags, name)); visible {
		return ": want --" + name + placeholder(d)
	}
	return ""
}

// refused says why a value is refused: in the words of the flag's own validator, or with
// a description of its type where a parser of Go refused it. The value is quoted once.
func refused(quoted, why, kind string) string {
	for _, parser := range []string{"strconv.", "time: ", "parse error"} {
		if strings.HasPrefix(why, parser) {
			return " " + quoted + ": want " + wants(kind)
		}
	}
	if value, err := strconv.Unquote(quoted); err == nil && strings.Contains(why, value) {
		return ": " + why
	}
	return " " + quoted + ": " + why
}

// kindOf is the type of a flag's values, as wants knows it; "string" for an unknown flag.
func kindOf(flags []cli.Flag, name string) string {
	for _, flag := range flags {
		if t, ok := flag.(typed); ok && slices.Contains(flag.Names(), name) {
			if _, whole := flag.(*cli.Uint64Flag); whole {
				return "count"
			}
			return t.SchemaType()
		}
	}
	return "string"
}

// everyFlag are the flags of a command and of its subcommands. An error about a variable
// does not name its command, so all of them are searched.
func everyFlag(c *cli.Command) []cli.Flag {
	flags := slices.Clone(c.Flags)
	for _, sub := range c.Commands {
		flags = append(flags, everyFlag(sub)...)
	}
	return flags
}

func visibleNames(flags []cli.Flag) []string {
	var names []string
	for _, flag := range flags {
		if _, visible := documented(flag); visible {
			names = append(names, flag.Names()[0])
		}
	}
	return names
}
