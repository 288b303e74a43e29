package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/page"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/terminal"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name:  "watch",
		Usage: "follow a round that another process runs",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was planned. It shows what `producer run`\n" +
			"shows, and below it the miners with attempt, worker, and what each one waits for. At a terminal it redraws, elsewhere\n" +
			"it prints a line for each change. With --json each line is an event. It ends when the round has ended: with exit code\n" +
			"0 for a complete round, and 1 for another or for one that nobody runs. It reads only NATS, and changes nothing.\n\n" +
			"Examples:\n" +
			"  producer watch --local\n" +
			"  producer watch latest --nats nats://nats:4222\n" +
			"  producer watch 20260618t185400z-0a1b2c --nats nats://nats:4222 --json",
		Flags:     readFlags(),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    watch,
	}
}

// watching is one run of `producer watch`.
type watching struct {
	c      *cli.Command
	screen *terminal.Screen // nil for an output that cannot be redrawn
	log    io.Writer        // the screen, if both are terminals: lines of the log stand above what is drawn
	follow *view.Follow     // nil until the round is found
	end    view.Summary
	// stop ends the display and waits for it. It may be called more than once.
	stop func()
}

// A local round takes its servers with it when it ends. Its followers then open the streams
// themselves, one after the other, and each looks this often whether it can.
const (
	lookAtServers = 500 * time.Millisecond
	looks         = 60
)

var errServersGone = errors.New("the process that ran the servers of --state has ended")

// watch is `producer watch`. Its "latest" is the last round planned, which may still run.
func watch(ctx context.Context, c *cli.Command) error {
	w := newWatching(c)
	defer func() { w.stop() }()
	err := w.whileServed(ctx, w.begin)
	again := time.NewTicker(lookAtServers)
	defer again.Stop()
	lost := false
	for range looks {
		_, inUse := errors.AsType[*local.InUseError](err)
		lost = lost || errors.Is(err, errServersGone)
		if ctx.Err() != nil || !errors.Is(err, errServersGone) && (!inUse || !lost) {
			break
		}
		next := w.conclude
		if w.follow == nil {
			next = w.begin
		}
		select {
		case <-ctx.Done():
		case <-again.C:
			err = w.whileServed(ctx, next)
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w; the round does not depend on it", command.ErrInterrupted)
	case err != nil || w.end.Complete:
		return err
	}
	return incomplete(c, w.end)
}

func newWatching(c *cli.Command) *watching {
	w := &watching{c: c, log: os.Stderr, stop: func() {}}
	out := c.Root().Writer
	if c.Bool("json") || terminal.Of(out).Width == 0 || out != io.Writer(os.Stdout) {
		return w
	}
	w.screen = terminal.NewScreen(os.Stdout)
	if terminal.Of(os.Stderr).Width > 0 {
		w.log = w.screen
	}
	return w
}

// begin follows the round to its end, or to that of its servers.
func (w *watching) begin(ctx context.Context, bus *jobstream.Bus) (err error) {
	name := cmp.Or(w.c.StringArg("round"), view.Latest)
	if name == view.Latest {
		if name, err = view.LastPlanned(ctx, bus); err != nil {
			return notThere(err)
		}
	}
	follow, err := view.NewFollow(ctx, bus, name, time.Now())
	if err != nil {
		return notThere(err)
	}
	w.follow = follow
	if w.screen != nil {
		showing, end := context.WithCancel(ctx)
		var display sync.WaitGroup
		display.Go(func() { page.NewDisplay(w.screen).Run(showing, follow.Watch) })
		w.stop = sync.OnceFunc(func() { end(); display.Wait() })
	}
	w.end, err = follow.Run(ctx, w.tell)
	return err
}

// conclude tells how the round stands, from the streams that its servers have left.
func (w *watching) conclude(ctx context.Context, bus *jobstream.Bus) (err error) {
	w.end, err = w.follow.End(ctx, bus, w.tell)
	return err
}

// whileServed opens the streams and does something with them, as long as the servers of
// --state run. Servers that are not of a process beside this one outlive it.
func (w *watching) whileServed(ctx context.Context, do func(context.Context, *jobstream.Bus) error) error {
	if !w.c.Bool("local") {
		return withLoggedBus(ctx, w.c, w.log, do)
	}
	served, gone := context.WithCancelCause(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		look := time.NewTicker(lookAtServers)
		defer look.Stop()
		for first := ""; ; { // none run until this process has started its own
			now, err := local.Find(w.c.String("state"))
			switch {
			case first == "" && err == nil:
				first = now.NATS
			case first != "" && (errors.Is(err, local.ErrNotRunning) || err == nil && now.NATS != first):
				gone(errServersGone)
			}
			select {
			case <-served.Done():
				return
			case <-look.C:
			}
		}
	})
	err := withLoggedBus(served, w.c, w.log, do)
	if err != nil && errors.Is(context.Cause(served), errServersGone) {
		err = errServersGone
	}
	gone(nil)
	looking.Wait()
	return err
}

// tell prints an event. Below a display only the end is told.
func (w *watching) tell(e view.Event) error {
	out := w.c.Root().Writer
	if w.c.Bool("json") {
		return page.JSONLine(out, e)
	}
	if w.screen != nil {
		if e.Type != view.EventEnd {
			return nil
		}
		w.stop()
	}
	return page.Event(out, e)
}

// incomplete is the error of a round that is not complete: it sets the exit code.
func incomplete(c *cli.Command, end view.Summary) error {
	where := ""
	if c.Bool("local") {
		where = " --local --state " + c.String("state")
	}
	if end.Revision == 0 {
		return fmt.Errorf("round %s has no outcome, and no producer runs it: producer run%s --resume %s resumes it", end.Round, where, end.Round)
	}
	return fmt.Errorf("round %s is not complete: producer show %s%s lists what it lacks", end.Round, end.Round, where)
}
