package page

import (
	"bytes"
	"io"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/terminal"
	"mirrorfleet/shared/whoami"
)

// busy is a bucket in the middle of a round.
func busy() ratelimit.State {
	return ratelimit.State{
		Egress: "eu-1", Known: true, Rate: 4.683, Interval: 213542 * time.Microsecond, Limit: 50, Window: 10 * time.Second,
		Horizon: 10 * time.Second, NextIn: 613 * time.Millisecond, Granted: 1024, Refused: 12, Restarts: 2, CoolDowns: 1,
		Age: 12*time.Minute + 30*time.Second, LastGrant: -400 * time.Millisecond, RunID: "82908f967e808fda10b146b6d07e840060dce21f",
		Use: []int64{
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 47, 47, 47, 47, 46, 21,
		},
		Background: 130, LastBackground: 3 * time.Second,
		UseBackground: []int64{
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 12, 11, 12, 11, 0, 0, 0, 0, 0, 0, 11, 12, 11, 2, 0, 0, 3,
		},
	}
}

// The page of each state that an egress can be in; every line fits a terminal.
func TestLimitPage(t *testing.T) {
	t.Parallel()
	held := busy()
	cooling := busy()
	fresh := busy()
	held.Hold = 4*time.Minute + 12*time.Second
	held.Note = ratelimit.Note{By: "ann@ops-1", Why: "the mirror moves to another machine, and asks for quiet"}
	held.NextIn = 4*time.Minute + 12*time.Second
	held.LastGrant = 9 * time.Second
	cooling.CoolDown, cooling.NextIn = 30*time.Second, 30*time.Second
	fresh.Age = 8 * time.Second
	fresh.Granted = 0
	fresh.Use, fresh.UseBackground = make([]int64, 29), make([]int64, 29)
	fresh.Background = 0
	fresh.RunID = ""
	for name, state := range map[string]ratelimit.State{
		"busy": busy(), "held": held, "cooling": cooling, "fresh": fresh,
	} {
		goldenPage(t, "limit/"+name, "Bucket", view.BucketOf(state), func(w io.Writer, b view.Bucket) error { return Bucket(w, b, "") })
	}
	other, gone := held, busy()
	other.Egress = "stranger"
	gone.Egress = "old-name"
	gone.LastGrant = 72 * time.Hour
	all := []ratelimit.State{busy(), cooling, gone, other}
	all[1].Egress = "eu-2"
	from := func(egress, name string, addresses ...string) (p whoami.Process) {
		p.Egress, p.Name = egress, name
		for _, a := range addresses {
			p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
		}
		return p
	}
	all[0].Processes = []whoami.Process{
		from("eu-1", "gateway host-of-a-validator-with-a-long-name-4711", "192.0.2.1"),
		from("eu-1", "producer host-1", "192.0.2.1", "2001:db8:1::1"),
		from("eu-1", "worker a", "192.0.2.7"),
	}
	all[1].Processes = []whoami.Process{from("eu-2", "worker b", "2001:db8:1::2")}
	declared := job.Egresses{Names: []string{"eu-1", "eu-2", "us-1"}, By: "p"}
	goldenPage(t, "limit/list", "Egresses", view.EgressesOf(all, declared), Egresses)
	goldenPage(t, "limit/list-unknown", "Egresses", view.EgressesOf(all, job.Egresses{}), Egresses)
	goldenPage(t, "limit/list-none", "Egresses", view.EgressesOf(nil, job.Egresses{}), Egresses)
	var wide bytes.Buffer
	must.Do(t, Egresses(terminal.Writer{Writer: &wide, Style: terminal.Style{Width: 140}}, view.EgressesOf(all, declared)))
	commandtest.Golden(t, filepath.Join("testdata", "limit", "list.wide.txt"), wide.String())
}

// An egress is in use while slots were given within a horizon.
func TestLimitStanding(t *testing.T) {
	t.Parallel()
	state := busy()
	for ago, want := range map[time.Duration]string{-time.Second: "in use", 9 * time.Second: "in use", 10 * time.Second: "idle"} {
		state.LastGrant = ago
		if got, _ := (bucket{view.BucketOf(state)}).standing(); got != want {
			t.Errorf("with the last slot %v ago the egress is %s, want %s", ago, got, want)
		}
	}
}
