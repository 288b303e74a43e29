package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
)

// auditor is an audit in progress.
type auditor struct {
	Report

	held    job.Inventory
	records map[int]job.Record
	damaged map[int]job.Damage // the records that cannot be read
	letters map[int][]job.DeadLetter
}

// Of compares everything that is stored of a round: planned = done + failed + outstanding,
// and each job has exactly what its phase requires.
func Of(held job.Inventory) Report {
	a := auditor{
		held:    held,
		records: job.RecordsByUID(held.Records),
		damaged: job.DamageByUID(held.Damage),
		letters: map[int][]job.DeadLetter{},
	}
	a.Discrepancies = []Discrepancy{}
	for _, letter := range held.Letters {
		a.letters[letter.UID] = append(a.letters[letter.UID], letter)
	}
	planned := map[int]bool{}
	for _, j := range held.Manifest.Jobs() {
		planned[j.UID] = true // also a miner that a replay has found to fail a rule: its record remains
	}
	for _, j := range held.Manifest.After(held.Replays).Jobs() {
		planned[j.UID] = true
		a.job(j.UID)
	}
	if held.Lost == "" {
		a.unplanned(planned)
	} else {
		a.unknown()
	}
	a.damage()
	a.evaluations()
	a.plans()
	a.outcomes()
	slices.SortStableFunc(a.Discrepancies, func(x, y Discrepancy) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.UID, y.UID))
	})
	return a.Report
}

// wrongf notes a discrepancy by which something is lost or counted twice.
func (a *auditor) wrongf(kind Kind, uid int, format string, args ...any) {
	a.Discrepancies = append(a.Discrepancies, Discrepancy{Kind: kind, UID: uid, Detail: fmt.Sprintf(format, args...)})
}

// oddf notes a harmless discrepancy.
func (a *auditor) oddf(kind Kind, uid int, format string, args ...any) {
	a.Discrepancies = append(a.Discrepancies, Discrepancy{kind, uid, fmt.Sprintf(format, args...), true})
}

// job counts one planned job and checks its stored data. A job without a readable
// record counts as outstanding: it may still be done.
func (a *auditor) job(uid int) {
	a.Planned++
	record, there := a.records[uid]
	messages := a.held.Messages[uid]
	if messages > 1 {
		a.oddf(QueuedTwice, uid, "%s", plural.Of(messages, "time"))
	}
	switch damage, unreadable := a.damaged[uid]; {
	case unreadable:
		a.wrongf(RecordDamaged, uid, "%s", damage.Error)
	case !there && messages == 0:
		a.wrongf(NothingHeld, uid, "")
	case !there:
		a.wrongf(MessageAlone, uid, "")
	}
	switch {
	case !there || !record.Phase.Ended():
		a.Outstanding++
		a.outstanding(record, there, messages)
	case record.Phase == job.Done:
		a.Done++
	default:
		a.Failed++
	}
	if there && record.Phase.Ended() && messages > 0 {
		a.oddf(LeftMessage, uid, "%s", record.Phase)
	}
	a.lettersOf(uid, record, there)
}

// outstanding checks a job that has not ended: it needs a message that the server will
// still hand out.
func (a *auditor) outstanding(record job.Record, there bool, messages int) {
	if there && messages == 0 {
		a.wrongf(RecordAlone, record.UID, "%s", record.Phase)
	}
	if there && slices.Contains(a.held.Stuck, record.UID) {
		a.wrongf(DeliveriesUsedUp, record.UID, "%s, delivered %s", record.Phase, plural.Of(record.Deliveries, "time"))
	}
}

// lettersOf expects a dead letter of the record's replay for a failed job, and none for any
// other. A letter may be missing once the stream no longer keeps it (job.DeadKept). A letter
// without a failed record is what a crash between the two leaves.
func (a *auditor) lettersOf(uid int, record job.Record, there bool) {
	has := slices.ContainsFunc(a.letters[uid], func(l job.DeadLetter) bool { return l.Replay == record.Replay })
	failed := there && record.Phase == job.Failed
	switch {
	case failed && !has && record.Failure != nil && a.held.At.Sub(record.Failure.At) > job.DeadKept:
		a.oddf(LetterMissing, uid, "kept for %g days", job.DeadKept.Hours()/24)
	case failed && !has:
		a.wrongf(LetterMissing, uid, "")
	case !failed && has:
		a.oddf(LetterAlone, uid, "%s", record.Phase)
	}
}

// unknown counts the jobs of a round whose manifest is lost: those that have a record,
// readable or not.
func (a *auditor) unknown() {
	a.wrongf(ManifestLost, -1, "%s", a.held.Lost)
	uids := slices.Concat(slices.Collect(maps.Keys(a.records)), slices.Collect(maps.Keys(a.damaged)))
	slices.Sort(uids)
	for _, uid := range slices.Compact(uids) {
		a.job(uid)
	}
}

