package bucket

import (
	"fmt"
	"strconv"
	"strings"
)

// The fields of the record in which the server keeps a State: one hash per
// egress. A cell is "u<n>" with "<index>:<count>".
const cellField = "u"

// Record returns the state as the script writes it.
func (s State) Record() map[string]string {
	record := map[string]string{"run": s.Run, "figures": s.Figures.String()}
	for name, number := range numbers(&s) {
		record[name] = strconv.FormatInt(*number, 10)
	}
	for i, cell := range s.Use {
		if cell.Count > 0 {
			record[cellField+strconv.Itoa(i)] = fmt.Sprintf("%d:%d", cell.Index, cell.Count)
		}
	}

	return record
}

// Parse reads a record. No record is the zero State. A field that is not what
// the script writes is an error that names it; the script itself treats such a
// record as an unknown state.
func Parse(record map[string]string) (State, error) {
	s := State{Run: record["run"]}
	for name, number := range numbers(&s) {
		text, found := record[name]
		if !found {
			continue
		}
		var err error
		if *number, err = strconv.ParseInt(text, 10, 64); err != nil {
			return State{}, fmt.Errorf("bucket: field %s is %q, want microseconds or a count: %w", name, text, err)
		}
	}
	s.Figures = parseFigures(record["figures"])
	for i := range s.Use {
		name := cellField + strconv.Itoa(i)
		text, found := record[name]
		if !found {
			continue
		}
		cell, err := parseCell(text)
		if err != nil {
			return State{}, fmt.Errorf("bucket: field %s is %q, want <index>:<count>: %w", name, text, err)
		}
		s.Use[i] = cell
	}

	return s, nil
}

// String is the figures as the record has them.
func (f Figures) String() string {
	return fmt.Sprintf("%d:%d:%d:%d", f.Interval, f.Horizon, f.Limit, f.Window)
}

// parseFigures reads them; what is not as String writes it is none.
func parseFigures(text string) Figures {
	var f Figures
	if _, err := fmt.Sscanf(text, "%d:%d:%d:%d", &f.Interval, &f.Horizon, &f.Limit, &f.Window); err != nil || f.String() != text {
		return Figures{}
	}

	return f
}

func parseCell(text string) (Cell, error) {
	first, second, _ := strings.Cut(text, ":")
	index, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return Cell{}, fmt.Errorf("the index: %w", err)
	}
	count, err := strconv.ParseInt(second, 10, 64)
	if err != nil {
		return Cell{}, fmt.Errorf("the count: %w", err)
	}

	return Cell{Index: index, Count: count}, nil
}

// numbers names the numeric fields in one place for both directions.
func numbers(s *State) map[string]*int64 {
	return map[string]*int64{
		"high": &s.High, "skew": &s.Skew, "next": &s.Next, "turn": &s.Turn, "cool": &s.Cool, "born": &s.Born,
		"hold": &s.Hold, "seen": &s.Seen,
		"last": &s.Last, "granted": &s.Granted, "refused": &s.Refused, "restarts": &s.Restarts, "cools": &s.Cools,
	}
}
