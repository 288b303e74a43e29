package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// alone is a file of one miner and a registry, for a mirror of their own.
func alone(t *testing.T) (inputs []string) {
	t.Helper()
	world, server := soundWorld(t, 1, 2)
	miners, registry, err := world.Write(t.TempDir())
	must.Do(t, err)
	return []string{
		"--mirror", server.URL, "--as-of", world.AsOf.Format(time.RFC3339Nano), "--miners", miners, "--registry", registry,
	}
}

// stateWith is a state directory whose consumer allows so many deliveries. A producer
// keeps the number that it finds.
func stateWith(t *testing.T, deliveries int, lease time.Duration) (dir string) {
	t.Helper()
	dir = t.TempDir()
	servers := jobstreamtest.StartIn(t, dir)
	_, nc := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{MaxDeliver: deliveries, AckWait: lease})
	nc.Close()
	must.Do(t, servers.Close())
	return dir
}

// A job that kills every worker ends as a dead letter of a local round, in one run. Such
// a round once gave up after ten deaths, before the job's deliveries were used up.
func TestALocalRoundOutlivesAJobThatKills(t *testing.T) {
	t.Parallel()
	const deliveries = 12
	state := stateWith(t, deliveries, time.Second)
	args := append([]string{"run", "--local", "--json", "--workers", "1", "--state", state}, alone(t)...)
	cmd := command(t, "producer", args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(cmd.Env, crash.Env+"="+crash.Setting(crash.Claimed, 1)) // its workers inherit it
	_ = cmd.Run()
	var got struct {
		Failed      int              `json:"failed"`
		DeadLetters []job.DeadLetter `json:"dead_letters"`
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		log, _ := os.ReadFile(filepath.Join(state, "worker-1.log"))
		t.Fatalf("exit %d: %v\n%s\n%s", cmd.ProcessState.ExitCode(), err, errs.String(), log)
	}
	if got.Failed != 1 || len(got.DeadLetters) != 1 || got.DeadLetters[0].Class != job.Poison {
		t.Errorf("failed %d, dead letters %+v; want one, poison", got.Failed, got.DeadLetters)
	}
	if died := strings.Count(errs.String(), "a worker died"); died <= 10 {
		t.Errorf("%d workers died, want more than the ten that once were the end", died)
	}
}
