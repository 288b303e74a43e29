package doctor

import (
	"maps"
	"slices"
	"strconv"

	"mirrorfleet/shared/jobstream"
)

// Code names a warning or a fault. Codes are published: docs/troubleshoot.md lists them and
// scripts match them, so a text may change and its code may not.
type Code string

// The codes, grouped by what they are about. Most stand for one status. Some are a fault or
// a warning, by how much is wrong: docs/troubleshoot.md has the limits.
const (
	// The NATS servers, and the account in which the streams are.

	NATSUnreachable Code = "nats-unreachable"
	NATSCredentials Code = "nats-credentials"
	NATSCertificate Code = "nats-certificate"
	NATSVersion     Code = "nats-version"
	NATSJetStream   Code = "nats-jetstream"
	NATSPayload     Code = "nats-payload"
	NATSStorage     Code = "nats-storage"
	NATSStreams     Code = "nats-streams"
	NATSServers     Code = "nats-servers"
	NATSSilent      Code = "nats-silent"
	NATSSync        Code = "nats-sync"
	NATSRefuses     Code = "nats-refuses"

	// The streams and the workers' consumer. A mismatch is in a setting that JetStream cannot
	// change in place, drift in one that the next producer sets back.

	StreamMismatch     Code = "stream-mismatch"
	StreamDrift        Code = "stream-drift"
	StreamCopies       Code = "stream-copies"
	StreamMissing      Code = "stream-missing"
	ConsumerDrift      Code = "consumer-drift"
	ConsumerFilter     Code = "consumer-filter"
	ConsumerPaused     Code = "consumer-paused"
	RoundPaused        Code = "round-paused"
	ConsumerDeliveries Code = "consumer-deliveries"

	// What the NATS users of both roles may do. Every round works with an excess, but a
	// stolen credential then opens more than it should.

	PermissionMissing Code = "permission-missing"
	PermissionExcess  Code = "permission-excess"

	// Redis, and the limiter's bucket in it.

	RedisUnreachable Code = "redis-unreachable"
	RedisRefuses     Code = "redis-refuses"
	RedisCertificate Code = "redis-certificate"
	RedisPermission  Code = "redis-permission"
	RedisExcess      Code = "redis-excess"
	RedisVersion     Code = "redis-version"
	RedisScripts     Code = "redis-scripts"
	RedisPolicy      Code = "redis-policy"
	RedisReplica     Code = "redis-replica"
	RedisRoundTrip   Code = "redis-round-trip"
	RedisScan        Code = "redis-scan"
	LimitFormula     Code = "limit-formula"
	LimitFigures     Code = "limit-figures"
	LimitStopped     Code = "limit-stopped"

	// All clocks, and what the whole fleet shows of itself.

	ClocksDiffer       Code = "clocks-differ"
	CertificateExpires Code = "certificate-expires"
	FleetEmpty         Code = "fleet-empty"
	EgressUndeclared   Code = "egress-undeclared"
	EgressUnreadable   Code = "egress-unreadable"
	EgressShared       Code = "egress-shared"
	EgressSplit        Code = "egress-split"
	WorkerMissing      Code = "worker-missing"
	WorkersNone        Code = "workers-none"
	VersionsDiffer     Code = "versions-differ"

	// This machine: what a worker needs here, and the files that were given.

	GrammarsUnusable Code = "grammars-unusable"
	GrammarsFigures  Code = "grammars-figures"
	SandboxLacking   Code = "sandbox-lacking"
	FileUnreadable   Code = "file-unreadable"
	FileInvalid      Code = "file-invalid"
	FileExposed      Code = "file-exposed"

	// The mirror, by the one request that a run sends.

	MirrorNotAsked    Code = "mirror-not-asked"
	MirrorUnreachable Code = "mirror-unreachable"
	MirrorStatus      Code = "mirror-status"
	MirrorOverLimit   Code = "mirror-over-limit"
	MirrorSlow        Code = "mirror-slow"
	MirrorPlain       Code = "mirror-plain"
	MirrorCertificate Code = "mirror-certificate"

	// The directory of local rounds.

	StateUnusable Code = "state-unusable"
	StateSpace    Code = "state-space"

	// A check that could not be made, most often because of another finding (see skipped).

	NotLookedAt Code = "not-looked-at"
)

// mend says what to do. A finding without an entry in mends would have no "to fix" line, and
// Codes would not list it.
func (c Code) mend() string { return mends()[c] }

// Codes lists all codes by name.
func Codes() []Code { return slices.Sorted(maps.Keys(mends())) }

