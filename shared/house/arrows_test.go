package house_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// arrow allows the packages under from to import the product's packages under
// to, and says why. What no arrow allows is refused.
type arrow struct {
	from, why string
	to        []string
}

var arrows = []arrow{
	{"shared/scoring", "the rules know nobody but their own parts", []string{"shared/scoring"}},
	{"shared/scoring/tokens", "token scores know no other rule", []string{"shared/scoring/python", "shared/scoring/strictjson"}},
	{"shared/scoring/input", "files of operators know no rule", []string{"shared/scoring/python", "shared/scoring/strictjson"}},
	{"shared/scoring/python", "what Python does knows nobody", nil},
	{"shared/scoring/strictjson", "reading an object knows nobody", nil},
	{
		"shared/job", "an evaluation on the wire holds what the rules made, a worker's sign what its jobs do",
		[]string{"shared/bounded", "shared/doing", "shared/scoring"},
	},
	{"shared/doing", "what a job does is said by those who do it", nil},
	{"shared/broadcast", "telling who waits knows nobody", nil},
	{"shared/telemetry", "names and set-up know nobody", nil},
	{"shared/telemetry/telemetrytest", "a test waits for a word", []string{"shared/broadcast"}},
	{"shared/pause", "waiting knows nobody", nil},
	{"shared/whoami", "what a service says of an address is cut", []string{"shared/bounded"}},
	{"shared/plural", "counting in words knows nobody", nil},
	{"shared/bounded", "shortening knows nobody", nil},
	{"shared/secret", "a file's mode and content know nobody", nil},
	{"shared/certs", "the file of a key is a secret; its tests' help makes an authority, and ends tests", []string{"shared/secret", "shared/certs/authority", "shared/must"}},
	{"shared/problems", "the form of a refusal knows nobody", nil},
	{"shared/listen", "the bounds of a listener know nobody", nil},
	{"shared/must", "what ends a test knows nobody", nil},
	{"shared/lifetest", "starting and stopping know nobody", []string{"shared/must"}},
	{"shared/signing", "a private key is a secret", []string{"shared/secret"}},
	{"shared/signing/signingtest", "it makes keys", []string{"shared/must", "shared/signing"}},
	{"shared/disktest", "it mounts, and runs a test again", []string{"shared/must"}},
	{"shared/nettest", "it carries bytes", []string{"shared/must"}},
	{"shared/ratelimit/redistest", "servers need ports, and a failover leads clients to another", []string{"shared/must", "shared/nettest"}},
	{"shared/ratelimit", "an adapter knows no other; it names its spans, and proves by files who it is", []string{
		"shared/bounded", "shared/broadcast", "shared/certs", "shared/doing", "shared/ratelimit", "shared/secret", "shared/telemetry", "shared/whoami",
	}},
	{
		"shared/mirror", "the wire's models become the rules' facts; the limiter comes in as a Meter",
		[]string{"shared/bounded", "shared/broadcast", "shared/doing", "shared/scoring", "shared/job", "shared/pause", "shared/telemetry", "shared/mirror"},
	},
	{
		"shared/jobstream", "it carries jobs, records and evaluations, marks the steps inside what takes several, and proves by files who it is",
		[]string{"shared/certs", "shared/secret", "shared/crash", "shared/job", "shared/jobstream/kv", "shared/pause", "shared/scoring", "shared/signing", "shared/telemetry"},
	},
	{
		"shared/jobstream/kv", "a value says which build wrote it, and may be signed; what is tried again, the bus says",
		[]string{"shared/job", "shared/signing"},
	},
	{
		"shared/jobstream/jobstreamtest", "tests of jobs need the servers that jobs are on",
		[]string{"shared/job", "shared/jobstream", "shared/local", "shared/must"},
	},
	{"shared/jobstream/cluster", "servers need ports, and one that is apart a relay", []string{"shared/must", "shared/nettest"}},
	{"shared/health", "it serves checks that others bring", []string{"shared/listen"}},
	{"shared/scorecache", "it keeps what scoring made of a files answer", []string{"shared/job", "shared/pause", "shared/scoring"}},
	{
		"shared/openissues", "one answer of the mirror's becomes what a round knows of its miners",
		[]string{"shared/job", "shared/mirror", "shared/scoring"},
	},
	{"shared/local", "servers know no product", nil},
	{
		"shared/mirrorsim", "a mirror serves facts and counts requests as the limiter's tests do",
		[]string{"shared/scoring", "shared/ratelimit/windows", "shared/mirrorsim", "shared/command", "shared/listen"},
	},
	{"shared/mirrorsim/gitworld", "histories become what a mirror lists, of miners", []string{"shared/gitdiff", "shared/mirrorsim", "shared/scoring"}},
	{"shared/gitdiff", "what git says of a change is what the rules score; its tests' help ends tests", []string{"shared/must", "shared/scoring"}},
	{"shared/command", "flags, exit codes and their own tests' help know nobody else; a file of settings may hold a secret, an error steers no terminal", []string{"shared/command", "shared/secret", "shared/terminal"}},
	{"shared/terminal", "tables, colours and filters know nobody; what ends a test does neither", []string{"shared/must"}},
	{"shared/crash", "marks know nobody; their reader reads the others as text", nil},
	{
		"shared/fleet", "the wiring that producer and worker have in common",
		[]string{
			"shared/certs", "shared/command", "shared/health", "shared/jobstream", "shared/mirror", "shared/pause", "shared/plural",
			"shared/ratelimit", "shared/secret", "shared/telemetry", "shared/terminal", "shared/whoami",
		},
	},
	{
		"shared/fleet/fleettest", "what a simulated mirror counted is the mirror's own type; all that was built for tests is removed in one place",
		[]string{"shared/jobstream/cluster", "shared/mirrorsim", "shared/must"},
	},
	{"conformance", "the followed state knows nobody", nil},
	{"shared/house", "it reads the others as text", nil},
	{"deploy", "it reads what is deployed as text", nil},
	{"deploy/up", "it waits, and makes the certificates of a fleet on one machine", []string{"shared/certs/authority", "shared/pause"}},
	{"deploy/notices", "what is said of the grammars is said of those that were built", []string{"worker/tokenscore/grammars/manifest"}},
	{
		"worker/tokenscore", "the parser gives the rules their token figures",
		[]string{"shared/scoring", "shared/telemetry", "worker/tokenscore"},
	},
	{
		"worker/lease", "a lease moves jobs and records, and marks the steps between",
		[]string{"shared/bounded", "shared/crash", "shared/job", "shared/jobstream", "shared/pause", "shared/telemetry"},
	},
	{
		"worker/warm", "a warm-up's miners are taken from their stream while there is no job; what is done with one comes in",
		[]string{"shared/job", "shared/jobstream", "shared/pause", "shared/telemetry"},
	},
	{
		"worker/signs", "a sign says what jobs do, and what the limiter knows; it is stored, and counted",
		[]string{"shared/doing", "shared/job", "shared/jobstream", "shared/pause", "shared/ratelimit", "shared/telemetry"},
	},
	{
		"worker/evaluate", "an evaluation is made of answers, rules and token scores",
		[]string{
			"shared/doing", "shared/job", "shared/jobstream", "shared/mirror", "shared/scorecache", "shared/scoring", "shared/telemetry",
			"worker/tokenscore",
		},
	},
	{
		"producer/outcome", "an outcome is read as it is stored; what can be replayed is read from the records",
		[]string{"shared/bounded", "shared/job", "shared/jobstream", "shared/plural", "shared/scoring"},
	},
	{
		"producer/audit", "what is held of a round is compared with itself and with its outcome",
		[]string{"producer/outcome", "shared/job", "shared/plural"},
	},
	{
		"producer/leadership", "who leads writes itself into a bucket, and the steps between are marked; it knows nothing of what is led",
		[]string{"shared/crash", "shared/job", "shared/jobstream"},
	},
	{
		"producer/round", "a round is published, collected and concluded by the rules, the steps between are marked, and what is left is estimated",
		[]string{
			"producer/audit", "producer/estimate", "producer/leadership", "producer/outcome",
			"shared/crash", "shared/job", "shared/jobstream", "shared/mirror", "shared/openissues", "shared/pause", "shared/plural",
			"shared/scoring", "shared/telemetry",
		},
	},
	{
		"producer/miners", "who takes part is read from the validator's files, and what GitHub said is kept in a bucket",
		[]string{"shared/job", "shared/jobstream", "shared/pause", "shared/plural", "shared/scoring", "shared/secret"},
	},
	{
		"producer/schedule", "turns are on the wire, so that others see which was the last; an order is followed once, wherever it dies",
		[]string{"shared/crash", "shared/job", "shared/pause"},
	},
	{
		"producer/warmup", "a warm-up is the plan of a round without a round: its miners go to a stream, until the schedule's turn",
		[]string{"producer/schedule", "shared/job", "shared/jobstream", "shared/pause", "shared/telemetry"},
	},
	{
		"producer/view", "what is shown of rounds is read from the streams, of the limit from its bucket; what is left of one is estimated; a validator's round names the state that it is of. It knows no page",
		[]string{
			"conformance",
			"producer/audit", "producer/estimate", "producer/outcome", "producer/round", "shared/bounded", "shared/broadcast", "shared/doing", "shared/job", "shared/jobstream", "shared/plural",
			"shared/ratelimit", "shared/scoring", "shared/whoami",
		},
	},
	{
		"producer/steering", "what an operator orders is written where producers and limiters follow it, and refused by how rounds stand; replays run to their end",
		[]string{"producer/outcome", "producer/round", "producer/view", "shared/job", "shared/jobstream", "shared/plural", "shared/ratelimit", "shared/telemetry"},
	},
	{"producer/access", "who may do what knows nobody", nil},
	{
		"producer/roundtest", "a round in a test takes what it takes in the product, with a worker, and is shown and steered",
		[]string{
			"producer/access", "producer/outcome", "producer/round", "producer/steering", "producer/view", "shared/doing", "shared/job", "shared/jobstream", "shared/mirror", "shared/must",
			"shared/ratelimit", "shared/scoring", "shared/telemetry", "worker/lease",
		},
	},
	{
		"producer/web", "the API says the same answers, reads what a what-if asks, starts replays and gives orders; its tests' help reads its description",
		[]string{
			"producer/access", "producer/outcome", "producer/round", "producer/steering", "producer/view", "producer/web", "shared/bounded", "shared/job", "shared/jobstream", "shared/listen",
			"shared/problems", "shared/ratelimit", "shared/scoring/whatif", "shared/telemetry",
		},
	},
	{
		"producer/dashboard", "the pages show what the API answers, give the same orders, and say what is wrong in the API's words",
		[]string{
			"producer/access", "producer/audit", "producer/doctor", "producer/estimate", "producer/outcome", "producer/round", "producer/steering", "producer/view",
			"producer/web", "shared/bounded", "shared/broadcast", "shared/doing", "shared/job", "shared/jobstream", "shared/plural", "shared/ratelimit", "shared/scoring", "shared/telemetry",
		},
	},
	{
		"producer/doctor", "it looks at every server and file through the adapters that use them",
		[]string{"shared/certs", "shared/job", "shared/jobstream", "shared/mirror", "shared/pause", "shared/plural", "shared/ratelimit", "shared/secret"},
	},
	{"producer/backup", "streams are copied as they are, and declared where they are put", []string{"shared/job", "shared/jobstream", "shared/pause", "shared/plural"}},
	{
		"producer/preview", "a change is scored by the rules, and parsed by a worker, which it starts as a command does",
		[]string{"shared/command", "shared/gitdiff", "shared/job", "shared/plural", "shared/scoring"},
	},
	{"producer/estimate", "an estimate knows nobody: it is given figures", nil},
	{"producer/export", "rows are made of an outcome, read as it is stored", []string{"producer/outcome", "shared/scoring"}},
	{
		"worker/mirrorgate/gateway", "it lets requests through to the mirror, and says why not",
		[]string{"shared/mirror", "shared/problems", "shared/telemetry"},
	},
	{"worker/mirrorgate", "a command wires its own and what is shared", []string{
		"shared/command", "shared/fleet", "shared/listen", "shared/mirror", "shared/ratelimit", "worker/mirrorgate/gateway",
	}},
	{"worker", "a command wires its own and what is shared, but no simulator; it says that it works", []string{
		"worker/evaluate", "worker/lease", "worker/signs", "worker/tokenscore", "worker/warm", "shared/command", "shared/fleet", "shared/job", "shared/mirror",
		"shared/ratelimit", "shared/scorecache", "shared/scoring", "shared/telemetry",
	}},
	{
		"producer/page", "a page shows data that others have read",
		[]string{
			"producer/audit", "producer/backup", "producer/doctor", "producer/estimate", "producer/outcome", "producer/preview", "producer/round", "producer/view",
			"shared/bounded", "shared/job", "shared/plural", "shared/scoring", "shared/terminal",
		},
	},
	{
		"producer/session", "it opens what a round takes and runs it; it returns what is to be shown, and knows neither page nor terminal",
		[]string{
			"producer/leadership", "producer/miners", "producer/outcome", "producer/round", "producer/schedule", "producer/view", "producer/warmup",
			"shared/command", "shared/crash", "shared/fleet", "shared/health", "shared/job", "shared/jobstream", "shared/local", "shared/mirror", "shared/plural", "shared/ratelimit", "shared/scoring", "shared/secret", "shared/telemetry",
		},
	},
	{"producer", "a command wires its own and what is shared, but no simulator", []string{
		"producer/access", "producer/backup", "producer/dashboard", "producer/doctor", "producer/estimate", "producer/export", "producer/miners",
		"producer/outcome", "producer/page",
		"producer/preview", "producer/round", "producer/schedule", "producer/session", "producer/steering", "producer/view", "producer/warmup",
		"producer/web", "shared/bounded", "shared/certs", "shared/command", "shared/fleet", "shared/gitdiff", "shared/job", "shared/jobstream", "shared/listen", "shared/local",
		"shared/openissues", "shared/plural", "shared/ratelimit", "shared/scoring", "shared/secret", "shared/signing", "shared/terminal",
	}},
}

