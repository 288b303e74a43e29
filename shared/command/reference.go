package command

import "github.com/urfave/cli/v3"

// Entry is one flag of one command, as its help page shows it.
type Entry struct {
	// Command is the full name of the command, such as "producer run". Group is the
	// flag's heading on the help page.
	Command, Group string
	// Flag is the flag's name with its dashes. Value is the placeholder of its value,
	// after a space; "" for a switch.
	Flag, Value string
	// Variable is the flag's environment variable.
	Variable string
	// Default is the value without the flag; "" for none.
	Default string
	// Usage says what the flag does.
	Usage string
}

// Reference lists the flags of a command and of its subcommands, in the order of the
// help pages. It leaves out hidden flags, flags without a variable, and --config, which
// every command has.
func Reference(cmd *cli.Command) []Entry { return referenceBelow(cmd, cmd.Name) }

func referenceBelow(cmd *cli.Command, path string) []Entry {
	if cmd.Hidden {
		return nil
	}
	var list []Entry
	for _, flag := range cmd.Flags {
		d, visible := documented(flag)
		if !visible || len(d.GetEnvVars()) == 0 {
			continue
		}
		list = append(list, Entry{
			Command:  path,
			Group:    groupOf(d),
			Flag:     "--" + flag.Names()[0],
			Value:    placeholder(d),
			Variable: d.GetEnvVars()[0],
			Default:  defaultOf(d),
			Usage:    plainUsage(d),
		})
	}
	for _, sub := range cmd.Commands {
		list = append(list, referenceBelow(sub, path+" "+sub.Name)...)
	}
	return list
}