// mends says for each code what to do. The text is one for the code, so it names no server
// and no value: the finding's own text does. Where only that text can tell (a certificate
// fails in many ways), it says so. A test compares the list with docs/troubleshoot.md.
func mends() map[Code]string { //nolint:funlen // a table
	return map[Code]string{
		NATSUnreachable: "start nats-server (deploy/nats has its settings), or correct --nats",
		NATSCredentials: "give the user of the role, with its password file, --nats-creds or --nats-nkey",
		NATSCertificate: "as the text says: --nats-ca, --nats-cert and --nats-key, or the server's own certificate",
		NATSVersion:     "install nats-server " + jobstream.OldestForBackups + " or later, on one server of the cluster after another",
		NATSJetStream: "switch JetStream on for the server and the user's account (deploy/nats/settings.conf); " +
			"a cluster answers 503 until its servers reach each other: their logs name the route that fails",
		NATSPayload:        "set max_payload to 1MB or more",
		NATSStorage:        "raise max_file_store or the account's limit, or give the store a larger disk",
		NATSStreams:        "raise the account's max_streams: the product needs " + strconv.Itoa(len(jobstream.StreamNames())),
		NATSServers:        "start the other servers of the cluster, or give the --replicas that there are servers for",
		NATSSilent:         "let the account import $SYS.REQ.SERVER.PING.VARZ, and the producer publish it, as deploy/nats/settings.conf does",
		NATSSync:           "set sync_interval: always on that server, and restart it",
		NATSRefuses:        "as the text says",
		StreamMissing:      "start a producer: it declares it, empty; if it held anything: docs/backup.md, After a loss",
		StreamMismatch:     "use another account, or move the stream's messages and delete it: the next producer that starts creates it again",
		StreamDrift:        "nothing: the next producer that starts changes it back; find out who changed it",
		StreamCopies:       "`nats server report jetstream`, as the user admin: a server is away, or catching up",
		ConsumerDrift:      "nothing, if the new value is meant: the next producer that starts sets it",
		ConsumerFilter:     "unless a local round runs there: nats consumer rm MINER_JOBS workers; the next producer creates it again",
		ConsumerPaused:     "nats consumer resume MINER_JOBS workers",
		RoundPaused:        "nothing, if it is meant; producer resume --round ends the pause",
		ConsumerDeliveries: "nats consumer rm MINER_JOBS workers: the next producer that starts creates it again",
		PermissionMissing:  "give the user what deploy/nats/settings.conf gives its role; for the workers' user name it with --worker-nats",
		PermissionExcess:   "give each role a user of its own (deploy/nats/settings.conf)",
		RedisUnreachable:   "start redis-server, or correct --redis",
		RedisRefuses:       "as the text says",
		RedisCertificate:   "as the text says: --redis-ca, --redis-cert and --redis-key, or the server's own certificate",
		RedisPermission:    "give the user what deploy/redis/users.acl gives its role",
		RedisExcess:        "give each role a user of its own (deploy/redis/users.acl)",
		RedisVersion:       "install Redis 7 or later, and allow INFO",
		RedisScripts:       "allow EVAL and EVALSHA to the user (deploy/redis/users.acl), and do not rename them",
		RedisPolicy:        "set maxmemory-policy noeviction: Redis holds a few kB of the fleet's",
		RedisReplica:       "point --redis at the primary",
		RedisRoundTrip:     "run Redis near the workers: a call may take 200 ms at most",
		RedisScan:          "allow SCAN to the user (ACL +scan): without it nobody sees who sends under another egress",
		LimitFormula:       "lower --limit-rate, or leave it out; docs/limit.md has the formula",
		LimitFigures:       "give all processes of the egress the same --limit-… flags, or restart those with the old ones",
		LimitStopped:       "wait, or `producer limit --release` if it is held; after a cool-down find out who else sends from this IP",
		CertificateExpires: "renew it: docs/secure.md, When a certificate expires",
		ClocksDiffer:       "let NTP set the clocks of all machines",
		FleetEmpty:         "docs/backup.md, After a loss; nothing, if the rounds were removed on purpose",
		EgressUnreadable:   "restart a producer: it declares them anew; find out who else writes to the bucket of rounds",
		EgressUndeclared:   "start it with the --egress of the address that it sends from; a new address belongs in the producers' --egresses",
		EgressShared:       "give all processes that send from one address the same --egress",
		EgressSplit:        "give the processes of each address an --egress of their own, and the producers all of them in --egresses",
		WorkerMissing:      "run `worker check` where workers run",
		WorkersNone:        "start a worker with the NATS, Redis, mirror and egress of the fleet; if one runs, its log says what it waits for",
		VersionsDiffer:     "upgrade those that were left behind (docs/upgrade.md); `producer workers` and `producer rounds` list them",
		GrammarsUnusable:   "run `make grammars`, or name the directory with --grammars",
		GrammarsFigures:    "run `make grammars` on this machine, and compare its C library with the one that they were built with",
		SandboxLacking:     "run workers on a kernel with seccomp and Landlock (Linux 5.13, lsm=landlock), or give them --sandbox auto",
		FileUnreadable:     "correct the path, or the file's owner and mode",
		FileInvalid:        "correct the file: the text names each broken rule",
		FileExposed:        "chmod 600 the file: it holds secrets",
		MirrorNotAsked:     "see the lines of Redis and of the limit",
		MirrorUnreachable:  "correct --mirror, or the network's way out: DNS, firewall, certificates",
		MirrorStatus:       "correct --mirror; if it is right, wait until the mirror is well",
		MirrorOverLimit:    "find out who else sends from this IP, or lower --limit-requests; the egress now cools down",
		MirrorSlow:         "nothing: a round takes no longer while the workers have slots enough (producer plan --latency)",
		MirrorPlain:        "use https",
		MirrorCertificate:  "tell the mirror's operator",
		StateUnusable:      "give a --state directory of this user's own, which others need not enter",
		StateSpace:         "free some of the disk, or give another --state",
		NotLookedAt:        "mend what that line says first",
	}
}
