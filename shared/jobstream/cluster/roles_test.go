package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
)

// TestShippedRolesHaveWhatTheyNeed: the users of the shipped settings may
// publish all that their roles publish, and nothing that a role is kept from;
// in the other's place each lacks something. It is so before anything is declared,
// and afterwards.
func TestShippedRolesHaveWhatTheyNeed(t *testing.T) {
	t.Parallel()
	b := alone(t)
	for _, declared := range []bool{false, true} {
		if declared {
			b.open(b.nc, 1)
		}
		for _, one := range []struct {
			user   string
			role   jobstream.Role
			denied bool
		}{
			{cluster.Producer, jobstream.RoleProducer, false},
			{cluster.Worker, jobstream.RoleWorker, false},
			{cluster.Viewer, jobstream.RoleViewer, false},
			{cluster.Worker, jobstream.RoleProducer, true},
			{cluster.Viewer, jobstream.RoleWorker, true},
		} {
			got, err := jobstream.TryRole(t.Context(), b.cluster.URL(one.user), one.role, jobstream.Files{})
			if err != nil || (len(got.Denied) > 0) != one.denied || !one.denied && len(got.Excess) > 0 {
				t.Errorf("declared: %t: user %s as %s: %+v, %v, want something denied: %v, nothing in excess",
					declared, one.user, one.role, got, err, one.denied)
			}
			purge := "publish $JS.API.STREAM.PURGE.KV_ROUNDS"
			if one.role == jobstream.RoleProducer && one.denied && !slices.Contains(got.Denied, purge) {
				t.Errorf("user %s as %s: denied are %q, want %q among them: old rounds are forgotten", one.user, one.role, got.Denied, purge)
			}
		}
	}
}

// TestAnotherRolesUserIsRefused: a worker with a viewer's user took no job and said that
// NATS does not answer, and a producer with a worker's waited for a leader. A start ends at
// once, and names what is missing. It is so before anything is declared, and afterwards.
func TestAnotherRolesUserIsRefused(t *testing.T) {
	t.Parallel()
	b := alone(t)
	for _, declared := range []bool{false, true} {
		if declared {
			b.open(b.nc, 1)
		}
		for _, one := range []struct {
			user    string
			role    jobstream.Role
			refused bool
		}{
			{cluster.Producer, jobstream.RoleProducer, false},
			{cluster.Worker, jobstream.RoleWorker, false},
			{cluster.Worker, jobstream.RoleProducer, true},
			{cluster.Viewer, jobstream.RoleProducer, true},
			{cluster.Viewer, jobstream.RoleWorker, true},
		} {
			err := jobstream.Suits(t.Context(), b.cluster.URL(one.user), one.role, jobstream.Files{})
			refusal, is := errors.AsType[*jobstream.RoleError](err)
			if is != one.refused || is && (!strings.Contains(err.Error(), "publish $") || strings.Contains(err.Error(), "test-only") || len(refusal.Denied) < 2) {
				t.Errorf("declared: %t: user %s as %s: %v, want a refusal with what is missing: %t", declared, one.user, one.role, err, one.refused)
			}
		}
	}
}

// alone is a bundle with one server.
func alone(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, ctx: t.Context(), cluster: cluster.Start(t.Context(), t, cluster.Config{Settings: settings, Nodes: 1})}
	b.nc = b.connect(cluster.Producer)
	b.js = must.Get(jetstream.New(b.nc))(t)
	return b
}