// arrowOf is the most specific arrow that a package falls under.
func arrowOf(pkg string) (arrow, bool) {
	best, found := arrow{}, false
	for _, a := range arrows {
		if under(pkg, a.from) && len(a.from) >= len(best.from) {
			best, found = a, true
		}
	}
	return best, found
}

func under(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.isTest {
			continue // a test wires what it needs
		}
		a, found := arrowOf(s.pkg)
		if !found {
			t.Errorf("%s: no arrow for its package; say in the table whom it may import, and why", s.path)
			continue
		}
		for i, imported := range s.imports {
			target, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.ContainsFunc(a.to, func(to string) bool { return under(target, to) }) {
				t.Errorf("%s:%d imports %s: %s may import only %v (%s)", s.path, s.lines[i], imported, a.from, a.to, a.why)
			}
		}
	}
}

// pure lists the packages and files that decide: they are given time and data.
var pure = []string{
	"shared/scoring", "shared/job", "shared/ratelimit/windows", "shared/ratelimit/bucket",
	"producer/round/plan.go", "producer/round/progress.go", "producer/audit", "producer/outcome/compare.go",
	"producer/round/settings.go", "producer/round/expire.go", "producer/schedule/schedule.go", "producer/estimate",
	"producer/miners/decide.go", "producer/miners/tokens.go", "producer/miners/metagraph.go",
}

