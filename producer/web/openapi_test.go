package web_test

import (
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/web"
	"mirrorfleet/producer/web/webtest"
)

// The description and the mux have the same routes, and the API serves the
// description that the tests check it against.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	doc, err := webtest.Document()
	if err != nil {
		t.Fatalf("the description is no OpenAPI document: %v", err)
	}
	var described []string
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			described = append(described, method+" "+path)
			if ids[operation.OperationID] || operation.Summary == "" {
				t.Errorf("%s %s: operation id %q, summary %q, want one of its own and a summary", method, path, operation.OperationID, operation.Summary)
			}
			ids[operation.OperationID] = true
		}
	}
	slices.Sort(described)
	b := setup(t)
	if diff := cmp.Diff(web.Routes(), described); diff != "" {
		t.Errorf("routes (-mux +description):\n%s", diff)
	}
	if got := b.ask(t, http.MethodGet, "/api/v1/openapi.json", ""); got.status != 200 || got.body != string(web.Description()) {
		t.Errorf("the API serves %d and %d bytes, want the description", got.status, len(got.body))
	}
}

// Every type of problem is served at its URI, and in the documents.
func TestEveryProblemIsDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range web.Problems() {
		got := b.ask(t, http.MethodGet, "/api/v1/problems/"+name, "")
		if got.status != 200 || !strings.Contains(got.body, "/api/v1/problems/"+name) {
			t.Errorf("%s: %d %s, want what it means", name, got.status, got.body)
		}
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/api.md does not list %s", name)
		}
	}
}

// Every field of every body is described, as what it is, and none is described
// that there is not.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	doc, err := webtest.Document()
	if err != nil {
		t.Fatal(err)
	}
	c := fieldCheck{t: t, seen: map[reflect.Type]bool{}}
	for name, typ := range web.Bodies {
		schema := doc.Components.Schemas[name]
		if schema == nil {
			t.Errorf("there is no schema %s", name)
			continue
		}
		c.object(name, typ, schema.Value)
	}
	if len(c.seen) < 50 {
		t.Errorf("%d types seen: this test does not see the bodies", len(c.seen))
	}
}

// The check of each answer, and of each text that a command prints, sees what is not as described.
func TestTheDescriptionIsHeld(t *testing.T) {
	t.Parallel()
	const good = `{"round": "r1", "revision": 1, "as_of": "2026-06-01T00:00:00Z", "age_seconds": 1.5, "complete": true, "mirror": "http://m", "planned_rules": 2,
		"uids": [0, 1], "hotkeys": ["a", "b"], "rewards": [0.5, 0.5], "sum": 1, "untaken": 0, "dead": [], "degraded": [], "failed_look_ups": [], "damaged": [],
		"from_stored": [], "shared_account": [], "unknown_identities": []}`
	for _, c := range []struct {
		name, path, old, new string
		status               int
		typ                  string
		ok                   bool
	}{
		{"as described", "/api/v1/rounds/r1/rewards", "", "", 200, "application/json", true},
		{"a field that is not described", "/api/v1/rounds/r1/rewards", `"sum": 1`, `"sum": 1, "later": 2`, 200, "application/json", false},
		{"a field less", "/api/v1/rounds/r1/rewards", `"sum": 1,`, ``, 200, "application/json", false},
		{"null for a list", "/api/v1/rounds/r1/rewards", `"dead": []`, `"dead": null`, 200, "application/json", false},
		{"a text for a number", "/api/v1/rounds/r1/rewards", `[0, 1]`, `["0", 1]`, 200, "application/json", false},
		{"a reward below 0", "/api/v1/rounds/r1/rewards", `[0.5, 0.5]`, `[1, -0.5]`, 200, "application/json", false},
		{"another status", "/api/v1/rounds/r1/rewards", "", "", 201, "application/json", false},
		{"another content type", "/api/v1/rounds/r1/rewards", "", "", 200, "text/html", false},
		{"another path", "/api/v1/rounds/r1/rewarded", "", "", 200, "application/json", false},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{"Content-Type": {c.typ}, "Etag": {`"x"`}}
		text := strings.Replace(good, c.old, c.new, 1)
		if err := webtest.Answered(r, c.status, header, text); (err == nil) != c.ok {
			t.Errorf("%s: %v, want it to pass: %v", c.name, err, c.ok)
		}
		if err := webtest.Printed("Rewards", text); (err == nil) != (c.ok || text == good) {
			t.Errorf("%s, printed: %v, want it to pass: %v", c.name, err, c.ok || text == good)
		}
	}
}

type fieldCheck struct {
	t    *testing.T
	seen map[reflect.Type]bool
}

// object compares a struct's fields with the properties of its schema.
func (c fieldCheck) object(at string, typ reflect.Type, schema *openapi3.Schema) {
	if c.seen[typ] {
		return
	}
	c.seen[typ] = true
	fields := map[string]reflect.Type{}
	var required []string
	jsonFields(typ, fields, &required)
	if strings.HasSuffix(at, "Order") { // it is what is asked, not what is answered
		required = schema.Required
	}
	slices.Sort(required)
	described := slices.Sorted(slices.Values(schema.Required))
	if diff := cmp.Diff(required, described); diff != "" && len(required)+len(described) > 0 {
		c.t.Errorf("%s: required fields (-type +schema):\n%s", at, diff)
	}
	for name := range schema.Properties {
		if fields[name] == nil {
			c.t.Errorf("%s: the schema has %s, which is no field", at, name)
		}
	}
	for name, field := range fields {
		if property := schema.Properties[name]; property == nil {
			c.t.Errorf("%s: the field %s is not described", at, name)
		} else {
			c.value(at+"."+name, field, property.Value)
		}
	}
}

// jsonFields collects what encoding/json writes of a struct.
func jsonFields(typ reflect.Type, fields map[string]reflect.Type, required *[]string) {
	for field := range typ.Fields() {
		tag := field.Tag.Get("json")
		switch name, options, _ := strings.Cut(tag, ","); {
		case field.Anonymous && tag == "":
			jsonFields(field.Type, fields, required)
		case !field.IsExported() || tag == "-":
		default:
			fields[name] = field.Type
			if options == "" {
				*required = append(*required, name)
			}
		}
	}
}

// value compares a field's type with its schema's.
func (c fieldCheck) value(at string, typ reflect.Type, schema *openapi3.Schema) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for _, one := range schema.OneOf { // that or null
		if one.Value.Properties != nil {
			schema = one.Value
		}
	}
	want := ""
	switch kind := typ.Kind(); {
	case typ == reflect.TypeFor[time.Time](), kind == reflect.String, kind == reflect.Slice && typ.Elem().Kind() == reflect.Uint8:
		want = openapi3.TypeString
	case kind == reflect.Slice:
		want = openapi3.TypeArray
		c.value(at+"[]", typ.Elem(), schema.Items.Value)
	case kind == reflect.Map:
		want = openapi3.TypeObject
		c.value(at+"{}", typ.Elem(), schema.AdditionalProperties.Schema.Value)
	case kind == reflect.Struct:
		want = openapi3.TypeObject
		c.object(at, typ, schema)
	case kind == reflect.Bool:
		want = openapi3.TypeBoolean
	case kind == reflect.Float64:
		want = openapi3.TypeNumber
	case kind == reflect.Int, kind == reflect.Int64, kind == reflect.Uint64:
		want = openapi3.TypeInteger
	default:
		c.t.Errorf("%s: this test does not know a %s", at, typ)
	}
	if !schema.Type.Includes(want) {
		c.t.Errorf("%s: the schema is %v, want %s", at, schema.Type, want)
	}
}
