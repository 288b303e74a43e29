package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
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
type rewardList struct {
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	Complete bool      `json:"complete"`
	// Sum is of all rewards; a share is a reward's part of it.
	Sum     float64      `json:"sum"`
	Rewards []rewardLine `json:"rewards"`
}

type rewardLine struct {
	UID    int     `json:"uid"`
	Hotkey string  `json:"hotkey"`
	Reward float64 `json:"reward"`
	Share  float64 `json:"share"`
}

// rewards is `producer rewards`.
func rewards(ctx context.Context, c *cli.Command) error {
	revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	return withBus(ctx, c, func(ctx context.Context, bus *jobstream.Bus) error {
		list, err := readRewards(ctx, bus, orLatest(c.StringArg("round")), revision)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			err = printJSON(c.Root().Writer, list)
		} else {
			err = list.render(c.Root().Writer)
		}
		if err == nil && !list.Complete {
			err = fmt.Errorf("round %s is not complete: producer failed %s lists what it lacks", list.Round, list.Round)
		}
		return err
	})
}

func readRewards(ctx context.Context, bus *jobstream.Bus, name string, revision int) (rewardList, error) {
	list := rewardList{Rewards: []rewardLine{}}
	rewards := map[int]float64{}
	err := streamRound(ctx, bus, name, revision, round.Reading{
		Begin: func(r round.Result) error {
			list.Round, list.Revision, list.AsOf, list.Complete, list.Sum = r.Round, r.Revision, r.AsOf.UTC(), r.Complete, r.Outcome.Sum
			for _, reward := range r.Outcome.Rewards {
				rewards[reward.UID] = reward.Reward
			}
			return nil
		},
		Miner: func(m *scoring.MinerOutcome) error {
			list.Rewards = append(list.Rewards, rewardLine{m.UID, m.Hotkey, rewards[m.UID], share(rewards[m.UID], list.Sum)})
			return nil
		},
	})
	return list, err
}

// share is a reward's part of all.
func share(reward, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return reward / sum
}

// streamRound reads a revision of a concluded round piece by piece.
func streamRound(ctx context.Context, bus *jobstream.Bus, name string, revision int, reading round.Reading) error {
	return withOutcome(ctx, bus, name, revision, func(_ string, stored io.Reader) error { return round.Stream(stored, reading) })
}

func orLatest(name string) string {
	if name == "" {
		return latest
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

func (l rewardList) render(w io.Writer) error {
	p := newPage(w)
	p.headingf("Round %s, as of %s, revision %d", l.Round, l.AsOf.Format(instantLayout), l.Revision)
	if !l.Complete {
		p.painted(terminal.Bad, func() { p.textf(0, "The round is NOT complete.") })
	}
	p.blank()
	if err := p.writeTo(w); err != nil {
		return err
	}
	table := terminal.Table{Columns: []terminal.Column{{Title: "UID"}, {Title: "HOTKEY", Text: true}, {Title: "REWARD"}, {Title: "SHARE"}}}
	for _, r := range l.Rewards {
		table.Add(fmt.Sprint(r.UID), r.Hotkey, fmt.Sprintf("%.9f", r.Reward), fmt.Sprintf("%.4f %%", 100*r.Share))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	return printLine(w, fmt.Sprintf("\nRewards sum to %.9f.", l.Sum))
}
