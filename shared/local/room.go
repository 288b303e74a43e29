package local

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// enough is the room that NATS starts with. A start writes the state of each
// stream anew, and a round that begins with less is soon stopped again.
const enough = 16 << 20

// FullError says that too little room is left for a directory.
type FullError struct {
	Dir string
	// Room is the free space of the disk, and Want the space that is needed, in bytes.
	Room, Want uint64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("the disk of %s is full: %.1f MB are left, want %.1f MB", e.Dir, megabytes(e.Room), megabytes(e.Want))
}

func megabytes(n uint64) float64 { return float64(n) / (1 << 20) }

// checkRoom returns a *FullError if the disk of dir has not enough room.
func checkRoom(dir string) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("looking for room in %s: %w", dir, err)
	}
	room := disk.Bavail * uint64(disk.Bsize)
	if disk.Files > 0 && disk.Ffree == 0 {
		room = 0 // no file can be made, whatever its size
	}
	if disk.Blocks > 0 && room < enough { // some file systems do not tell
		return &FullError{Dir: dir, Room: room, Want: enough}
	}
	return nil
}
