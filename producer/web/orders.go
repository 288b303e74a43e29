package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// order is the body of a request that orders or asks something.
type order interface {
	replayRequest | rescoreRequest | cancelRequest | orderRequest | holdRequest | endRequest | whatIfRequest
	check() error
}

// readOrder reads the body of a request strictly: a misspelt field must not select
// everything. Its errors repeat an example, what the fields are, and their names. An empty
// body is the zero T.
func readOrder[T order](r *http.Request, example, fields, names string) (asked T, err error) {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return asked, &problem{kind: tooLarge, detail: fmt.Sprintf("want at most %d bytes", large.Limit)}
	case err != nil:
		return asked, &problem{kind: badRequest, detail: "the body ended too early"}
	case len(bytes.TrimSpace(data)) == 0:
		return asked, asked.check()
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return asked, misread(err, example, fields, names)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return asked, &problem{kind: badRequest, detail: "want one JSON object and nothing after it"}
	}
	return asked, asked.check()
}

// misread says which field of a body cannot be read.
func misread(err error, example, fields, names string) *problem {
	var typed *json.UnmarshalTypeError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &typed) && typed.Field != "":
		return wrong(typed.Field, "is a %s; want %s", typed.Value, fields)
	case unknown:
		return wrong(fmt.Sprintf("%.80s", strings.Trim(name, `"`)), "is unknown; there are %s", names)
	}
	return &problem{kind: badRequest, detail: "want a JSON object such as " + example}
}

func checkUIDs(uids []int) error {
	for i, uid := range uids {
		if uid < 0 {
			return wrong(fmt.Sprintf("uids[%d]", i), "%d: want a whole number from 0", uid)
		}
	}
	return nil
}
