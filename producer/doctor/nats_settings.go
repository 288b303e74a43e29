package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Settings are what a server's monitoring tells of its JetStream.
type Settings struct {
	JetStream struct {
		Config struct {
			MaxStorage   int64         `json:"max_storage"`
			SyncInterval time.Duration `json:"sync_interval"`
			SyncAlways   bool          `json:"sync_always"`
		} `json:"config"`
		Stats struct {
			Store int64 `json:"storage"`
		} `json:"stats"`
	} `json:"jetstream"`
}

func (n NATS) settings(ctx context.Context) []Finding {
	settings, err := readSettings(ctx, n.Monitor)
	if err != nil {
		return []Finding{warn(NATSMonitor, "the server's settings cannot be read: %v", err)}
	}
	return unless(JudgeSettings(settings, n.Streams.Replicas),
		"writes are on the disk when they are confirmed, or are kept in copies; %s of %s of files are used",
		size(settings.JetStream.Stats.Store), size(settings.JetStream.Config.MaxStorage))
}

// JudgeSettings says what is wrong with a server's settings for so many copies.
func JudgeSettings(s Settings, replicas int) []Finding {
	found := fullness("the server's file storage", s.JetStream.Stats.Store, s.JetStream.Config.MaxStorage)
	if c := s.JetStream.Config; !c.SyncAlways && replicas <= 1 {
		found = append(found, warn(NATSSync, "with one copy a power cut loses what was confirmed in the last %s (sync_interval)", c.SyncInterval))
	}
	return found
}

func readSettings(ctx context.Context, monitor string) (Settings, error) {
	var s Settings
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(monitor, "/")+"/varz", nil)
	if err != nil {
		return s, errors.New("--nats-monitor is no URL") // the error would repeat what may hold a password
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: connectFor}
	response, err := client.Do(request)
	if err != nil {
		return s, fmt.Errorf("asking the server: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s, fmt.Errorf("asking the server: status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&s); err != nil {
		return s, fmt.Errorf("reading the server's answer: %w", err)
	}
	return s, nil
}
