package command

import "github.com/urfave/cli/v3"

// Offers gives a flag the values that a shell completes it with. It refuses none:
// that is the flag's Validator's, or its command's.
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

// The flags are embedded whole: the library asks a flag for methods that it does
// not export.
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

// Offered are the values that a flag was given by Offers.
func Offered(flag cli.Flag) []string {
	if f, ok := flag.(interface{ offered() []string }); ok {
		return f.offered()
	}
	return nil
}
