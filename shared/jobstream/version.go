package jobstream

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// OldestServer is the oldest nats-server that the product works with. Older servers
// confirmed the removal of a server from a cluster without a majority, and counted removed
// servers towards a majority. A removal during a partition could therefore lose confirmed
// writes, even if each write was synced (nats-server's issue 7545, fixed by its pull
// requests 7581, 7600 and 7602).
const OldestServer = "2.12.3"

// OldestForBackups is the oldest nats-server whose streams can be backed up and restored.
const OldestForBackups = "2.15.0"

// VersionError is a server that is too old.
type VersionError struct {
	// Server is its address, without credentials.
	Server     string
	Have, Want string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the NATS server at %s is nats-server %s, want %s or later: earlier ones can lose confirmed writes "+
		"when a server is removed from a cluster: install a later one", e.Server, e.Have, e.Want)
}

// checkVersion refuses a connected server that is too old.
func checkVersion(nc *nats.Conn) error {
	if have := nc.ConnectedServerVersion(); Older(have, OldestServer) {
		return &VersionError{Server: Redact(nc.ConnectedUrl()), Have: have, Want: OldestServer}
	}
	return nil
}

// Older says whether a version such as 2.12.3 or 2.14.0-RC.1 is older than another. A
// pre-release is older than its release. A text that is no version, such as that of a server
// built by hand, is not older.
func Older(version, than string) bool {
	have, prepared, ok := parseVersion(version)
	want, _, known := parseVersion(than)
	if !ok || !known {
		return false
	}
	for i := range have {
		if have[i] != want[i] {
			return have[i] < want[i]
		}
	}
	return prepared
}

// parseVersion reads the three numbers of a version. prepared says that a suffix such as
// -beta.1 makes it a pre-release.
func parseVersion(text string) (numbers [3]int, prepared, ok bool) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "+") // which build of it
	text, _, prepared = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != len(numbers) {
		return numbers, false, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return numbers, false, false
		}
		numbers[i] = n
	}
	return numbers, prepared, true
}
