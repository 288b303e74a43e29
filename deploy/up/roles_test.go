package main_test

import (
	"crypto/tls"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
)

// forbidden says of each role what the servers must refuse it. A gateway has no user of NATS,
// and is a worker to Redis.
var forbidden = map[string]struct {
	nats  map[string]string // act: subject and data
	redis []string
}{
	"producer": {
		nats: map[string]string{
			"delete a stream": "$JS.API.STREAM.DELETE.KV_ROUNDS", "delete the consumer": "$JS.API.CONSUMER.DELETE.MINER_JOBS.workers",
			"delete a round's message": `$JS.API.STREAM.MSG.DELETE.KV_ROUNDS {"seq":1}`, "forge an evaluation": "$KV.EVALUATIONS.r.1.c x",
			"take a job":                   `$JS.API.CONSUMER.MSG.NEXT.MINER_JOBS.workers {"batch":1,"no_wait":true}`,
			"end the servers' connections": "$SYS.REQ.SERVER.PING.CONNZ",
		},
		redis: []string{"FLUSHALL", "CONFIG GET *", "SET other 1", "DEL limit:{north}", "KEYS *", "ACL LIST", "SHUTDOWN NOSAVE"},
	},
	"worker": {
		nats: map[string]string{
			"forge an outcome": "$KV.ROUNDS.r.outcome.1 x", "forge a job": "miner.job.r.1 x", "forge a stored evaluation": "$KV.MINERS.1 x",
			"purge the rounds": "$JS.API.STREAM.PURGE.KV_ROUNDS", "read the identities": `$JS.API.STREAM.MSG.GET.KV_IDENTITIES {"seq":1}`,
			"read an outcome": "$JS.API.DIRECT.GET.KV_ROUNDS.$KV.ROUNDS.r.outcome.1", "make a stream": `$JS.API.STREAM.CREATE.X {"name":"X","subjects":["x"]}`,
			"order a pause": "$KV.ROUNDS.schedule.steer x", "pause the consumer": `$JS.API.CONSUMER.PAUSE.MINER_JOBS.workers {"pause_until":"2036-01-01T00:00:00Z"}`,
			"take a snapshot": `$JS.API.STREAM.SNAPSHOT.KV_IDENTITIES {"deliver_subject":"x"}`, "ask the servers": "$SYS.REQ.SERVER.PING.VARZ",
		},
		redis: []string{"FLUSHALL", "CONFIG GET *", "SET other 1", "DEL limit:{north}", "SCAN 0", "KEYS *", "ACL LIST", "HGETALL other"},
	},
	"viewer": {
		nats: map[string]string{
			"take a job": `$JS.API.CONSUMER.MSG.NEXT.MINER_JOBS.workers {"batch":1,"no_wait":true}`, "change a record": "$KV.RECORDS.r.1 x",
			"store an evaluation": "$KV.EVALUATIONS.r.1.c x", "forge an outcome": "$KV.ROUNDS.r.outcome.1 x", "end a job": "$JS.ACK.MINER_JOBS.workers.1.1.1.1.0 +TERM",
			"read the identities": `$JS.API.STREAM.MSG.GET.KV_IDENTITIES {"seq":1}`, "write the cache": "$KV.SCORES.k x", "forge a sign of life": "$KV.WORKERS.w x",
		},
	},
}

// checkRoles tries each role's forbidden acts on the servers, and to get in without what
// proves a role.
func (u *up) checkRoles() {
	u.t.Helper()
	for role, acts := range forbidden {
		nc := u.connect(role)
		for what, act := range acts.nats {
			subject, data, _ := strings.Cut(act, " ")
			if answer, err := nc.Request(subject, []byte(data), 700*time.Millisecond); err == nil {
				u.t.Errorf("a %s may %s: the answer is %.200s", role, what, answer.Data)
			}
		}
		if len(acts.redis) == 0 {
			continue
		}
		rdb := must.Get(ratelimit.NewSecureClient(u.env(role, "MIRRORFLEET_REDIS"), time.Second, ratelimit.Files{TLS: u.files(role)}))(u.t)
		for _, act := range acts.redis {
			var args []any
			for word := range strings.FieldsSeq(act) {
				args = append(args, word)
			}
			if err := rdb.Do(u.ctx, args...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
				u.t.Errorf("a %s may do %s in Redis: %v", role, act, err)
			}
		}
		must.Do(u.t, rdb.Close())
	}
	u.checkDoors()
	// A role that lacks a right is refused at start, with the setting and the remedy.
	for role, start := range map[string]string{
		"viewer": "worker", "worker": "producer run --miners $FLEET/world/miners.json --registry $FLEET/world/master_repositories.json",
	} {
		out := u.sh(role, "export MIRRORFLEET_REDIS=${MIRRORFLEET_REDIS:-redis://127.0.0.1:1}; "+start+" --connect-timeout 5s 2>&1 || echo code $?")
		if !strings.Contains(out, "code 2") || !strings.Contains(out, "--nats: the user at") || !strings.Contains(out, "deploy/nats/settings.conf") {
			u.t.Errorf("%s as a %s says %s; want exit code 2, the setting and the remedy", start, role, out)
		}
	}
}

// checkDoors tries to get in without a certificate, without a password, and without TLS.
func (u *up) checkDoors() {
	u.t.Helper()
	url := u.env("worker", "MIRRORFLEET_NATS")
	try := func(url string, files certs.Files) error {
		nc, err := jobstream.Connect(u.ctx, url, "test", jobstream.ConnectConfig{
			Wait: time.Second, Files: jobstream.Files{TLS: files}, Log: jobstreamtest.Quiet(),
		})
		if err == nil {
			nc.Close()
		}
		return err
	}
	for what, err := range map[string]error{
		"without a certificate": try(url, certs.Files{CA: u.files("worker").CA}),
		"with another password": try(strings.ReplaceAll(url, u.file("secrets/nats_worker"), "x"), u.files("worker")),
		"without TLS":           plain(url),
	} {
		if err == nil {
			u.t.Errorf("NATS lets a client in %s", what)
		}
	}
	address := must.Get(redis.ParseURL(u.env("worker", "MIRRORFLEET_REDIS")))(u.t).Addr
	nobody := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})
	if err := nobody.Ping(u.ctx).Err(); err == nil {
		u.t.Error("Redis answers without TLS")
	}
	must.Do(u.t, nobody.Close())
	own := must.Get(u.files("worker").Client())(u.t)
	unnamed := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, TLSConfig: own})
	if err := unnamed.Ping(u.ctx).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		u.t.Errorf("Redis answers a client without a password: %v", err)
	}
	must.Do(u.t, unnamed.Close())
	bare := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, TLSConfig: &tls.Config{RootCAs: own.RootCAs, ServerName: "127.0.0.1"}})
	if err := bare.Ping(u.ctx).Err(); err == nil || strings.Contains(err.Error(), "NOAUTH") {
		u.t.Errorf("Redis talks to a client without a certificate: %v", err)
	}
	must.Do(u.t, bare.Close())
}

// plain connects without TLS.
func plain(url string) error {
	nc, err := nats.Connect(url, nats.Timeout(time.Second), nats.RetryOnFailedConnect(false))
	if err == nil {
		nc.Close()
	}
	return err
}
