package command

import "github.com/urfave/cli/v3"

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
