package job

import "mirrorfleet/shared/scoring/input"

// Jobs are the round's jobs: one for each miner that no rule fails before
// anything is loaded, in the order of the list.
func (m Manifest) Jobs() []Job {
	var jobs []Job
	for _, miner := range m.Miners {
		if input.FailureOf(miner) != input.NoFailure {
			continue
		}
		jobs = append(jobs, Job{
			Version:    Version,
			Round:      m.Round,
			UID:        miner.UID,
			Hotkey:     miner.Hotkey,
			GitHubID:   miner.GitHubID,
			AsOf:       m.AsOf,
			IssuesOnly: miner.IdentityUnreachable,
		})
	}
	return jobs
}

// RecordsByUID are records by their uid.
func RecordsByUID(list []Record) map[int]Record {
	records := make(map[int]Record, len(list))
	for _, record := range list {
		records[record.UID] = record
	}
	return records
}

// DamageByUID are the records that cannot be read, by uid.
func DamageByUID(list []Damage) map[int]Damage {
	damaged := map[int]Damage{}
	for _, d := range list {
		if d.Where == BucketRecords && d.UID >= 0 {
			damaged[d.UID] = d
		}
	}
	return damaged
}
