package page

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"mirrorfleet/producer/backup"
	"mirrorfleet/shared/terminal"
)

// Backup prints what a backup to a directory contains. The score cache is in the list only
// if --scores asked for it.
func Backup(w io.Writer, t backup.Manifest, dir string) error {
	if err := writeStreams(w, t.Streams); err != nil {
		return err
	}
	p := newPage(w)
	p.blank()
	p.textf(0, "Backup %s of fleet %s, of %s, taken in %s.", dir, t.Fleet, t.Began.Format(instantLayout),
		brisk(t.Ended.Sub(t.Began).Seconds()))
	return p.writeTo(w)
}

// writeStreams lists the streams of a backup.
func writeStreams(w io.Writer, streams []backup.Stream) error {
	// A stream's name is not cut, so that it can be given to the nats command as it stands.
	table := terminal.Table{Columns: []terminal.Column{{Title: "STREAM", Text: true, Whole: true}, {Title: "MESSAGES"}, {Title: "SIZE"}}}
	for i := range streams {
		s := &streams[i]
		table.Add(s.Name, strconv.FormatUint(s.Messages, 10), sized(s.Bytes))
	}
	return table.Write(w)
}

// sized prints a number of bytes in decimal units (1 kB is 1000 B), as disks are sold.
func sized(bytes int64) string {
	size, units := float64(bytes), []string{"B", "kB", "MB", "GB"}
	for size >= 1000 && len(units) > 1 {
		size, units = size/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}

// Restored prints what was restored from a directory. The notes are no errors. They name
// what a former restore had already written, and what changed while the backup was taken.
func Restored(w io.Writer, r backup.Restored, dir string) error {
	if err := writeStreams(w, r.Streams); err != nil {
		return err
	}
	p := newPage(w)
	p.blank()
	p.textf(0, "Restored %s: fleet %s as of %s.", dir, r.Fleet, r.Began.Format(instantLayout))
	if len(r.Present) > 0 {
		p.textf(0, "note: these already existed, with the same content as in the backup: %s", strings.Join(r.Present, ", "))
	}
	// Each stream's snapshot has its own instant. producer/backup/doc.go says why rounds
	// that change during a backup are left out or opened again.
	if len(r.Forgotten) > 0 {
		p.textf(0, "note: these rounds were begun or removed while the backup was taken, and are not in it: %s",
			strings.Join(r.Forgotten, ", "))
	}
	if len(r.Reopened) > 0 {
		p.textf(0, "note: these outcomes were written while the backup was taken; producer run --resume ROUND concludes their rounds again: %s",
			strings.Join(r.Reopened, ", "))
	}
	return p.writeTo(w)
}
