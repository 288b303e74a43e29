// Package problems is how a refusal is said over HTTP: RFC 9457's problem document. What
// types of problems there are is each server's own.
package problems

// ContentType is what a document is sent as.
const ContentType = "application/problem+json"

// Untyped is the type of a problem of which the status says all.
const Untyped = "about:blank"

// Document is a problem as it is sent.
type Document struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []Field `json:"errors,omitempty"`
}

// Field is what is wrong with one field or parameter.
type Field struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}
