package redistest

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/nettest"
)

// slots is how many hash slots a cluster has.
const slots = 16384

// StartCluster starts three nodes with a third of the slots each, and waits until
// each of them sees the cluster whole.
func StartCluster(tb testing.TB) []*Server {
	tb.Helper()
	nodes := make([]*Server, 3)
	buses := make([]int, len(nodes))
	for i := range nodes {
		buses[i] = nettest.FreePort(tb) // the usual one, 10000 above, may not exist
		nodes[i] = Start(tb, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(buses[i]))
	}
	for i, node := range nodes {
		rdb := node.Client(tb)
		ctx := tb.Context()
		commands := [][]any{
			{"CLUSTER", "SET-CONFIG-EPOCH", i + 1},
			{"CLUSTER", "ADDSLOTSRANGE", i * slots / len(nodes), (i+1)*slots/len(nodes) - 1},
		}
		if i > 0 {
			commands = append(commands, []any{"CLUSTER", "MEET", "127.0.0.1", nodes[0].port, buses[0]})
		}
		for _, command := range commands {
			if err := rdb.Do(ctx, command...).Err(); err != nil {
				tb.Fatalf("%v: %v", command, err)
			}
		}
	}
	for _, node := range nodes {
		rdb := node.Client(tb)
		await(tb, "a cluster of three", func(ctx context.Context) bool {
			info := rdb.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return nodes
}
