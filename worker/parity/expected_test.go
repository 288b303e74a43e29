package parity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"mirrorfleet/shared/scoring"
)

// shaped brings an outcome into the form of what is expected: lists that the
// cases keep as objects become objects.
func shaped(out scoring.Outcome) map[string]any {
	rewards, miners := map[string]any{}, map[string]any{}
	for _, r := range out.Rewards {
		rewards[strconv.Itoa(r.UID)] = r.Reward
	}
	for _, m := range out.Miners {
		miner := generic(m).(map[string]any)
		repositories := map[string]any{}
		for _, r := range m.Repositories {
			repositories[r.Repository] = generic(r)
		}
		miner["repositories"] = repositories
		miners[strconv.Itoa(m.UID)] = miner
	}
	return map[string]any{
		"from_stored": generic(out.FromStored), "shared_account": generic(out.SharedAccount),
		"maintainers": generic(out.Maintainers), "rewards": generic(rewards),
		"emission": generic(out.Emission), "miners": generic(miners),
	}
}

// generic is a value as a program sees it in JSON, its numbers as written.
func generic(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only in a test, and only for what cannot be JSON
	}
	return decoded(data)
}

func decoded(data []byte) any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// comparison collects how an outcome differs from what is expected.
type comparison struct {
	wrong  []string
	values int // compared
}

// keyed are the objects whose keys are data: they must be the same on both
// sides. Of other objects the outcome may say more.
var keyed = []string{
	"maintainers", "rewards", "miners", "repositories", "maintainer_rewards",
	"pr_scores", "issue_discovery_scores", "pr_rewards", "issue_discovery_rewards",
}

func (c *comparison) compare(path, key string, got, want any) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			c.differ(path, got, want)
			return
		}
		for k, v := range want {
			value, there := object[k]
			if !there {
				c.differ(path+"."+k, "absent", v)
				continue
			}
			c.compare(path+"."+k, k, value, v)
		}
		for k := range object {
			if _, there := want[k]; !there && slices.Contains(keyed, key) {
				c.differ(path+"."+k, object[k], "absent")
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			c.differ(path, got, want)
			return
		}
		for i := range want {
			c.compare(fmt.Sprintf("%s[%d]", path, i), "", list[i], want[i])
		}
	case json.Number:
		c.number(path, got, want)
	default:
		c.values++
		if got != want {
			c.differ(path, got, want)
		}
	}
}

// number compares two numbers, which are equal to the last bit however they are written.
func (c *comparison) number(path string, got any, want json.Number) {
	c.values++
	number, ok := got.(json.Number)
	if !ok {
		c.differ(path, got, want)
		return
	}
	a, errA := number.Float64()
	b, errB := want.Float64()
	if errA != nil || errB != nil || a != b {
		c.differ(path, got, want)
	}
}

func (c *comparison) differ(path string, got, want any) {
	c.wrong = append(c.wrong, fmt.Sprintf("%s: got %.300v, want %.300v", path, got, want))
}
