package dashboard

import "mirrorfleet/producer/view"

// producerRow is a producer process in the table.
type producerRow struct {
	view.Producer

	Stand   badge
	Differs bool // its version is not the leader's
}

// producerRows lists the producers that have not left: the leader first.
func producerRows(s *view.Schedule) (rows []producerRow) {
	if s == nil {
		return nil
	}
	for i := range s.Producers {
		p := &s.Producers[i]
		if p.Standing == view.ProducerLeft {
			continue
		}
		row := producerRow{Producer: *p, Stand: standOfProducer(p.Standing)}
		row.Differs = p.Standing != view.ProducerSilent && p.Version != s.Producers[0].Version
		rows = append(rows, row)
	}
	return rows
}

func standOfProducer(s view.ProducerStanding) badge {
	switch s {
	case view.ProducerLeads:
		return badge{string(s), "good"}
	case view.ProducerSilent:
		return badge{string(s), "bad"}
	case view.ProducerStandsBy, view.ProducerLeft:
	}
	return badge{string(s), ""}
}
