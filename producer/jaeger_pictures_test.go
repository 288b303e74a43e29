package main_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// pictures looks at Jaeger's pages in a browser, and writes the documentation's pictures:
// the search for miner 57, and its result.
func (s *shown) pictures(t *testing.T) {
	t.Helper()
	dir := os.Getenv("MIRRORFLEET_PICTURES")
	if dir == "" {
		return
	}
	tags := must.Get(json.Marshal(map[string]string{"miner.uid": "57"}))(t)
	now := time.Now()
	query := url.Values{
		"service": {"producer"}, "tags": {string(tags)}, "limit": {"20"}, "lookback": {"1h"},
		"start": {strconv.FormatInt(now.Add(-time.Hour).UnixMicro(), 10)}, "end": {strconv.FormatInt(now.UnixMicro(), 10)},
	}
	dead := s.before.collector.find("job", "miner.uid=57")[0].trace
	whole := s.before.collector.find("round")[0].trace
	retried := s.before.collector.find("job", "miner.uid=2")[0].trace
	browse(t, s.pages+"/search?"+query.Encode(), filepath.Join(dir, "jaeger-search.png"), "1280,760", "2 Traces", dead[:7], whole[:7])
	browse(t, s.pages+"/trace/"+dead, filepath.Join(dir, "jaeger-dead.png"), "1280,590", "process miner.job", "POST /api/v1/miners/{github_id}/pulls")
	browse(t, s.pages+"/trace/"+retried, filepath.Join(dir, "jaeger-retried.png"), "1280,1340", "process miner.job", "token score", "score file")
}

// browse takes a picture of a loaded page, which must have the texts.
func browse(t *testing.T, address, picture, size string, texts ...string) {
	t.Helper()
	browser := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
		"--virtual-time-budget=20000", "--window-size=" + size,
	}
	page, err := exec.CommandContext(t.Context(), "chromium", append(browser, "--dump-dom", address)...).Output()
	if err != nil {
		t.Fatalf("chromium (apt-get install chromium): %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(string(page), text) {
			t.Errorf("%s does not show %q", address, text)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "chromium", append(browser, "--screenshot="+picture, address)...).CombinedOutput(); err != nil {
		t.Errorf("chromium: %v\n%s", err, out)
	}
}
