// Package problems writes refusals over HTTP in the form of RFC 9457, the problem
// document. Each server has its own types of problems.
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

// Field says of one field or parameter what is wrong.
type Field struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}
