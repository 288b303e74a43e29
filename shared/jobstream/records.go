package jobstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Plan stores the record of a job before the job is published. An existing record stays as
// it is; created is false then.
func (re Records) Plan(ctx context.Context, r job.Record) (created bool, err error) {
	data, err := encodeRecord(r)
	if err != nil {
		return false, err
	}
	_, err = re.records().Write(ctx, job.RecordKey(r.Round, r.UID), data, 0)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// Load reads a job's record with the revision that Update needs. The revision comes also
// with a damaged record (*ValueError). ErrNotFound if there is none. After an election the
// old leader may still answer for a moment, with an older record; an update that is based on
// it ends in ErrConflict.
func (re Records) Load(ctx context.Context, round string, uid int) (job.Record, uint64, error) {
	entry, err := re.records().Get(ctx, job.RecordKey(round, uid))
	if err != nil {
		return job.Record{}, 0, err
	}
	r, err := decodeRecord(entry.Key(), entry.Value())
	return r, entry.Revision(), err
}

// Update replaces a record if it still has the given revision, and returns the new revision;
// ErrConflict if it has another.
func (re Records) Update(ctx context.Context, r job.Record, revision uint64) (uint64, error) {
	data, err := encodeRecord(r)
	if err != nil {
		return 0, err
	}
	return re.records().Write(ctx, job.RecordKey(r.Round, r.UID), data, revision)
}

// List lists a round's records. It leaves out those that cannot be read.
func (re Records) List(ctx context.Context, round string) ([]job.Record, error) {
	records, _, err := re.ListAll(ctx, round)
	return records, err
}

// ListAll lists a round's records, and separately those that cannot be read, each with the
// revision that replaces it. A key that belongs to no job is damage of no job.
func (re Records) ListAll(ctx context.Context, round string) (records []job.Record, damage []job.Damage, err error) {
	err = re.records().List(ctx, round+".*", func(entry jetstream.KeyValueEntry) {
		r, err := decodeRecord(entry.Key(), entry.Value())
		if err == nil {
			records = append(records, r)
			return
		}
		_, uid, keyErr := job.ParseRecordKey(entry.Key())
		if keyErr != nil {
			uid = -1
		}
		damage = append(damage, job.Damage{
			Where:    job.BucketRecords,
			Key:      entry.Key(),
			UID:      uid,
			Revision: entry.Revision(),
			Error:    err.Error(),
		})
	})
	return records, damage, err
}

// Mark tells states of a round's records apart (kv.Mark).
func (re Records) Mark(ctx context.Context, round string) (kv.Mark, error) {
	return re.records().Mark(ctx, round+".*")
}

// encodeRecord writes a record with this build's version.
func encodeRecord(r job.Record) ([]byte, error) {
	r.Version = job.Version
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding record %s: %w", job.RecordKey(r.Round, r.UID), err)
	}
	return data, nil
}

// decodeRecord reads a record, and checks that it belongs to its key.
func decodeRecord(key string, data []byte) (job.Record, error) {
	r, err := job.DecodeRecord(data)
	if err == nil && job.RecordKey(r.Round, r.UID) != key {
		err = fmt.Errorf("it is the record of %s", job.RecordKey(r.Round, r.UID))
	}
	if err != nil {
		return job.Record{}, &ValueError{Bucket: job.BucketRecords, Key: key, Err: err}
	}
	return r, nil
}

// Watch sends the records of a round: first all that are there, then each change, latest
// state per record, as kv.Watch says.
func (re Records) Watch(ctx context.Context, round string) (<-chan job.Record, error) {
	return kv.Watch(ctx, re.records(), round+".*", decodeRecord)
}

// Changed is a record with the sequence of its last change. Sequences are those of the whole
// bucket: they rise with each change of any round's record.
type Changed struct {
	job.Record

	Sequence uint64
}

// After reads the records of a round that have changed after a sequence, 0 for all, in the
// order of their changes. of is the sequence up to which that is all: the next call begins
// there. A stream that was set back or made anew ends before the sequence, and is read from
// its beginning. A record that cannot be read is left out.
//
// It takes one request while nothing changes, and one for each change. It needs no consumer,
// which a viewer must not create, and it reads from the leader.
func (re Records) After(ctx context.Context, round string, sequence uint64) (changed []Changed, of uint64, err error) {
	stream := re.records().Stream
	filter := jetstream.WithGetMsgSubject(kv.Subject(job.BucketRecords, round+".*"))
	err = re.retry(ctx, "following the records of round "+round, func(ctx context.Context) error {
		changed = nil
		info, err := stream.Info(ctx)
		if err != nil {
			return err //nolint:wrapcheck // retry names the operation
		}
		if of = info.State.LastSeq; of < sequence {
			sequence = 0
		}
		for at := sequence; at < of; {
			msg, err := stream.GetMsg(ctx, at+1, filter)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				break
			}
			if err != nil {
				return err //nolint:wrapcheck // as above
			}
			at = msg.Sequence
			of = max(of, at)
			key := strings.TrimPrefix(msg.Subject, kv.Subject(job.BucketRecords, ""))
			if r, err := decodeRecord(key, msg.Data); err == nil {
				changed = append(changed, Changed{r, at})
			}
		}
		return nil
	})
	return changed, of, err
}
