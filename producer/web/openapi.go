package web

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var description []byte

// describe serves the API's description.
func describe(*http.Request) (reply, error) { return reply{raw: description}, nil }
