package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// maxConfig bounds a configuration file, in bytes. A file with every setting of every
// command is a hundredth of it.
const maxConfig = 1 << 20

// configFlag is the flag that every command has.
func configFlag() cli.Flag {
	return &cli.StringFlag{
		Name:      "config",
		Sources:   Env("config"),
		TakesFile: true,
		Usage: "`FILE` of settings (YAML), by flag name, for all commands or below a command's name; " +
			"flags and environment variables take precedence",
	}
}

// configure sets the flags of the command that is about to run from the configuration
// file, unless the command line or the environment has set them. The file is checked
// before any flag is set: first for other readers, then for unknown names.
func configure(c *cli.Command) error {
	path := c.String("config")
	if path == "" || c.Hidden { // a hidden command gets all settings from the process that starts it
		return nil
	}
	data, err := readConfig(path)
	if err != nil {
		return Usage("--config: %w", err)
	}
	entries, err := parseConfig(data)
	if err == nil {
		err = notExposed(path, entries)
	}
	if err == nil {
		err = known(c.Root()).check(entries)
	}
	if err == nil {
		err = apply(c, entries)
	}
	if err != nil {
		return Usage("--config %s: %w", path, err)
	}
	return nil
}

// readConfig reads a file up to the bound. It reads one byte more, which tells a file that
// is too long from one that just fits.
func readConfig(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("%s is larger than %d bytes: want a file of settings", path, maxConfig)
	}
	return data, nil
}

// apply sets each flag of a command from the nearest section that names it: the
// command's own section, that of a command above it, or the top of the file.
func apply(c *cli.Command, entries []entry) error {
	var errs []error
	for _, flag := range c.Flags {
		key := keyOf(flag)
		if key == "" || flag.IsSet() {
			continue
		}
		if e, found := nearestEntry(entries, pathOf(c), flag.Names()[0], key); found {
			errs = append(errs, e.set(c, flag))
		}
	}
	return errors.Join(errs...)
}

// nearestEntry finds the setting of a flag. In a section it has the name of the flag, at
// the top the key of its environment variable: mirrorsim's --seed is sim-seed there.
func nearestEntry(entries []entry, path []string, name, key string) (entry, bool) {
	for depth := len(path); depth >= 0; depth-- {
		section, wanted := strings.Join(path[:depth], "."), name
		if depth == 0 {
			wanted = key
		}
		at := slices.IndexFunc(entries, func(e entry) bool { return e.section == section && e.key == wanted })
		if at >= 0 {
			return entries[at], true
		}
	}
	return entry{}, false
}

// pathOf is a command's name in the configuration, word by word.
func pathOf(c *cli.Command) []string { return strings.Fields(c.FullName()) }

// typed are the flags that tell the type of their values; the library's own all do.
type typed interface {
	SchemaType() string
	SchemaItemsType() string
}

// set gives a flag the entry's value, through the flag's own parser and validator, as
// the command line would. YAML's type is checked first: a quoted number is a
// text, and an unquoted true is no text.
func (e entry) set(c *cli.Command, flag cli.Flag) error {
	kind, item := "string", "string"
	if t, ok := flag.(typed); ok {
		kind, item = t.SchemaType(), t.SchemaItemsType()
	}
	values := e.values
	switch {
	case kind == "array":
		kind = item
		if len(values) == 0 {
			values = []value{{text: "", tag: tagText}} // as "" does on the command line
		}
	case e.list:
		return fmt.Errorf("line %d: %s is a list, want %s", e.line, e.key, wants(kind))
	}
	for _, v := range values {
		if !v.fits(kind) {
			return fmt.Errorf("line %d: %s is %s, want %s", e.line, e.key, e.shown(v), wants(kind))
		}
		if err := c.Set(flag.Names()[0], v.text); err != nil {
			if e.secret(v) {
				err = errors.New("its value is refused (it is not shown)")
			}
			return fmt.Errorf("line %d: %s: %w", e.line, e.key, err)
		}
	}
	return nil
}

// wants describes the values of a type for an error.
func wants(kind string) string {
	switch kind {
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "count":
		return "a whole number of 0 or more"
	case "number":
		return "a number"
	case "duration":
		return "a duration with its unit, such as 30s or 2h"
	}
	return "a text (in quotes, if it could be read as something else)"
}

// fits says whether a value has a flag's type. A text that YAML takes for an instant is
// a text. 0 is a duration without a unit, as on the command line.
func (v value) fits(kind string) bool {
	switch kind {
	case "boolean":
		return v.tag == tagBool
	case "integer":
		_, err := strconv.ParseInt(v.text, 10, 64)
		return v.tag == tagInt && err == nil
	case "number":
		_, err := strconv.ParseFloat(v.text, 64)
		return (v.tag == tagInt || v.tag == tagFloat) && err == nil
	case "duration":
		_, err := time.ParseDuration(v.text)
		return (v.tag == tagText || v.text == "0") && err == nil
	}
	return v.tag == tagText || v.tag == tagInstant
}

// shown is a value as an error shows it, or a phrase in its place if it may be secret.
func (e entry) shown(v value) string {
	if e.secret(v) {
		return "something else (it is not shown)"
	}
	return strconv.Quote(v.text)
}

// secret says whether a value may hold a password. It errs on the side of hiding: an @
// may belong to a URL with credentials that stands in the wrong place.
func (e entry) secret(v value) bool {
	if strings.Contains(v.text, "@") {
		return true
	}
	for _, word := range []string{"nats", "redis", "token", "password", "secret", "whoami"} {
		if strings.Contains(e.key, word) {
			return true
		}
	}
	return false
}
