package web

import (
	"bytes"
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var description []byte

// Description is the OpenAPI document of the API, which also has what the
// producer's commands print.
func Description() []byte { return bytes.Clone(description) }

// describe serves the API's description.
func describe(*http.Request) (reply, error) { return reply{raw: description}, nil }
