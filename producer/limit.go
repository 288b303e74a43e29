package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

func limitCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.DurationFlag{
			Name:     "hold",
			Category: groupHand,
			Sources:  command.Env("hold"),
			Usage:    "stop the whole egress for `DURATION` from now (1s to 24h); a hold that ends later stays",
		},
		&cli.BoolFlag{
			Name:     "release",
			Category: groupHand,
			Sources:  command.Env("release"),
			Usage:    "end the hold",
		},
		&cli.StringFlag{
			Name:      "reason",
			Category:  groupHand,
			Sources:   command.Env("reason"),
			Usage:     "`TEXT` that says why with --hold; it is shown with the hold",
			Validator: bounded.CheckOrderText,
		},
		&cli.StringFlag{
			Name:        "by",
			Category:    groupHand,
			Sources:     command.Env("by"),
			DefaultText: "user@host",
			Usage:       "`NAME` of who holds the egress with --hold; it is shown with the hold",
			Validator:   bounded.CheckOrderText,
		},
		&cli.StringFlag{
			Name:     "end-cool-down",
			Category: groupHand,
			Sources:  command.Env("end-cool-down"),
			Usage:    "end the cool-down of `EGRESS` early; it must be the --egress, as confirmation: \"\" says what that risks, and ends nothing",
		},
	}
	flags = slices.Concat(flags, lookFlags("find the Redis of the local round that runs on --state"),
		only(slices.Concat(command.Servers(), command.Limit()),
			slices.Concat([]string{"nats", "redis", "connect-timeout", "egress"}, command.NATSFiles(), command.RedisFiles())...))
	return &cli.Command{
		Name:  "limit",
		Usage: "show an egress's bucket; stop and resume the egress by hand",
		Description: "It shows the bucket of --egress. --hold, --release and --end-cool-down give an order first. `producer egresses`\n" +
			"lists the buckets of all egresses.\n\n" +
			"Examples:\n" +
			"  producer limit --redis redis://redis:6379/0 --egress eu-1\n" +
			"  producer limit --local --hold 5m --reason \"the mirror moves\"\n" +
			"  producer limit --local --release\n" +
			"  producer limit --local --end-cool-down \"\"",
		Flags:  append(flags, command.Observability()...),
		Action: limit,
	}
}

// limitRequest is what `producer limit` is asked to do before it shows the bucket.
type limitRequest struct {
	bucketServers

	egress  string
	hold    time.Duration // 0 for none
	note    ratelimit.Note
	release bool
	end     bool // the cool-down
}

func readLimitRequest(c *cli.Command) (r limitRequest, err error) {
	r = limitRequest{
		egress:  c.String("egress"),
		hold:    c.Duration("hold"),
		release: c.Bool("release"),
		end:     c.IsSet("end-cool-down"),
		note:    ratelimit.Note{By: cmp.Or(c.String("by"), command.Operator()), Why: c.String("reason")},
	}
	switch {
	case c.IsSet("hold") && r.release, c.IsSet("hold") && r.end, r.release && r.end:
		return r, command.Usage("--hold and --release exclude each other, and --end-cool-down excludes both")
	case c.IsSet("hold") && (r.hold < ratelimit.MinHold || r.hold > ratelimit.MaxHold):
		return r, command.Usage("--hold %s: want %s to %s", r.hold, ratelimit.MinHold, ratelimit.MaxHold)
	case !c.IsSet("hold") && (c.IsSet("reason") || c.IsSet("by")):
		return r, command.Usage("--reason and --by are said with a hold: give --hold DURATION, or leave them out")
	}
	r.bucketServers, err = bucketServersOf(c)
	return r, err
}

