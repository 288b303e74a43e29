package fleet_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/fleet"
	"mirrorfleet/shared/must"
)

// The limiter's minimum is that of the flag, its own default without the flag, and what is
// none is refused.
func TestTheMinimumIsSettled(t *testing.T) {
	t.Parallel()
	read := func(flags []cli.Flag, args ...string) (minimum int, err error) {
		c := &cli.Command{Name: "x", Flags: flags, Action: func(_ context.Context, c *cli.Command) error {
			minimum = fleet.FromFlags(c, "x", slog.New(slog.DiscardHandler)).Limit.Minimum
			return nil
		}}
		err = c.Run(t.Context(), append([]string{"x"}, args...))
		return minimum, err
	}
	all := slices.Concat(command.Limit(), command.Background())
	got := []int{
		must.Get(read(all, "--limit-background", "7"))(t), must.Get(read(all))(t), must.Get(read(command.Limit()))(t),
	}
	if diff := cmp.Diff([]int{7, 4, 0}, got); diff != "" {
		t.Errorf("minima (-want +got):\n%s", diff)
	}
	for _, none := range []string{"0", "1001", "-4"} {
		if _, err := read(all, "--limit-background", none); err == nil {
			t.Errorf("--limit-background %s is taken, want it refused", none)
		}
	}
}
