package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Addresses are where the servers of a state directory listen, for a second
// command that looks at a round while it runs. The URLs hold the password: they are not to be
// shown or logged.
type Addresses struct {
	PID   int    `json:"pid"`
	NATS  string `json:"nats"`
	Redis string `json:"redis"`
}

// ErrNotRunning says that no process has servers on the state directory.
var ErrNotRunning = errors.New("local: no local round is running there")

const addressFile = "servers.json"

// Find reads where the servers of a running process listen, and their password, which
// the directory's owner alone can read. It does not touch the
// directory's lock: that would stop a round that starts at this moment.
func Find(dir string) (Addresses, error) {
	path := filepath.Join(dir, addressFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Addresses{}, fmt.Errorf("finding the servers of state directory %s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return Addresses{}, fmt.Errorf("state directory %s: %w", dir, err)
	}
	var found Addresses
	if err := json.Unmarshal(data, &found); err != nil || found.PID <= 0 {
		return Addresses{}, fmt.Errorf("state directory %s: %s is no list of addresses: remove it", dir, path)
	}
	// A process that was killed has left its file behind.
	if err := unix.Kill(found.PID, 0); errors.Is(err, unix.ESRCH) {
		return Addresses{}, fmt.Errorf("finding the servers of state directory %s: %w", dir, ErrNotRunning)
	}
	return found, nil
}

// tell writes where the servers listen, whole or not at all.
func (s *Servers) tell(dir string) error {
	data, err := json.Marshal(Addresses{PID: os.Getpid(), NATS: s.NATSURL(), Redis: s.RedisURL()})
	if err != nil {
		return fmt.Errorf("telling the servers' addresses: %w", err)
	}
	path := filepath.Join(dir, addressFile)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("telling the servers' addresses: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("telling the servers' addresses: %w", err)
	}
	s.told = path
	return nil
}

// untell removes what tell wrote.
func (s *Servers) untell() error {
	if s.told == "" {
		return nil
	}
	if err := os.Remove(s.told); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the servers' addresses: %w", err)
	}
	return nil
}