func TestDecisionsKnowNoNetworkDiskOrClock(t *testing.T) {
	t.Parallel()
	forbidden := []string{"net", "net/http", "os", "os/exec", "io/ioutil", "path/filepath", "syscall", "math/rand", "math/rand/v2", "crypto/rand"}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		i := slices.IndexFunc(pure, func(p string) bool { return s.path == p || under(s.pkg, p) })
		if s.isTest || i < 0 {
			continue
		}
		seen[pure[i]] = true
		for i, imported := range s.imports {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s:%d imports %s: what decides takes time and data as arguments", s.path, s.lines[i], imported)
			}
		}
		for _, name := range calls(s.file, "time") {
			if name == "Now" || name == "Since" || name == "Until" || name == "After" || name == "NewTimer" || name == "Sleep" {
				t.Errorf("%s calls time.%s: what decides takes the time as an argument", s.path, name)
			}
		}
	}
	for _, p := range pure {
		if !seen[p] {
			t.Errorf("%s has no file: the table is out of date", p)
		}
	}
}

func TestNobodySleepsToWait(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if slices.Contains(calls(s.file, "time"), "Sleep") {
			t.Errorf("%s calls time.Sleep: wait for a signal or a context", s.path)
		}
	}
}

func TestEveryPackageSaysWhatItPromises(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if !s.isTest {
			documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// calls lists the functions of a package that a file names.
func calls(file *ast.File, pkg string) []string {
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == pkg {
				names = append(names, sel.Sel.Name)
			}
		}
		return true
	})
	return names
}
