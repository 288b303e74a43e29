package miners_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/miners"
)

// exporter is the script that a validator exports its metagraph with.
const exporter = "../../deploy/validator/mirrorfleet_metagraph.py"

// chains stand in for the bittensor package, each as one of its versions is
// called: no chain can be reached from here.
var chains = map[string]string{
	"bittensor 10": `
class Subtensor:
    def __init__(self, network): self.network = network
    def __enter__(self): return self
    def __exit__(self, *why): pass
    def metagraph(self, netuid): return Graph(self.network, netuid)
`,
	"bittensor 11": `
class Subtensor:
    def __init__(self, network): self.subnets = Subnets(network)
    def __enter__(self): return self
    def __exit__(self, *why): pass
class Subnets:
    def __init__(self, network): self.network = network
    def metagraph(self, netuid): return Graph(self.network, netuid)
`,
}

const graph = `
class Graph:
    def __init__(self, network, netuid):
        if netuid == 404: raise RuntimeError("no such subnet")
        self.hotkeys = [] if netuid == 0 else ["%s-%d-%d" % (network, netuid, uid) for uid in range(3)]
`

// What the script writes is read, with its instant; what it cannot read leaves
// the file as it was.
func TestTheMetagraphsScript(t *testing.T) {
	t.Parallel()
	if _, err := os.ReadFile(exporter); err != nil { // so that go test knows when it has changed
		t.Fatal(err)
	}
	for version, chain := range chains {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out := filepath.Join(dir, "metagraph.json")
			if err := os.WriteFile(filepath.Join(dir, "bittensor.py"), []byte(chain+graph), 0o600); err != nil {
				t.Fatal(err)
			}
			export := func(netuid string) (string, error) {
				cmd := exec.CommandContext(t.Context(), "python3", exporter, "--network", "test", "--netuid", netuid, "--out", out)
				cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
				said, err := cmd.CombinedOutput()
				return string(said), err
			}
			begun := time.Now()
			if said, err := export("74"); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			first, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			got, err := miners.ParseMetagraph(first)
			want := map[int]string{0: "test-74-0", 1: "test-74-1", 2: "test-74-2"}
			if diff := cmp.Diff(want, got.Hotkeys); err != nil || diff != "" {
				t.Errorf("%v in %s (-want +got):\n%s", err, first, diff)
			}
			if got.At.Before(begun.Truncate(time.Microsecond)) || got.At.After(time.Now()) {
				t.Errorf("exported at %s, want between %s and now", got.At, begun)
			}
			for netuid, why := range map[string]string{"404": "no such subnet", "0": "no uid"} {
				if said, err := export(netuid); err == nil || !strings.Contains(said, why) {
					t.Errorf("subnet %s: %v, %q; want a failure that says %q", netuid, err, said, why)
				}
			}
			entries, _ := os.ReadDir(dir)
			if after, err := os.ReadFile(out); err != nil || string(after) != string(first) || len(entries) != 2 {
				t.Errorf("after the failures: error %v, %s, %d files; want the first export and nothing beside it", err, after, len(entries))
			}
		})
	}
}
