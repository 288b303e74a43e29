// Package webtest checks answers of the API, and JSON that the commands print, against
// openapi.json, which describes both.
//
// It is stricter than the description is with those who read: a field that is
// not described is an error here.
package webtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"mirrorfleet/producer/web"
)

// Document is the description, loaded and checked once.
//
//nolint:gochecknoglobals // it is read once
var Document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(web.Description())
	if err != nil {
		return nil, fmt.Errorf("reading openapi.json: %w", err)
	}
	for _, schema := range doc.Components.Schemas {
		closeObject(schema.Value)
	}
	return doc, doc.Validate(context.Background())
})

// closeObject refuses what is not described of an object, and of those in it
// that have no schema of their own.
func closeObject(schema *openapi3.Schema) {
	if len(schema.Properties) > 0 {
		no := false
		schema.AdditionalProperties.Has = &no
	}
	for _, property := range schema.Properties {
		if property.Ref == "" {
			closeObject(property.Value)
		}
	}
	if schema.Items != nil && schema.Items.Ref == "" {
		closeObject(schema.Items.Value)
	}
}

//nolint:gochecknoglobals // it is made once
var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// Printed says how a JSON text differs from what a schema of the description
// says.
func Printed(schema, text string) error {
	doc, err := Document()
	if err != nil {
		return err
	}
	ref := doc.Components.Schemas[schema]
	if ref == nil {
		return fmt.Errorf("openapi.json has no schema %s", schema)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return fmt.Errorf("reading what is to be a %s: %w", schema, err)
	}
	if err := ref.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		return fmt.Errorf("not a %s: %w", schema, err)
	}
	return nil
}

// errNoOperation says that a request is for nothing that is described.
var errNoOperation = errors.New("no operation")

// Answered says how an answer differs from those that the description gives its
// operation. One to a request that is for no operation must be a refusal.
func Answered(r *http.Request, status int, header http.Header, body string) error {
	find, err := router()
	if err != nil {
		return err
	}
	asked := r.Clone(context.Background())
	asked.URL.Scheme = ""
	asked.URL.Host = ""
	asked.Host = ""
	if asked.Method == http.MethodHead {
		asked.Method = http.MethodGet
	}
	route, params, _ := find.FindRoute(asked)
	switch {
	case route == nil && status < http.StatusBadRequest:
		return errNoOperation
	case route == nil, r.Method == http.MethodHead:
		return nil
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route},
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(strings.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		return fmt.Errorf("not what %s describes: %w", route.Operation.OperationID, err)
	}
	return nil
}
