package outcome

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// Stream reads a stored outcome one miner at a time. So it holds only one miner and the
// failures, however large the round is. It expects the fields in the order in which
// outcomes are written. begin gets everything that comes before the miners: counts,
// failures, rewards; its Outcome is not complete yet. miner gets each miner in turn. An
// error of either ends Stream, which returns it unchanged.
func Stream(r io.Reader, begin func(Result) error, miner func(*scoring.MinerOutcome) error) error {
	var theirs error
	err := stream(json.NewDecoder(r),
		func(head Result) error { theirs = begin(head); return theirs },
		func(m *scoring.MinerOutcome) error { theirs = miner(m); return theirs })
	if theirs != nil {
		return theirs
	}
	if err != nil {
		return fmt.Errorf("reading an outcome: %w", err)
	}
	return nil
}

// ReadHead reads a stored outcome without the rules' part, Result.Outcome.
func ReadHead(r io.Reader) (Result, error) {
	var head Result
	fields, _, err := until(json.NewDecoder(r), "outcome")
	if err == nil {
		err = decodeFields(fields, &head)
	}
	if err != nil {
		return Result{}, fmt.Errorf("reading an outcome: %w", err)
	}
	return head, nil
}

func stream(decoder *json.Decoder, begin func(Result) error, miner func(*scoring.MinerOutcome) error) error {
	fields, found, err := until(decoder, "outcome")
	if err != nil {
		return err
	}
	var head Result
	if err := decodeFields(fields, &head); err != nil {
		return err
	}
	if !found {
		return errors.New("it has no outcome")
	}
	if fields, found, err = until(decoder, "miners"); err != nil {
		return err
	}
	if err := decodeFields(fields, &head.Outcome); err != nil {
		return err
	}
	if !found || fields["rewards"] == nil {
		return errors.New("it has no rewards before its miners")
	}
	if err := begin(head); err != nil {
		return err
	}
	return each(decoder, miner)
}

// until reads an object's fields up to the named one, and leaves that one's value unread.
func until(decoder *json.Decoder, name string) (fields map[string]json.RawMessage, found bool, err error) {
	if err := expect(decoder, '{'); err != nil {
		return nil, false, err
	}
	fields = map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, false, fmt.Errorf("a field's name: %w", err)
		}
		key, _ := token.(string) // a key is nothing else
		if key == name {
			return fields, true, nil
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, false, fmt.Errorf("field %s: %w", key, err)
		}
		fields[key] = value
	}
	return fields, false, expect(decoder, '}')
}

// decodeFields decodes fields as the object that they are part of.
func decodeFields(fields map[string]json.RawMessage, into any) error {
	data, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("its fields: %w", err)
	}
	if result, ok := into.(*Result); ok && result.Version > job.Version {
		return fmt.Errorf("it is of version %d, this build reads up to %d", result.Version, job.Version)
	}
	return nil
}

func each(decoder *json.Decoder, do func(*scoring.MinerOutcome) error) error {
	if err := expect(decoder, '['); err != nil {
		return err
	}
	for decoder.More() {
		var miner scoring.MinerOutcome
		if err := decoder.Decode(&miner); err != nil {
			return fmt.Errorf("a miner: %w", err)
		}
		if err := do(&miner); err != nil {
			return err
		}
	}
	return expect(decoder, ']')
}

func expect(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("want %s: %w", want, err)
	}
	if token != want {
		return fmt.Errorf("got %v, want %s", token, want)
	}
	return nil
}
