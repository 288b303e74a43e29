package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/answer"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/terminal"
)

func rewardsCommand() *cli.Command {
	return &cli.Command{
		Name:  "rewards",
		Usage: "print the rewards of a concluded round",
		Description: "ROUND is a round's name, or \"latest\" (the default) for the last one that was concluded. The rewards are printed\n" +
			"whatever the round is like; the exit code is that of run: 0 for a complete round alone, 1 for one that lacks something, so that\n" +
			"nobody sets weights from it unawares. It reads NATS alone.\n\n" +
			"Examples:\n" +
			"  producer rewards --local\n" +
			"  producer rewards latest --nats nats://nats:4222 --json\n" +
			"  producer rewards 20260618t185400z-0a1b2c --revision 1 --nats nats://nats:4222",
		Flags:     append([]cli.Flag{revisionFlag()}, readFlags()...),
		Arguments: []cli.Argument{&cli.StringArg{Name: "round", UsageText: "[ROUND]"}},
		Action:    rewards,
	}
}

// rewardList is what `producer rewards` prints.
type rewardList struct{ answer.Rewards }

// rewards is `producer rewards`.
func rewards(ctx context.Context, c *cli.Command) error {
	revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		result, err := readRound(ctx, bus, orLatest(c.StringArg("round")), revision)
		if err != nil {
			return err
		}
		err = printAnswer(c, rewardList{answer.RewardsOf(result, time.Now())})
		if err == nil && !result.Complete {
			where := ""
			if c.Bool("local") {
				where = " --local --state " + c.String("state")
			}
			err = fmt.Errorf("round %s is not complete: producer show %s%s lists what it lacks", result.Round, result.Round, where)
		}
		return err
	})
}

func orLatest(name string) string {
	if name == "" {
		return answer.Latest
	}
	return name
}

func revisionFlag() cli.Flag {
	return &cli.IntFlag{
		Name: "revision", Category: groupRound, Sources: command.Env("revision"),
		Usage: "the `N`th outcome of the round; 0 is the latest",
	}
}

func revisionOf(c *cli.Command) (int, error) {
	revision := c.Int("revision")
	if revision < 0 {
		return 0, command.Usage("--revision %d: want 1 or more, or 0 for the latest", revision)
	}
	return revision, nil
}

// share is a reward's part of all.
func share(reward, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return reward / sum
}

func (l rewardList) render(w io.Writer) error {
	p := newPage(w)
	p.titlef("Round "+l.Round, fmt.Sprintf("as of %s, revision %d", l.AsOf.Format(instantLayout), l.Revision))
	if l.Due == nil {
		p.textf(0, "%s", origin(time.Time{}))
	}
	if !l.Complete {
		printLacking(p, l.Round, len(l.UnknownIdentities) > 0)
	}
	p.blank()
	if err := p.writeTo(w); err != nil {
		return err
	}
	table := terminal.Table{Columns: []terminal.Column{{Title: "UID"}, {Title: "HOTKEY", Text: true}, {Title: "REWARD"}, {Title: "SHARE"}}}
	for i, reward := range l.Rewards.Rewards {
		table.Add(strconv.Itoa(l.UIDs[i]), l.Hotkeys[i], fmt.Sprintf("%.9f", reward), fmt.Sprintf("%.4f %%", 100*share(reward, l.Sum)))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	return printLine(w, "\n"+summed(l.Sum, l.Untaken))
}