// TestAWorkerDoesItsWork: with the shipped settings a worker takes a job, reads its
// round, changes its record, stores what it found, settles and shows itself; a viewer sees that.
func TestAWorkerDoesItsWork(t *testing.T) {
	t.Parallel()
	b := alone(t)
	bus := b.open(b.nc, 1)
	manifest := job.Manifest{
		Version: job.Version, Round: "r1", AsOf: asOf, PlannedAt: asOf, Mirror: strings.Repeat("x", 100),
		Registry: []byte(`{}`), Languages: []byte(`{}`), Tokens: []byte(`{}`),
	}
	must.Do(t, bus.Rounds.CreateManifest(b.ctx, manifest))
	must.Do(t, bus.Egresses.Set(b.ctx, job.Egresses{Names: []string{"a"}, By: "p", At: asOf}, 0))
	must.Get(bus.Records.Plan(b.ctx, job.Plan("r1", 1, "")))(t)
	must.Do(t, bus.Queue.Publish(b.ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))

	worker := b.as(jobstream.RoleWorker)
	deliveries := must.Get(worker.Queue.Fetch(b.ctx, 1, 10*time.Second))(t)
	if len(deliveries) != 1 {
		t.Fatalf("%d deliveries, want the job", len(deliveries))
	}
	d := deliveries[0]
	got := must.Get(worker.Rounds.Manifest(b.ctx, "r1"))(t)
	if got.Mirror != manifest.Mirror {
		t.Errorf("the manifest reads as %+v", got)
	}
	declared, _, err := worker.Egresses.Load(b.ctx)
	if err != nil || !cmp.Equal(declared.Names, []string{"a"}) {
		t.Errorf("the egresses read as %+v, %v", declared, err)
	}
	record, revision, err := worker.Records.Load(b.ctx, "r1", 1)
	must.Do(t, err)
	claimed := must.Get(record.Claimed(job.Claim{ID: "c", Worker: "w", Sequence: d.Sequence(), Delivery: d.Number()}))(t)
	revision = must.Get(worker.Records.Update(b.ctx, claimed, revision))(t)
	must.Do(t, d.InProgress(b.ctx))
	key := job.EvaluationKey("r1", 1, "c")
	must.Do(t, worker.Evaluations.Put(b.ctx, key, job.Evaluation{Round: "r1", UID: 1, Claim: "c"}))
	must.Get(worker.Bucket(job.BucketScores).Put(b.ctx, "k", []byte("v")))(t)
	must.Get(worker.Bucket(job.BucketScores).Get(b.ctx, "k"))(t)
	must.Do(t, worker.Letters.Publish(b.ctx, job.DeadLetter{Round: "r1", UID: 2, Class: job.Permanent}))
	must.Get(worker.Records.Update(b.ctx, must.Get(claimed.Committed("c", 1, key, false, time.Time{}))(t), revision))(t)
	must.Do(t, d.Ack(b.ctx))
	_, _, err = worker.Queue.Depth(b.ctx)
	must.Do(t, err)
	_, _, err = worker.Schedule.LastConclusion(b.ctx)
	must.Do(t, err)

	must.Do(t, worker.Presence.Show(b.ctx, "p", job.Worker{Name: "w"}))
	must.Do(t, bus.Presence.ShowProducer(b.ctx, "p", job.Producer{Name: "serve"}))

	viewer := b.as(jobstream.RoleViewer)
	workers, producers := must.Get(viewer.Presence.List(b.ctx))(t), must.Get(viewer.Presence.Producers(b.ctx))(t)
	if len(workers.Workers) != 1 || workers.Workers[0].Name != "w" || len(producers.Producers) != 1 || producers.Producers[0].Name != "serve" {
		t.Errorf("the viewer sees the signs %+v and %+v, want one of the worker and one of the producer", workers, producers)
	}
	if changed, of, err := viewer.Records.After(b.ctx, "r1", 0); err != nil || of != 3 || len(changed) != 1 || changed[0].Phase != job.Done {
		t.Errorf("the viewer follows %+v up to %d, %v; want the record as it is, and the sequence of its third change", changed, of, err)
	}
	held := must.Get(viewer.Inventory(b.ctx, "r1"))(t)
	if len(held.Records) != 1 || held.Records[0].Phase != job.Done || len(held.Evaluations) != 1 || len(held.Messages) != 0 {
		t.Errorf("the viewer sees %+v", held)
	}
}

