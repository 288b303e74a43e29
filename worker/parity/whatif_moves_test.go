package parity_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/whatif"
)

// pullMoves are what may be moved of a pull request.
func pullMoves(item whatif.Item, pr *scoring.PullRequest, asOf time.Time) []moved {
	at := asOf.Add(-time.Hour)
	change := func(kind whatif.Kind) whatif.Change { return whatif.Change{Kind: kind, Item: item} }
	both := func(c whatif.Change, edit func(object)) moved {
		return moved{change: c, pull: onPull(item, edit), issue: onSolver(item, edit)}
	}
	labelled := change(whatif.Label)
	labelled.Label = "Bug"
	moves := []moved{
		both(labelled, func(o object) {
			for _, l := range o.list("labels") {
				if name, _ := l["name"].(string); strings.EqualFold(name, "bug") {
					l["actor_association"], l["actor_github_id"] = "MEMBER", nil
					return
				}
			}
			list, _ := o["labels"].([]any)
			o["labels"] = append(list, map[string]any{"name": "Bug", "actor_association": "MEMBER", "actor_github_id": nil})
		}),
		{change: change(whatif.Approve), pull: onPull(item, func(o object) {
			review, _ := o["review_summary"].(map[string]any)
			if review == nil {
				review = map[string]any{}
				o["review_summary"] = review
			}
			review["approved_count"] = pr.ApprovedCount + 1
		})},
	}
	for _, l := range pr.Labels[:min(1, len(pr.Labels))] {
		c := change(whatif.Unlabel)
		c.Label = l.Name
		moves = append(moves, both(c, func(o object) { without(o, "labels", "name", l.Name) }))
	}
	for _, l := range pr.LinkedIssues[:min(1, len(pr.LinkedIssues))] {
		c := change(whatif.Unlink)
		c.Issue = l.Number
		moves = append(moves, moved{change: c, pull: onPull(item, func(o object) { without(o, "linked_issues", "number", l.Number) })})
	}
	for _, by := range []whatif.NewIssue{whatif.ByMaintainer, whatif.ByOther} {
		c := change(whatif.Link)
		c.New = by
		moves = append(moves, moved{change: c, pull: onPull(item, func(o object) { closesNew(o, by) })})
	}
	switch pr.State {
	case scoring.Open, scoring.Closed:
		if pr.State == scoring.Open {
			c := change(whatif.Close)
			c.At = at
			moves = append(moves, moved{change: c, pull: onPull(item, func(o object) { o["state"], o["closed_at"] = "CLOSED", stamp(at) })})
		}
		c := change(whatif.Merge)
		c.At = at
		moves = append(moves, moved{change: c, pull: mergedPull(item, pr, at), issue: mergedIssue(item, pr, at)})
	case scoring.Merged:
		c := change(whatif.Date)
		c.Field, c.At = whatif.MergedAt, at
		moves = append(moves, both(c, func(o object) { o["merged_at"] = stamp(at) }))
	}
	return moves
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

func without(o object, list, key string, value any) {
	kept := []any{}
	for _, entry := range o.list(list) {
		if !strings.EqualFold(fmt.Sprint(entry[key]), fmt.Sprint(value)) {
			kept = append(kept, map[string]any(entry))
		}
	}
	o[list] = kept
}

// closesNew has a pull request close an issue that nobody has filed.
func closesNew(o object, by whatif.NewIssue) {
	issue := map[string]any{"number": 0, "state": "OPEN", "author_github_id": "0", "author_association": "NONE", "created_at": o["created_at"]}
	if by == whatif.ByMaintainer {
		issue["author_association"] = "MEMBER"
	}
	if o["state"] == "MERGED" {
		issue["state"], issue["state_reason"] = "CLOSED", "COMPLETED"
		issue["closed_at"], issue["solved_by_pr"] = o["merged_at"], o["pr_number"]
	}
	list, _ := o["linked_issues"].([]any)
	o["linked_issues"] = append(list, issue)
}

// closes are the numbers of the open issues that a pull request closes when it is merged.
func closes(pr *scoring.PullRequest) []int {
	var numbers []int
	for _, l := range pr.LinkedIssues {
		if l.State == scoring.Open && l.Number > 0 {
			numbers = append(numbers, l.Number)
		}
	}
	return numbers
}

// mergedPull is the mirror after a merge, in its lists of pull requests.
func mergedPull(item whatif.Item, pr *scoring.PullRequest, at time.Time) func(object) {
	return func(o object) {
		if o.is("pr_number", item) {
			o["state"], o["merged_by_login"] = "MERGED", nil
			o["merged_at"], o["closed_at"] = stamp(at), stamp(at)
			for _, l := range o.list("linked_issues") {
				if l["state"] == "OPEN" {
					solvedBy(l, pr.Number, at)
				}
			}
		}
		if name, _ := o["repo_full_name"].(string); !strings.EqualFold(name, item.Repository) {
			return
		}
		for _, l := range o.list("linked_issues") {
			if slices.ContainsFunc(closes(pr), func(n int) bool { return fmt.Sprint(l["number"]) == fmt.Sprint(n) }) {
				solvedBy(l, pr.Number, at)
			}
		}
	}
}

func solvedBy(o object, number int, at time.Time) {
	o["state"], o["state_reason"] = "CLOSED", "COMPLETED"
	o["closed_at"], o["solved_by_pr"] = stamp(at), number
}

// mergedIssue is the mirror after a merge, in its lists of issues.
func mergedIssue(item whatif.Item, pr *scoring.PullRequest, at time.Time) func(object) {
	solver := onSolver(item, func(o object) { o["state"], o["merged_at"] = "MERGED", stamp(at) })
	return func(o object) {
		solver(o)
		for _, number := range closes(pr) {
			if !o.is("issue_number", whatif.Item{Repository: item.Repository, Number: number}) {
				continue
			}
			solvedBy(o, pr.Number, at)
			labels := []any{}
			for _, l := range pr.Labels {
				labels = append(labels, map[string]any{"name": l.Name, "actor_github_id": l.ActorID, "actor_association": l.ActorAssociation})
			}
			solving := map[string]any{
				"pr_number": pr.Number, "author_github_id": pr.AuthorID, "state": "MERGED", "merged_at": stamp(at),
				"edited_after_merge": pr.EditedAfterMerge, "head_ref": pr.HeadRef, "head_repo_full_name": pr.HeadRepository,
				"default_branch": pr.DefaultBranch, "head_sha": pr.HeadSHA, "base_sha": pr.BaseSHA, "merge_base_sha": pr.MergeBaseSHA,
				"labels": labels, "review_summary": map[string]any{"maintainer_changes_requested_count": pr.MaintainerChangesRequestedCount},
			}
			if pr.BaseRef != "" {
				solving["base_ref"] = pr.BaseRef
			}
			o["solving_pr"] = solving
		}
	}
}

// issueMoves are what may be moved of an issue. What cannot be is refused.
func issueMoves(item whatif.Item, asOf time.Time) []moved {
	var moves []moved
	move := func(c whatif.Change, link bool, edit func(object)) {
		c.Item = item
		m := moved{change: c, issue: func(o object) {
			if o.is("issue_number", item) {
				edit(o)
			}
		}}
		moves = append(moves, m)
		if !link {
			return
		}
		moves[len(moves)-1].linked = func(o object) {
			name, _ := o["repo_full_name"].(string)
			for _, l := range o.list("linked_issues") {
				if strings.EqualFold(name, item.Repository) && fmt.Sprint(l["number"]) == fmt.Sprint(item.Number) {
					edit(l)
				}
			}
		}
	}
	at := asOf.Add(-time.Hour)
	move(whatif.Change{Kind: whatif.Close, At: at}, true, func(o object) {
		o["state"], o["state_reason"] = "CLOSED", "NOT_PLANNED"
		o["closed_at"] = stamp(at)
	})
	for _, field := range []whatif.Field{whatif.CreatedAt, whatif.ClosedAt, whatif.LastEditedAt} {
		at := at.Add(-time.Hour)
		move(whatif.Change{Kind: whatif.Date, Field: field, At: at}, field != whatif.LastEditedAt, func(o object) { o[string(field)] = stamp(at) })
	}
	return moves
}

// registryMoves are registries with one setting moved in every repository, by the setting.
func registryMoves(w *world, i int) map[string]json.RawMessage {
	_, registry := inForce(w, i)
	moves := map[string]json.RawMessage{}
	for setting, value := range map[string]any{
		"issue_discovery_share": 0.35, "maintainer_cut": 0.25, "additional_acceptable_branches": []string{"*"}, "trusted_label_pipeline": true,
		"label_multipliers": map[string]any{"b*": 1.7, "*": 0.9}, "default_label_multiplier": 1.1, "fixed_base_score": 12.5,
		"scoring.open_pr_collateral_percent": 0.37, "scoring.review_penalty_rate": 0.4, "scoring.standard_issue_multiplier": 1.5,
		"scoring.maintainer_issue_multiplier": 2.5, "scoring.src_tok_saturation_scale": 90, "eligibility.min_valid_merged_prs": 1,
		"eligibility.min_credibility": 0.1, "eligibility.excessive_pr_penalty_base_threshold": 9, "eligibility.min_token_score_for_valid_issue": 1,
		"eligibility.min_valid_solved_issues": 0, "eligibility.open_issue_spam_base_threshold": 0, "scoring.pr_lookback_days": 3, "gone": nil,
	} {
		entries := decoded(registry).(map[string]any)
		for n, name := range slices.Sorted(maps.Keys(entries)) {
			entry, ok := entries[name].(map[string]any)
			group, key, nested := strings.Cut(setting, ".")
			switch {
			case setting == "gone" && n == 0:
				delete(entries, name)
			case !ok || setting == "gone":
			case nested:
				inner, _ := entry[group].(map[string]any)
				if inner == nil {
					inner = map[string]any{}
				}
				inner[key] = value
				entry[group] = inner
			default:
				entry[setting] = value
			}
		}
		moves[setting] = json.RawMessage(written(entries))
	}
	return moves
}

// compareRegistry compares a round by another registry. The mirror is not asked for what is
// not in it.
func compareRegistry(t *testing.T, s scorer, w *world, i int, r concluded, setting string, data json.RawMessage, c *counts) {
	t.Helper()
	registry := must.Get(input.ParseRegistry(data))(t)
	got, err := whatif.Conclude(r.input, nil, &registry)
	if c.add("registry", err); err != nil {
		return
	}
	mirror, former := inForce(w, i)
	before := must.Get(input.ParseRegistry(former))(t)
	gone := func(o object) bool {
		name, _ := o["repo_full_name"].(string)
		_, was := before.Repository(name)
		_, is := registry.Repository(name)
		return was && !is
	}
	for _, lists := range []*map[string][]json.RawMessage{&mirror.Pulls, &mirror.Issues, &mirror.OpenIssues} {
		kept := map[string][]json.RawMessage{}
		for id, list := range *lists {
			kept[id] = slices.DeleteFunc(slices.Clone(list), func(raw json.RawMessage) bool {
				item, isObject := decoded(raw).(map[string]any)
				return isObject && gone(item)
			})
		}
		*lists = kept
	}
	compareWorlds(t, s, changedCase(w, i, mirror, data), i, r, setting, got)
}
