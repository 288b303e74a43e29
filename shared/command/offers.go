package command

import (
	"context"
	"io"
	"os"
	"time"

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

// Offer is a value that a shell offers, with a few words on it.
type Offer struct{ Value, Usage string }

// OffersAsked gives a flag values that only a server knows. ask gets the command as far as
// the line has it, with the settings of the environment and of the configuration file. It
// has askPatience, and it is silent: whatever goes wrong, nothing is offered.
func OffersAsked(flag *cli.StringFlag, ask func(ctx context.Context, c *cli.Command) []Offer) cli.Flag {
	return &offersAsked{flag, ask}
}

type offersAsked struct {
	*cli.StringFlag

	ask func(ctx context.Context, c *cli.Command) []Offer
}

// askPatience is how long a person who has pressed the key waits for a server that is silent.
const askPatience = 2 * time.Second

// offered are the values that a flag offers at a place of a line.
func (at *place) offered(ctx context.Context, flag cli.Flag) (offers []Offer) {
	values := Offered(flag)
	switch f := flag.(type) {
	case *offersAsked:
		return at.asked(ctx, f)
	case *offersFound:
		values = f.list(func(name string) string {
			if value, given := at.given[name]; given {
				return value
			}
			return os.Getenv(variable(name))
		})
	}
	for _, value := range values {
		offers = append(offers, Offer{Value: value})
	}
	return offers
}

// asked runs the line up to the flag, with a question in place of the command's work.
func (at *place) asked(ctx context.Context, f *offersAsked) (offers []Offer) {
	ctx, stop := context.WithTimeout(ctx, askPatience)
	defer stop()
	words := at.words
	if at.flag != nil { // the flag's own word, which has no value yet
		words = words[:len(words)-1]
	}
	at.root.Writer, at.root.ErrWriter = io.Discard, io.Discard
	at.root.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	at.command.Action = func(ctx context.Context, c *cli.Command) error {
		if err := configure(c); err != nil {
			return err
		}
		offers = f.ask(ctx, c)
		return nil
	}
	_ = at.root.Run(ctx, append([]string{at.root.Name}, words...)) // a line that cannot be run yet is no fault
	return offers
}
