package command

import (
	"os"

	"github.com/urfave/cli/v3"
)

// Offers gives a flag the values that shells offer for it. It does not restrict the
// flag: the Validator or the command decides about a value.
func Offers(flag cli.Flag, values ...string) cli.Flag {
	switch f := flag.(type) {
	case *cli.StringFlag:
		return &offersText{f, values}
	case *cli.StringSliceFlag:
		return &offersTexts{f, values}
	case *cli.IntFlag:
		return &offersNumber{f, values}
	}
	return flag
}

// The concrete flags are embedded, not an interface: the library looks for methods that
// its flag interfaces do not name.
type (
	offersText struct {
		*cli.StringFlag

		values []string
	}
	offersTexts struct {
		*cli.StringSliceFlag

		values []string
	}
	offersNumber struct {
		*cli.IntFlag

		values []string
	}
)

func (f *offersText) offered() []string   { return f.values }
func (f *offersTexts) offered() []string  { return f.values }
func (f *offersNumber) offered() []string { return f.values }

// Offered are the values that Offers gave a flag; nil for none.
func Offered(flag cli.Flag) []string {
	if f, ok := flag.(interface{ offered() []string }); ok {
		return f.offered()
	}
	return nil
}

// OffersFrom gives a flag values that are found when a shell asks for them, such as the
// names in a file that another flag names. setting is the value of a flag as far as the
// line has it, or else its variable's; "" for none. list must be quick and ask no server.
func OffersFrom(flag *cli.StringFlag, list func(setting func(flag string) string) []string) cli.Flag {
	return &offersFound{flag, list}
}

type offersFound struct {
	*cli.StringFlag

	list func(setting func(flag string) string) []string
}

// offered are the values that a flag offers at a place of a line.
func (at *place) offered(flag cli.Flag) []string {
	found, is := flag.(*offersFound)
	if !is {
		return Offered(flag)
	}
	return found.list(func(name string) string {
		if value, given := at.given[name]; given {
			return value
		}
		return os.Getenv(variable(name))
	})
}