// damage notes what else cannot be read. Unreadable records are noted with their jobs, an
// unreadable outcome where it is compared.
func (a *auditor) damage() {
	for _, d := range a.held.Damage {
		switch {
		case d.Where == job.StreamDead:
			a.oddf(LetterDamaged, d.UID, "%s", d.Error)
		case d.Where == job.BucketRecords && d.UID < 0:
			a.oddf(StrayKey, -1, "%s in %s", d.Key, d.Where)
		}
	}
}

// unplanned finds records, readable or not, and messages of miners that have no job by the
// manifest.
func (a *auditor) unplanned(planned map[int]bool) {
	for _, uid := range slices.Sorted(maps.Keys(a.records)) {
		if !planned[uid] {
			a.wrongf(UnplannedRecord, uid, "%s", a.records[uid].Phase)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(a.damaged)) {
		if !planned[uid] {
			a.wrongf(UnplannedRecord, uid, "%s", a.damaged[uid].Error)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(a.held.Messages)) {
		if !planned[uid] {
			a.wrongf(UnplannedMessage, uid, "")
		}
	}
}

// evaluations expects one evaluation for each record that names one, and none that no record
// names. A worker stores an evaluation before it commits the record, so that of an
// outstanding job may be named a moment later.
func (a *auditor) evaluations() {
	stored := map[string]bool{}
	for _, key := range a.held.Evaluations {
		stored[key] = true
		_, uid, err := job.ParseRecordKey(key[:max(0, strings.LastIndexByte(key, '.'))])
		record, there := a.records[uid]
		named := there && (key == record.Evaluation || key == record.Former || !record.Phase.Ended())
		if err == nil && !named {
			a.oddf(Orphan, uid, "%s", key)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(a.records)) {
		if key := a.records[uid].Stands(); a.records[uid].Phase.Ended() && key != "" && !stored[key] {
			a.wrongf(EvaluationMissing, uid, "%s", key)
		}
	}
}

// plans expects each replay's plan to be readable.
func (a *auditor) plans() {
	for _, replay := range a.held.Replays {
		if replay.Damage != "" {
			a.wrongf(PlanUnreadable, -1, "replay %d: %s", replay.Number, replay.Damage)
		}
	}
}

// outcomes compares the latest outcome with the records. While a replay is in progress the
// records are ahead of the outcome, so only the replay is noted. Revisions are numbered from
// 1 without a gap.
func (a *auditor) outcomes() {
	for i, revision := range a.held.Outcomes {
		if revision != i+1 {
			a.wrongf(RevisionMissing, -1, "revision %d comes after %d others", revision, i)
			break
		}
	}
	latest := len(a.held.Outcomes)
	if latest == 0 {
		return
	}
	if slices.ContainsFunc(a.held.Replays, func(r job.Replay) bool { return r.Number == latest }) {
		a.oddf(ReplayBrokenOff, -1, "replay %d", latest)
		return
	}
	result, ok := a.latest()
	if !ok {
		return
	}
	if a.Outstanding > 0 {
		a.wrongf(OutcomeTooEarly, -1, "%d of them", a.Outstanding)
		return
	}
	if result.Planned != a.Planned || result.Done != a.Done || result.Failed != a.Failed {
		a.wrongf(OutcomeDisagrees, -1, "it says %d planned, %d done, %d failed", result.Planned, result.Done, result.Failed)
	}
	if is := a.held.Manifest.SHA256; result.Manifest != "" && is != "" && result.Manifest != is {
		a.wrongf(OutcomeDisagrees, -1, "it was made of another manifest, with digest %s", result.Manifest)
	}
	for _, letter := range result.DeadLetters {
		if record := a.records[letter.UID]; record.Phase != job.Failed {
			a.wrongf(OutcomeDisagrees, letter.UID, "it is dead there, and %s by its record", record.Phase)
		}
	}
	a.parts(result)
}

// latest decodes the last outcome; false if it cannot be read, which is then noted.
func (a *auditor) latest() (outcome.Result, bool) {
	for _, d := range a.held.Damage {
		if d.Where == job.BucketRounds {
			a.wrongf(OutcomeUnreadable, -1, "%s", d.Error)
			return outcome.Result{}, false
		}
	}
	result, err := outcome.Decode(a.held.Latest)
	if err != nil {
		a.wrongf(OutcomeUnreadable, -1, "%v", err)
	}
	return result, err == nil
}

// parts expects the evaluations that the outcome was made of to be unchanged, by their
// digests. Digests are nil if the caller has not read them: that takes a read of every
// evaluation. A missing evaluation is noted with its record.
func (a *auditor) parts(result outcome.Result) {
	if a.held.Digests == nil {
		return
	}
	for _, part := range result.Evaluations {
		if record := a.records[part.UID]; record.Stands() != part.Key {
			a.wrongf(EvaluationChanged, part.UID, "it was made of %s, and %q stands", part.Key, record.Stands())
			continue
		}
		digest, readable := a.held.Digests[part.Key]
		switch {
		case digest == part.SHA256:
		case readable:
			a.wrongf(EvaluationChanged, part.UID, "%s has another digest", part.Key)
		case slices.Contains(a.held.Evaluations, part.Key):
			a.wrongf(EvaluationChanged, part.UID, "%s cannot be read", part.Key)
		}
	}
}
