package shadow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring/input"
)

// roundCauses lists the inputs of the whole round that differ.
func (c *comparison) roundCauses(ours *Ours) []Cause {
	list := append([]Cause{}, c.registriesApart(ours.Registry)...)
	for _, w := range []struct {
		file         string
		ours, theirs json.RawMessage
	}{
		{"programming_languages.json", ours.Languages, c.record.Languages},
		{"token_weights.json", ours.Tokens, c.record.Tokens},
	} {
		list = append(list, weightsApart(w.file, w.ours, w.theirs)...)
	}
	list = append(list, c.windowsApart()...)
	mine, others := withoutEmpty(c.out.Maintainers), withoutEmpty(c.record.Maintainers)
	for _, name := range keysOf(mine, others) {
		if !slices.Equal(mine[name], others[name]) {
			list = append(list, Cause{KindMaintainers, name, fmt.Sprint(mine[name]), fmt.Sprint(others[name])})
		}
	}
	return list
}

// wayOfAnAnswer is how much longer than its window a recorded one may be, in days: it is
// measured when the answer is there.
const wayOfAnAnswer = 0.02

// windowsApart compares how far back the validator lists with what its own registry says, as
// our rules read it.
func (c *comparison) windowsApart() (list []Cause) {
	ours := map[string]float64{}
	for i := range c.record.registry.Repositories {
		repo := &c.record.registry.Repositories[i]
		ours[repo.Name] = float64(repo.Scoring.PRLookbackDays)
	}
	for _, kind := range slices.Sorted(maps.Keys(c.record.Windows)) {
		theirs := c.record.Windows[kind]
		for _, name := range keysOf(ours, theirs) {
			mine, listed := ours[name]
			other, asked := theirs[name]
			if left := other - mine; listed == asked && left > -wayOfAnAnswer && left < wayOfAnAnswer {
				continue
			}
			list = append(list, Cause{KindWindow, kind + " of " + name, daysBack(mine, listed), daysBack(other, asked)})
		}
	}
	return list
}

func daysBack(days float64, asked bool) string {
	if !asked {
		return "not asked for"
	}
	return strconv.FormatFloat(days, 'f', 2, 64) + " days"
}

func keysOf[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// registriesApart names what differs in effect: a default that only one file spells out is no
// difference.
func (c *comparison) registriesApart(raw json.RawMessage) (list []Cause) {
	ours, theirs := &c.in.Registry, &c.record.registry
	mine, others := settings(raw), settings(c.record.Registry)
	for i := range ours.Repositories {
		name := ours.Repositories[i].Name
		other, known := theirs.Repository(name)
		if !known {
			list = append(list, Cause{KindRegistry, name, "listed", "not listed"})
			continue
		}
		if reflect.DeepEqual(ours.Repositories[i], *other) {
			continue
		}
		for _, setting := range keysOf(mine[name], others[name]) {
			if a, b := mine[name][setting], others[name][setting]; a != b {
				list = append(list, Cause{KindRegistry, name + " " + setting, cmp.Or(a, "the default"), cmp.Or(b, "the default")})
			}
		}
	}
	for i := range theirs.Repositories {
		if _, known := ours.Repository(theirs.Repositories[i].Name); !known {
			list = append(list, Cause{KindRegistry, theirs.Repositories[i].Name, "not listed", "listed"})
		}
	}
	if a, b := namesOf(ours), namesOf(theirs); len(list) == 0 && !slices.Equal(a, b) {
		list = append(list, Cause{KindRegistry, "order of the repositories", strings.Join(a, ", "), strings.Join(b, ", ")})
	}
	return list
}

func namesOf(r *input.Registry) []string {
	names := make([]string, len(r.Repositories))
	for i := range r.Repositories {
		names[i] = r.Repositories[i].Name
	}
	return names
}

// settings returns each repository's settings as in its file, by their full names.
func settings(raw json.RawMessage) map[string]map[string]string {
	var entries map[string]map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return nil // whoever parsed it has reported that
	}
	found := map[string]map[string]string{}
	for name, entry := range entries {
		flat := map[string]string{}
		flatten(flat, "", entry)
		found[strings.ToLower(name)] = flat
	}
	return found
}

func flatten(flat map[string]string, at string, entry map[string]json.RawMessage) {
	for key, value := range entry {
		var group map[string]json.RawMessage
		if json.Unmarshal(value, &group) == nil && group != nil {
			flatten(flat, at+key+".", group)
			continue
		}
		var text bytes.Buffer
		if json.Compact(&text, value) == nil {
			flat[at+key] = text.String()
		}
	}
}

// weightsApart names the entries of a weights file that differ, whatever the spelling.
func weightsApart(file string, ours, theirs json.RawMessage) []Cause {
	if bytes.Equal(ours, theirs) {
		return nil
	}
	mine, other := map[string]any{}, map[string]any{}
	if json.Unmarshal(ours, &mine) != nil || json.Unmarshal(theirs, &other) != nil {
		return []Cause{{Kind: KindWeights, What: file + ": one of the two is no object"}}
	}
	var differ []string
	for _, name := range keysOf(mine, other) {
		a, b := mine[name], other[name]
		if reflect.DeepEqual(a, b) {
			continue
		}
		within, isObject := a.(map[string]any)
		others, areObjects := b.(map[string]any)
		if !isObject || !areObjects {
			differ = append(differ, name)
			continue
		}
		for _, part := range keysOf(within, others) {
			if !reflect.DeepEqual(within[part], others[part]) {
				differ = append(differ, name+"."+part)
			}
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return []Cause{{Kind: KindWeights, What: file + ": " + strings.Join(differ, ", ")}}
}
