package outcome_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
)

// Failures of one cause are one group whatever they are about; those of two causes are two.
// The texts are those of the mirror's client, the workers and the producer.
func TestFailuresOfOneCauseAreOneGroup(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][]string{
		"listing the pull requests of miner {n}: mirror POST /miners/{github_id}/pulls: status 500 (tries: {n})": {
			"listing the pull requests of miner 8: mirror POST /api/v1/miners/1008/pulls: status 500 (tries: 3)",
			"listing the pull requests of miner 57: mirror POST /api/v1/miners/73606743/pulls: status 500 (tries: 1)",
		},
		"listing the pull requests of miner {n}: mirror POST /miners/{github_id}/pulls: status 404: no miner {n}": {
			"listing the pull requests of miner 8: mirror POST /api/v1/miners/1008/pulls: status 404: no miner 1008",
			"listing the pull requests of miner 9: mirror POST /api/v1/miners/1009/pulls: status 404: no miner 1009",
		},
		"lacks files {owner}/{repo}#{number}: mirror GET /pulls/{owner}/{repo}/{number}/files: status 503 (tries: {n})": {
			"lacks files acme/widgets#14: mirror GET /api/v1/pulls/acme/widgets/14/files: status 503 (tries: 3)",
			"lacks files a/b.c#1: mirror GET /api/v1/pulls/a/b.c/1/files: status 503 (tries: 3); files d/e#2: mirror GET /api/v1/pulls/d/e/2/files: status 503 (tries: 3)",
		},
		"mirror GET /repos/{owner}/{repo}/maintainers: dial tcp {address}: connect: connection refused (tries: {n})": {
			"mirror GET /api/v1/repos/a/b/maintainers: dial tcp 10.1.2.3:443: connect: connection refused (tries: 3)",
			"mirror GET /api/v1/repos/c/d/maintainers: dial tcp 10.1.2.4:8443: connect: connection refused (tries: 2)",
		},
		"it was running when the round was overdue, at {time}; before that: the breaker is open for {duration}": {
			"it was running when the round was overdue, at 2026-06-01T00:00:00Z; before that: the breaker is open for 1m30s",
			"it was running when the round was overdue, at 2026-06-02T02:30:00+02:00; before that: the breaker is open for 2.5s",
		},
		"{n} deliveries are used up and none was settled: the processes that took it died": {
			"20 deliveries are used up and none was settled: the processes that took it died",
			"5 deliveries are used up and none was settled: the processes that took it died",
		},
		"its evaluation cannot be read: EVALUATIONS {n}: digest {n}": {
			"its evaluation cannot be read: EVALUATIONS r1: digest 4bf92f3577b34da6a3ce929d0e0e4736",
			"its evaluation cannot be read: EVALUATIONS r2: digest 00f067aa0ba902b7a3ce929d0e0e4736",
		},
		"forged red line": {"forged\x1b red\u202e\n line", "forged\r\nred\tline"},
		"":                {"", " \x00 "},
	} {
		var list []outcome.Failed
		for i, text := range texts {
			list = append(list, outcome.Failed{UID: i, Class: job.Transient, Error: text})
		}
		groups := outcome.Groups(list)
		var got []string
		for _, g := range groups {
			got = append(got, g.Text)
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	apart := []outcome.Failed{
		{UID: 1, Class: job.Transient, Error: "mirror POST /api/v1/miners/1/pulls: status 500 (tries: 3)"},
		{UID: 2, Class: job.Transient, Error: "mirror POST /api/v1/miners/2/pulls: status 502 (tries: 3)"},
		{UID: 3, Class: job.Transient, Error: "mirror POST /api/v1/miners/3/issues: status 500 (tries: 3)"},
		{UID: 4, Class: job.Permanent, Error: "mirror POST /api/v1/miners/4/pulls: status 500 (tries: 3)"},
	}
	if got := outcome.Groups(apart); len(got) != 4 {
		t.Errorf("%d groups of another status, route or class: %+v, want 4", len(got), got)
	}
}

// A group keeps its key, whichever failures come and go, and a key finds its group alone.
func TestAGroupKeepsItsKey(t *testing.T) {
	t.Parallel()
	var all []outcome.Failed
	for uid := range 190 {
		all = append(all, outcome.Failed{UID: uid, Class: job.Transient, Error: strings.Repeat("x", uid+1)})
	}
	keys := map[int]string{}
	for _, g := range outcome.Groups(all) {
		keys[g.UIDs[0]] = g.Key
	}
	for _, some := range [][]outcome.Failed{all, all[100:], all[:100], {all[7]}} {
		f := outcome.Failures{Ended: some}
		for _, one := range []outcome.Failed{some[0], some[len(some)-1]} {
			list, g, err := f.Like(keys[one.UID])
			if err != nil || !slices.Equal(g.UIDs, []int{one.UID}) || len(list) != 1 || list[0].UID != one.UID {
				t.Errorf("miner %d: %+v %v, want its group", one.UID, g, err)
			}
		}
	}
	f := outcome.Failures{Ended: all[:2]}
	for _, key := range []string{"", keys[0][:3], "none", keys[9], "\x1b[31m"} {
		if _, _, err := f.Like(key); !errors.Is(err, outcome.ErrSelection) || !strings.Contains(err.Error(), keys[0][:4]) || !strings.Contains(err.Error(), keys[1][:4]) {
			t.Errorf("key %q: %v, want it refused with the groups", key, err)
		}
	}
	if _, _, err := (outcome.Failures{}).Like("abcd"); err == nil || !strings.Contains(err.Error(), "lacks anything") {
		t.Errorf("no failures: %v, want that said", err)
	}
}

// However many failures there are and whatever they say, there are no more groups than
// failures, each miner is in one, and what is shown is short and prints.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	var list []outcome.Failed
	for uid := range 256 {
		text := strings.Repeat(string(rune('a'+uid%26)), uid) + "\x1b[2J\u202e" + strings.Repeat("\xff\x00z ", 1<<uint(uid%14))
		list = append(list, outcome.Failed{UID: 255 - uid, Class: job.Class(fmt.Sprint("class", uid%7)), Error: text})
	}
	groups := outcome.Groups(list)
	var uids []int
	keys := map[string]bool{}
	for i, g := range groups {
		uids = append(uids, g.UIDs...)
		keys[g.Key] = true
		if !slices.IsSorted(g.UIDs) || utf8.RuneCountInString(g.Text) > 200 || !utf8.ValidString(g.Text) ||
			strings.ContainsFunc(g.Text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("group %+v, want a short text that prints, and its miners in order", g)
		}
		if i > 0 && len(groups[i-1].UIDs) < len(g.UIDs) {
			t.Errorf("a group of %d comes before one of %d", len(groups[i-1].UIDs), len(g.UIDs))
		}
	}
	slices.Sort(uids)
	if len(groups) > len(list) || len(keys) != len(groups) || len(uids) != len(list) || len(slices.Compact(uids)) != len(list) {
		t.Errorf("%d groups with %d keys of %d miners, want each of the %d in one", len(groups), len(keys), len(uids), len(list))
	}
	slices.Reverse(list)
	if diff := cmp.Diff(groups, outcome.Groups(list), cmp.AllowUnexported(outcome.Group{})); diff != "" {
		t.Errorf("in another order the groups differ:\n%s", diff)
	}
	if got := outcome.Groups(nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing: %v, want an empty list", got)
	}
}