// limit is `producer limit`.
func limit(ctx context.Context, c *cli.Command) (err error) {
	r, err := readLimitRequest(c)
	if err != nil {
		return err
	}
	log, err := fleet.Logger(c, os.Stderr)
	if err != nil {
		return err
	}
	rdb, err := r.openRedis(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	operator, err := ratelimit.NewOperator(r.egress, rdb, lookTimeout)
	if err != nil {
		return command.Usage("--egress: %w", err)
	}
	if r.end && c.String("end-cool-down") != r.egress {
		return r.warn(ctx, rdb, operator)
	}
	state, err := r.carryOut(ctx, operator)
	if err != nil {
		return r.explain(ctx, rdb, operator, err)
	}
	return printAnswer(c, view.BucketOf(state), func(w io.Writer, b view.Bucket) error { return page.Bucket(w, b, r.did(b, time.Now())) })
}

// warn refuses to end a cool-down that nobody has confirmed, and says what it risks.
func (r limitRequest) warn(ctx context.Context, rdb redis.UniversalClient, operator *ratelimit.Operator) error {
	state, err := operator.State(ctx)
	if err == nil && !state.Known {
		err = ratelimit.ErrNoBucket
	} else if err == nil && state.CoolDown <= 0 {
		err = ratelimit.ErrNotCooling
	}
	if err != nil {
		return r.explain(ctx, rdb, operator, err)
	}
	return command.Usage("--end-cool-down: the mirror asked egress %s to send nothing for %s more. %s; then give --end-cool-down %s",
		r.egress, page.Length(state.CoolDown.Seconds()), view.CoolDownRisk, r.egress)
}

// carryOut sets or releases the hold, if that is asked for, and returns the bucket as
// it is afterwards. A bucket that only a look would show must exist: looking creates
// none.
func (r limitRequest) carryOut(ctx context.Context, operator *ratelimit.Operator) (state ratelimit.State, err error) {
	switch {
	case r.hold > 0:
		state, err = operator.Hold(ctx, r.hold, r.note)
	case r.release:
		state, err = operator.Release(ctx)
	case r.end:
		state, err = operator.EndCoolDown(ctx)
	default:
		state, err = operator.State(ctx)
		if err == nil && !state.Known {
			err = ratelimit.ErrNoBucket
		}
	}
	return state, err
}

// did says what an order has done, and what still stops the egress; "" for a look. A hold
// never shortens another one, so that two operators do not undo each other; a cool-down is
// the mirror's demand, which a release does not touch. Another operator may set a hold
// between a release and the look at the bucket.
func (r limitRequest) did(b view.Bucket, now time.Time) string {
	until := func(seconds float64) string {
		at := now.Add(time.Duration(seconds * float64(time.Second))).UTC().Format(view.InstantLayout)
		return fmt.Sprintf("until %s (%s more)", at, page.Length(seconds))
	}
	var text string
	switch {
	case r.hold == 0 && !r.release && !r.end:
		return ""
	case r.end && b.CoolDown > 0:
		return fmt.Sprintf("The cool-down is ended, but the mirror has asked for another one of egress %s: %s.", b.Egress, until(b.CoolDown))
	case r.end && b.Hold > 0:
		return fmt.Sprintf("The cool-down is ended. Egress %s stays held by hand %s.", b.Egress, until(b.Hold))
	case r.end:
		return fmt.Sprintf("The cool-down is ended: nothing stops egress %s any more.", b.Egress)
	case r.release && b.Hold > 0:
		text = fmt.Sprintf("The hold is released, but somebody has set another one on egress %s: %s.", b.Egress, until(b.Hold))
	case r.release && b.CoolDown <= 0:
		return fmt.Sprintf("The hold is released: nothing stops egress %s now.", b.Egress)
	case r.release:
		text = "The hold is released."
	case b.Hold > r.hold.Seconds():
		text = fmt.Sprintf("Egress %s already has a hold that ends later than %s from now, and that hold stays: %s. "+
			"producer limit --release ends it.",
			b.Egress, r.hold, until(b.Hold))
	default:
		text = fmt.Sprintf("Egress %s is held %s.", b.Egress, until(b.Hold))
	}
	if b.CoolDown > b.Hold {
		text += fmt.Sprintf(" Egress %s stays stopped %s: the mirror asked for this cool-down (--end-cool-down says what ending it risks).",
			b.Egress, until(b.CoolDown))
	}
	return text
}

// explain makes wrong usage of what the caller can correct: a release without a hold,
// and an egress without a bucket, which is most often a misspelt name. The buckets that
// exist are listed for that reason.
func (r limitRequest) explain(ctx context.Context, rdb redis.UniversalClient, operator *ratelimit.Operator, err error) error {
	switch {
	case errors.Is(err, ratelimit.ErrNotHeld):
		return command.Usage("--release: egress %s is not held%s", r.egress, stillCooling(ctx, operator))
	case errors.Is(err, ratelimit.ErrNotCooling):
		return command.Usage("--end-cool-down: egress %s does not cool down", r.egress)
	case !errors.Is(err, ratelimit.ErrNoBucket):
		return fmt.Errorf("egress %s: %w", r.egress, ratelimit.Trouble(err))
	}
	buckets, err := ratelimit.Buckets(ctx, rdb, lookTimeout)
	if err != nil {
		return fmt.Errorf("egress %s has no bucket: %w", r.egress, err)
	}
	known := "no egress has one in this Redis"
	if len(buckets) > 0 {
		var names []string
		for _, b := range buckets[:min(len(buckets), view.MaxListed)] { // one line of an error, not a page
			names = append(names, b.Egress)
		}
		known = "in this Redis there " + plural.Are(len(names)) + " " + strings.Join(names, ", ")
	}
	return command.Usage("--egress %s has no bucket: no process has asked it for a permit yet; %s", r.egress, known)
}

// stillCooling explains why an egress without a hold still sends nothing; "" if it
// does not cool down.
func stillCooling(ctx context.Context, operator *ratelimit.Operator) string {
	state, err := operator.State(ctx)
	if err != nil || state.CoolDown <= 0 {
		return ""
	}
	return fmt.Sprintf("; it cools down for %s more, because the mirror asked for it (--end-cool-down)",
		page.Length(state.CoolDown.Seconds()))
}
