package bucket

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The fields of the record in which the server keeps a State: one hash per
// egress. A cell is "u<n>" with "<index>:<count>", and one of the background's slots alone
// "b<n>".
const (
	cellField       = "u"
	backgroundField = "b"
)

// noteField has State.HoldNote. The script writes it and never reads it.
const noteField = "hold_note"

// Fields are the names of all fields that a record can have, sorted.
func Fields() []string {
	s := State{}
	fields := slices.AppendSeq([]string{"run", "figures", noteField}, maps.Keys(numbers(&s)))
	for field, cells := range counts(&s) {
		for i := range cells {
			fields = append(fields, field+strconv.Itoa(i))
		}
	}
	slices.Sort(fields)
	return fields
}

// MaxField is how many bytes of a field are read. The longest field is a note: of 200
// characters each for who and why, which JSON writes with at most six bytes.
const MaxField = 4096

// Record returns the state as the script writes it.
func (s State) Record() map[string]string {
	record := map[string]string{"run": s.Run, "figures": s.Params.String()}
	if s.HoldNote != "" {
		record[noteField] = s.HoldNote
	}
	for name, number := range numbers(&s) {
		record[name] = strconv.FormatInt(*number, 10)
	}
	for field, cells := range counts(&s) {
		for i, cell := range cells {
			if cell.Count > 0 {
				record[field+strconv.Itoa(i)] = fmt.Sprintf("%d:%d", cell.Index, cell.Count)
			}
		}
	}
	return record
}

// Parse reads a record. No record is the zero State. A field that is not what
// the script writes is an error that names it; the script itself treats such a
// record as an unknown state.
func Parse(record map[string]string) (State, error) {
	s := State{Run: record["run"], HoldNote: record[noteField]}
	for name, number := range numbers(&s) {
		text, found := record[name]
		if !found {
			continue
		}
		var err error
		if *number, err = strconv.ParseInt(text, 10, 64); err != nil {
			return State{}, fmt.Errorf("bucket: field %s is %.50q, want microseconds or a count", name, text)
		}
	}
	s.Params = parseParams(record["figures"])
	for field, cells := range counts(&s) {
		if err := parseCells(record, field, cells); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// counts names the fields of the cells in one place for both directions.
func counts(s *State) map[string]*[Cells]Cell {
	return map[string]*[Cells]Cell{cellField: &s.Use, backgroundField: &s.UseBackground}
}

func parseCells(record map[string]string, field string, cells *[Cells]Cell) error {
	for i := range cells {
		name := field + strconv.Itoa(i)
		text, found := record[name]
		if !found {
			continue
		}
		var err error
		if cells[i], err = parseCell(text); err != nil {
			return fmt.Errorf("bucket: field %s is %.50q, want <index>:<count>", name, text)
		}
	}
	return nil
}

// String is the parameters as the record has them.
func (p Params) String() string {
	return fmt.Sprintf("%d:%d:%d:%d", p.Interval, p.Horizon, p.Limit, p.Window)
}

// parseParams reads them; what is not as String writes it is none.
func parseParams(text string) Params {
	var p Params
	if _, err := fmt.Sscanf(text, "%d:%d:%d:%d", &p.Interval, &p.Horizon, &p.Limit, &p.Window); err != nil || p.String() != text {
		return Params{}
	}
	return p
}

func parseCell(text string) (Cell, error) {
	first, second, _ := strings.Cut(text, ":")
	index, badIndex := strconv.ParseInt(first, 10, 64)
	count, badCount := strconv.ParseInt(second, 10, 64)
	return Cell{Index: index, Count: count}, errors.Join(badIndex, badCount)
}

// numbers names the numeric fields in one place for both directions.
func numbers(s *State) map[string]*int64 {
	return map[string]*int64{
		"high": &s.Time, "skew": &s.Skew, "next": &s.NextSlot, "turn": &s.NextRetry, "cool": &s.CoolUntil, "born": &s.Epoch,
		"hold": &s.HoldUntil, "seen": &s.LastAsked,
		"background": &s.LastBackground, "round": &s.LastRound, "background_turn": &s.BackgroundRetry,
		"background_granted": &s.GrantedBackground,
		"last":               &s.Last, "granted": &s.Granted, "refused": &s.Refused, "restarts": &s.Restarts, "cools": &s.Cools,
	}
}