// TestForbiddenActs: with the shipped settings neither a worker nor a viewer can do what
// each line says, and all that the fleet holds is as it was.
func TestForbiddenActs(t *testing.T) {
	t.Parallel()
	b := alone(t)
	bus := b.open(b.nc, 1)
	must.Do(t, bus.Schedule.SetTurn(b.ctx, job.Turn{Round: "r1", Due: asOf}, 0))
	must.Do(t, bus.Miners.PutIdentity(b.ctx, job.Identity{UID: 1}))
	must.Get(bus.Records.Plan(b.ctx, job.Plan("r1", 1, "")))(t)
	must.Do(t, bus.Queue.Publish(b.ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))
	config := func(name string, change func(*jetstream.StreamConfig)) string {
		c := jetstream.StreamConfig{Name: name, Storage: jetstream.FileStorage, Replicas: 1}
		if s, err := b.js.Stream(b.ctx, name); err == nil {
			c = s.CachedInfo().Config
		}
		change(&c)
		return string(must.Get(json.Marshal(c))(t))
	}
	acts := []struct{ what, subject, data string }{
		{"overwrite rewards by a republish", "$JS.API.STREAM.UPDATE.KV_SCORES", config("KV_SCORES", func(c *jetstream.StreamConfig) {
			c.RePublish = &jetstream.RePublish{Source: "$KV.SCORES.>", Destination: "$KV.ROUNDS.>"}
		})},
		{"forge a job", job.Subject("r1", 2), "x"},
		{"forge an outcome", "$KV.ROUNDS.r1.outcome.1", "x"},
		{"forge a stored evaluation", "$KV.MINERS.1", "x"},
		{"empty the rounds by a limit", "$JS.API.STREAM.UPDATE.KV_ROUNDS", config("KV_ROUNDS", func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })},
		{"purge the rounds", "$JS.API.STREAM.PURGE.KV_ROUNDS", ""},
		{"delete a stream", "$JS.API.STREAM.DELETE.KV_RECORDS", ""},
		{"delete a message", "$JS.API.STREAM.MSG.DELETE.KV_ROUNDS", `{"seq":1}`},
		{"pause the consumer", "$JS.API.CONSUMER.PAUSE.MINER_JOBS.workers", `{"pause_until":"2036-01-01T00:00:00Z"}`},
		{"forge a producer's sign of life", "$KV.WORKERS.producer.x", `{"version":1,"name":"x"}`},
		{"order a pause", "$KV.ROUNDS.schedule.steer", `{"version":1,"schedule":{"by":"x"}}`},
		{"delete the consumer", "$JS.API.CONSUMER.DELETE.MINER_JOBS.workers", ""},
		{"change the consumer", "$JS.API.CONSUMER.CREATE.MINER_JOBS.workers",
			`{"stream_name":"MINER_JOBS","config":{"durable_name":"workers","ack_policy":"explicit","max_deliver":1}}`},
		{"consume the jobs otherwise", "$JS.API.CONSUMER.CREATE.MINER_JOBS.thief",
			`{"stream_name":"MINER_JOBS","config":{"name":"thief","ack_policy":"explicit"}}`},
		{"record all inboxes", "$JS.API.STREAM.CREATE.INBOXES", config("INBOXES", func(c *jetstream.StreamConfig) { c.Subjects = []string{"_INBOX.>"} })},
		{"reserve the disk", "$JS.API.STREAM.CREATE.ROOM", config("ROOM", func(c *jetstream.StreamConfig) { c.Subjects, c.MaxBytes = []string{"room"}, 19<<30 })},
		{"mirror the identities", "$JS.API.STREAM.CREATE.COPY", config("COPY", func(c *jetstream.StreamConfig) {
			c.Mirror = &jetstream.StreamSource{Name: "KV_IDENTITIES"}
		})},
		{"read the identities", "$JS.API.STREAM.MSG.GET.KV_IDENTITIES", `{"last_by_subj":"$KV.IDENTITIES.1"}`},
		{"take the identities' snapshot", "$JS.API.STREAM.SNAPSHOT.KV_IDENTITIES", `{"deliver_subject":"x"}`},
		{"ask the servers", "$SYS.REQ.SERVER.PING.VARZ", ""},
	}
	ofWorkers := []struct{ what, subject, data string }{
		{"read whatever is in the rounds", "$JS.API.STREAM.MSG.GET.KV_ROUNDS", `{"last_by_subj":"$KV.ROUNDS.schedule.turn"}`},
		{"read an outcome", "$JS.API.DIRECT.GET.KV_ROUNDS.$KV.ROUNDS.r1.outcome.1", ""},
		{"read the rounds in bulk", "$JS.API.DIRECT.GET.KV_ROUNDS", `{"seq":1,"batch":100}`},
	}
	ofViewers := []struct{ what, subject, data string }{
		{"take a job", "$JS.API.CONSUMER.MSG.NEXT.MINER_JOBS.workers", `{"batch":1,"no_wait":true}`},
		{"end a job", "$JS.ACK.MINER_JOBS.workers.1.1.1.1.0", "+TERM"},
		{"change a record", "$KV.RECORDS.r1.1", "x"},
		{"store an evaluation", "$KV.EVALUATIONS.r1.1.c", "x"},
		{"make a consumer that delivers elsewhere", "$JS.API.CONSUMER.CREATE.KV_ROUNDS.x",
			`{"stream_name":"KV_ROUNDS","config":{"name":"x","deliver_subject":"$KV.RECORDS.r1.1","ack_policy":"none"}}`},
	}
	before := b.states()
	for user, forbidden := range map[string][]struct{ what, subject, data string }{
		cluster.Worker: slices.Concat(acts, ofWorkers), cluster.Viewer: slices.Concat(acts, ofViewers),
	} {
		nc := b.connect(user)
		for _, act := range forbidden {
			answer, err := nc.Request(act.subject, []byte(act.data), 5*time.Second)
			if err == nil {
				t.Errorf("a %s may %s: the answer is %s", user, act.what, answer.Data)
			}
		}
	}
	if diff := cmp.Diff(before, b.states()); diff != "" {
		t.Errorf("what the fleet holds has changed: %s", diff)
	}
}

