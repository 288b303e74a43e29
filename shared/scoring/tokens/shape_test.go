package tokens_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mirrorfleet/shared/scoring/tokens"
)

// Figures are kept for weeks under FiguresVersion: a field that is added,
// renamed or dropped without another version would be read from values that
// never had it.
func TestTheShapeOfFiguresIsOfTheirVersion(t *testing.T) {
	t.Parallel()
	const version = 2
	const want = "{files,omitempty []{filename string;change {status string;" +
		"previous_filename,omitempty string;additions int;deletions int;changes int};method string;category string;test,omitempty bool;score float64;nodes int;" +
		"lines int;out_of_time,omitempty bool;breakdown,omitempty *{structural_added_count int;structural_added_score float64;structural_deleted_count int;" +
		"structural_deleted_score float64;leaf_added_count int;leaf_added_score float64;leaf_deleted_count int;leaf_deleted_score float64};" +
		"largest,omitempty []{type string;leaf,omitempty bool;added int;deleted int;score float64}};" +
		"total_score float64;token_score float64;source_token_score float64;structural_count int;structural_score float64;" +
		"leaf_count int;leaf_score float64;total_nodes_scored int}"
	got := shape(reflect.TypeFor[tokens.Figures]())
	if got != want || tokens.FiguresVersion != version {
		t.Errorf("version %d has the shape\n%s\nwant version %d with\n%s\nraise FiguresVersion with every change, then note both here",
			tokens.FiguresVersion, got, version, want)
	}
}

// shape is a type as JSON has it.
func shape(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // what figures are made of
	case reflect.Pointer:
		return "*" + shape(t.Elem())
	case reflect.Slice:
		return "[]" + shape(t.Elem())
	case reflect.Map:
		return "map[" + shape(t.Key()) + "]" + shape(t.Elem())
	case reflect.Struct:
		var fields []string
		for f := range t.Fields() {
			fields = append(fields, fmt.Sprintf("%s %s", f.Tag.Get("json"), shape(f.Type)))
		}
		return "{" + strings.Join(fields, ";") + "}"
	}
	return t.Kind().String()
}
