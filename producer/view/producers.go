package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mirrorfleet/shared/jobstream"
)

// ProducerStanding is the state of a producer process.
type ProducerStanding string

// The standings, in the order in which producers are listed.
const (
	ProducerLeads    ProducerStanding = "leading"
	ProducerStandsBy ProducerStanding = "standing by"
	ProducerSilent   ProducerStanding = "silent" // it has shown nothing for longer than a live process would
	ProducerLeft     ProducerStanding = "left"   // it has said its last word
)

// Producer is one producer process by its last sign of life. All instants are by the clock of
// NATS.
type Producer struct {
	Process  string           `json:"process"` // another one after each start
	Name     string           `json:"name"`
	Standing ProducerStanding `json:"standing"`
	Version  string           `json:"version"`
	Host     string           `json:"host"`
	// Round is the only round that it leads or stands by for; absent for a producer of the
	// schedule.
	Round string `json:"round,omitempty"`
	// Started, Seen and SeenAgo are as those of a Worker.
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"`
	SeenAgo float64   `json:"seen_ago"`
	// LastWord is why it has left; "" for a process that has not.
	LastWord string `json:"last_word,omitempty"`
}

// leader names the producer that holds a round, or the schedule; "" while none is alive.
func leader(ctx context.Context, bus *jobstream.Bus, of string, now time.Time) (string, error) {
	holder, beat, err := bus.Holders.LastBeat(ctx, of)
	if err != nil {
		return "", fmt.Errorf("looking for the producer of %s: %w", of, err)
	}
	if beat.IsZero() || holder.Released || now.Sub(beat) > holder.For {
		return "", nil
	}
	name, _, _ := strings.Cut(holder.Name, "/")
	return name, nil
}

// addProducers adds the producer processes of the last day to the schedule, whose leader is
// known: those that lead, those that stand by, the silent ones, and those that left. Only the
// stored hold says who leads. A sign of life says only that there is a process.
func (s *Schedule) addProducers(ctx context.Context, bus *jobstream.Bus, now time.Time) error {
	roll, err := bus.Presence.Producers(ctx)
	if err != nil {
		return fmt.Errorf("reading the producers' signs of life: %w", err)
	}
	s.Producers = make([]Producer, 0, len(roll.Producers))
	for i := range roll.Producers {
		sign := &roll.Producers[i]
		p := producerBy(sign, roll.Now)
		leads := s.Producer
		if p.Round != "" {
			leads = ""
			if p.Standing == ProducerStandsBy {
				if leads, err = leader(ctx, bus, p.Round, now); err != nil {
					return err
				}
			}
		}
		if p.Name == leads && p.Standing != ProducerLeft {
			s.takePutOff(sign, &p)
			p.Standing = ProducerLeads
		}
		s.Producers = append(s.Producers, p)
	}
	order := []ProducerStanding{ProducerLeads, ProducerStandsBy, ProducerSilent, ProducerLeft}
	slices.SortStableFunc(s.Producers, func(a, b Producer) int {
		return cmp.Or(
			slices.Index(order, a.Standing)-slices.Index(order, b.Standing),
			b.Started.Compare(a.Started),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return nil
}

// takePutOff takes from the leader's sign what delays the next turn. A sign that is too old no
// longer counts.
func (s *Schedule) takePutOff(sign *jobstream.PresentProducer, p *Producer) {
	if sign.PutOff == nil || p.Round != "" || p.Standing == ProducerSilent {
		return
	}
	off := *sign.PutOff
	off.Since = p.Seen.Add(-sign.Ago(off.Since))
	s.PutOff = &off
}

func producerBy(sign *jobstream.PresentProducer, now time.Time) Producer {
	silence, silent := sign.Silence(sign.Stored, now)
	p := Producer{
		Process:  sign.Process,
		Name:     sign.Name,
		Standing: ProducerStandsBy,
		Version:  sign.Build,
		Host:     sign.Host,
		Round:    sign.Round,
		Started:  sign.Stored.Add(-sign.Ago(sign.Started)).UTC(),
		Seen:     sign.Stored.UTC(),
		SeenAgo:  silence.Seconds(),
		LastWord: sign.Left,
	}
	switch {
	case sign.Left != "":
		p.Standing = ProducerLeft
	case silent:
		p.Standing = ProducerSilent
	}
	return p
}

// ProducersThat lists the producers with a standing.
func (s *Schedule) ProducersThat(stand ProducerStanding) (all []Producer) {
	for i := range s.Producers {
		if s.Producers[i].Standing == stand {
			all = append(all, s.Producers[i])
		}
	}
	return all
}

// StandBys lists the producers that stand by for the schedule. One that stands by for a single
// round takes over nothing else.
func (s *Schedule) StandBys() []Producer {
	return slices.DeleteFunc(s.ProducersThat(ProducerStandsBy), func(p Producer) bool { return p.Round != "" })
}

// empty says that there is nothing to say: there never was a schedule, nothing was ordered,
// and no producer has shown itself.
func (s *Schedule) empty() bool {
	return s.Producer == "" && s.Running == "" && s.NextTurn == nil && len(s.Producers) == 0 &&
		s.Paused == nil && s.PausedRound == nil && s.Ordered == nil
}
