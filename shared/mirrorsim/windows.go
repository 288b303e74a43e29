package mirrorsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxWindows is the maximum number of repositories of one windowed request:
// docs/rules/scoring.md#loading.
const maxWindows = 200

// defaultWindow is the window of a pulls request that names none.
const defaultWindow = 35 * 24 * time.Hour

var repoName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// lookback has the instants from which the items of repositories count.
type lookback struct {
	byRepo map[string]time.Time // lower-cased; nil: all holds for every repository
	all    time.Time
}

// allows says whether an item is in its repository's window; the window's first instant is
// in it.
func (w lookback) allows(it item) bool {
	since := w.all
	if w.byRepo != nil {
		var listed bool
		if since, listed = w.byRepo[it.repo]; !listed {
			return false
		}
	}
	return !it.instant.Before(since)
}

// String identifies the windows: the same ones give the same text.
func (w lookback) String() string {
	var text strings.Builder
	for _, repo := range slices.Sorted(maps.Keys(w.byRepo)) {
		fmt.Fprintf(&text, "%s=%d,", repo, w.byRepo[repo].UnixNano())
	}
	return fmt.Sprintf("%s%d", text.String(), w.all.UnixNano())
}

// parseWindows reads the body of a windowed request; its errors are the
// mirror's 400.
func parseWindows(body []byte) (lookback, error) {
	var request struct {
		SinceByRepo map[string]any `json:"since_by_repo"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return lookback{}, fmt.Errorf("body is not {\"since_by_repo\": {\"owner/repo\": date}}: %w", err)
	}
	if n := len(request.SinceByRepo); n == 0 || n > maxWindows {
		return lookback{}, fmt.Errorf("since_by_repo has %d repositories, must have 1 to %d", n, maxWindows)
	}
	since := make(map[string]time.Time, len(request.SinceByRepo))
	for _, repo := range slices.Sorted(maps.Keys(request.SinceByRepo)) {
		at, err := parseDate(request.SinceByRepo[repo])
		if err != nil {
			return lookback{}, fmt.Errorf("since_by_repo[%q]: %w", repo, err)
		}
		key := strings.ToLower(repo)
		if !repoName.MatchString(repo) {
			return lookback{}, fmt.Errorf("since_by_repo[%q]: key must be owner/repo", repo)
		}
		if _, twice := since[key]; twice {
			return lookback{}, fmt.Errorf("since_by_repo[%q]: key appears twice, without regard to case", repo)
		}
		since[key] = at
	}
	return lookback{byRepo: since}, nil
}

// parseDate reads a date or an instant as clients write them.
func parseDate(value any) (time.Time, error) {
	text, isText := value.(string)
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); isText && err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%v is not a date", value)
}