// TestAnswersGoNowhereElse: who may publish anything can name any subject for the
// answer. Within one account a stream would store it, under whatever key.
func TestAnswersGoNowhereElse(t *testing.T) {
	t.Parallel()
	b := alone(t)
	bus := b.open(b.nc, 1)
	must.Do(t, bus.Schedule.SetTurn(b.ctx, job.Turn{Round: "r1", Due: asOf}, 0))
	must.Get(bus.Records.Plan(b.ctx, job.Plan("r1", 1, "")))(t)
	must.Do(t, bus.Queue.Publish(b.ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: asOf}))
	heard := must.Get(b.connect(cluster.Viewer).SubscribeSync("_INBOX.>"))(t)
	worker := b.connect(cluster.Worker)
	for i, subject := range []string{"$KV.SCORES.a", "$JS.API.INFO", "$JS.API.STREAM.MSG.GET.KV_RECORDS", "$JS.API.CONSUMER.MSG.NEXT.MINER_JOBS.workers"} {
		for _, reply := range []string{"$KV.ROUNDS.schedule.turn", "$KV.ROUNDS.r1.manifest", "$KV.MINERS.1", job.Subject("r1", 9), fmt.Sprintf("_INBOX.x%d", i)} {
			must.Do(t, worker.PublishRequest(subject, reply, []byte(`{"last_by_subj":"$KV.RECORDS.r1.1"}`)))
		}
	}
	// The server has dealt with all of it when it answers what came after.
	must.Get(worker.Request("$JS.API.INFO", nil, 10*time.Second))(t)
	if turn, revision, err := bus.Schedule.Turn(b.ctx); err != nil || turn.Round != "r1" || revision != 1 {
		t.Errorf("the turn reads as %+v at revision %d, %v, want it untouched", turn, revision, err)
	}
	for stream, want := range map[string]uint64{"KV_ROUNDS": 1, "KV_MINERS": 0, job.StreamJobs: 1} {
		s := must.Get(b.js.Stream(b.ctx, stream))(t)
		if got := s.CachedInfo().State.LastSeq; got != want {
			t.Errorf("%s holds %d messages, want %d", stream, got, want)
		}
	}
	if msg, err := heard.NextMsg(100 * time.Millisecond); err == nil {
		t.Errorf("a viewer hears %s of the others", msg.Subject)
	}
}

// TestNobodyAnswersForTheServer: who hears the requests of others can answer them first, and
// forge what they read. Nobody hears requests, and nobody publishes an answer.
func TestNobodyAnswersForTheServer(t *testing.T) {
	t.Parallel()
	b := alone(t)
	b.open(b.nc, 1)
	for _, user := range []string{cluster.Worker, cluster.Viewer, cluster.Producer} {
		asks, forges := b.connect(user), b.connect(user)
		heard := must.Get(forges.SubscribeSync("$JS.API.>"))(t)
		all := must.Get(forges.SubscribeSync(">"))(t)
		inbox := must.Get(asks.SubscribeSync("_INBOX.forged"))(t)
		must.Do(t, asks.FlushTimeout(10*time.Second))
		must.Do(t, forges.Publish("_INBOX.forged", []byte("forged")))
		must.Do(t, forges.FlushTimeout(10*time.Second))
		must.Get(asks.Request("$JS.API.INFO", nil, 10*time.Second))(t)
		for what, sub := range map[string]*nats.Subscription{"requests": heard, "everything": all, "a forged answer": inbox} {
			if msg, err := sub.NextMsg(50 * time.Millisecond); err == nil {
				t.Errorf("another %s hears %s: %s", user, what, msg.Subject)
			}
		}
	}
}

// TestAKeyTakesNoOtherWithIt: who may write a key of a bucket can ask for a rollup, which
// would remove all others, or for a key that ends by itself.
func TestAKeyTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	b := alone(t)
	bus := b.open(b.nc, 1)
	must.Get(bus.Records.Plan(b.ctx, job.Plan("r1", 1, "")))(t)
	worker := b.connect(cluster.Worker)
	for header, value := range map[string]string{"Nats-Rollup": "all", "Nats-TTL": "1s"} {
		msg := nats.NewMsg("$KV.RECORDS.r1.2")
		msg.Header.Set(header, value)
		answer := must.Get(worker.RequestMsg(msg, 10*time.Second))(t)
		if !strings.Contains(string(answer.Data), `"error"`) {
			t.Errorf("%s: %s is taken: %s", header, value, answer.Data)
		}
	}
	if records, err := bus.Records.List(b.ctx, "r1"); err != nil || len(records) != 1 {
		t.Errorf("records are %+v, %v, want the one", records, err)
	}
}

// states are the streams as they are, by name.
func (b *bundle) states() map[string]jetstream.StreamInfo {
	b.t.Helper()
	states := map[string]jetstream.StreamInfo{}
	for info := range b.js.ListStreams(b.ctx).Info() {
		states[info.Config.Name] = jetstream.StreamInfo{Config: info.Config, State: info.State}
	}
	return states
}
