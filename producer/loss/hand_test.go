package loss_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// hand is what an operator does to a stream or bucket.
type hand struct {
	what string
	do   func(ctx context.Context, js jetstream.JetStream, name string) error
}

var hands = []hand{
	{"deleted", func(ctx context.Context, js jetstream.JetStream, name string) error {
		return js.DeleteStream(ctx, name)
	}},
	{"purged", func(ctx context.Context, js jetstream.JetStream, name string) error {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return err
		}
		return stream.Purge(ctx)
	}},
	{"overwritten", overwrite},
}

// rubbish is nothing that anybody has stored.
const rubbish = "{\"rubbish\": tru"

// overwrite writes rubbish to every subject that a stream holds: all keys of a
// bucket. To one that holds nothing it is written where something would be.
func overwrite(ctx context.Context, js jetstream.JetStream, streamName string) error {
	stream, err := js.Stream(ctx, streamName)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return err
	}
	subjects := info.State.Subjects
	if bucket, is := strings.CutPrefix(streamName, "KV_"); is {
		subjects["$KV."+bucket+".7"]++
	} else {
		subjects[strings.TrimSuffix(info.Config.Subjects[0], ">")+name(1)+".7"]++
	}
	for subject := range subjects {
		if _, err := js.Publish(ctx, subject, []byte(rubbish)); err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
	}
	return nil
}

// byHand has an operator do something to a stream at a tick.
func byHand(t *testing.T, h hand, stream string, at int) {
	t.Helper()
	want := calmly(t)
	url := jobstreamtest.Start(t).NATSURL()
	s := newStage(t, url, url)
	_, js := jobstreamtest.Connect(t, url, nil)
	s.ticks.at(at, func() { must.Check(t, h.do(s.ctx, js, stream)) })
	s.play()
	s.judge(want)
}

// TestAnOperatorsHandCostsNoRound: whatever an operator does to a stream or a
// bucket, in the middle of a round or between two, the round ends, and so does the
// next.
func TestAnOperatorsHandCostsNoRound(t *testing.T) {
	t.Parallel()
	want := calmly(t)
	for _, h := range hands {
		for _, stream := range streams {
			if all() || h.what != "purged" {
				t.Run(stream+" is "+h.what+" in mid-round", func(t *testing.T) { t.Parallel(); byHand(t, h, stream, want.between+6) })
			}
			if all() || h.what == "purged" {
				t.Run(stream+" is "+h.what+" between rounds", func(t *testing.T) { t.Parallel(); byHand(t, h, stream, want.between) })
			}
		}
	}
}
