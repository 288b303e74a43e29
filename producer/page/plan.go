package page

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/terminal"
)

// Plan prints a table of the estimate's numbers, and below it where each comes from. COLD
// is a round with an empty score cache, WARM one with a full cache. A real round lies
// between the two.
func Plan(w io.Writer, p estimate.Estimate) error {
	head, from := newPage(w), newPage(w)
	head.headingf("A round of %s (%s), %d of them with a job", plural.Of(p.Listed.Value, "miner"), p.Listed.From, p.Jobs.Value)
	head.blank()
	table := terminal.Table{Columns: []terminal.Column{{}, {Title: "COLD"}, {Title: "WARM"}}}
	number := func(name string, of func(estimate.Kind) estimate.Count) {
		table.Add(name, strconv.Itoa(of(p.Cold).Value), strconv.Itoa(of(p.Warm).Value))
	}
	length := func(name string, of func(estimate.Kind) estimate.Length) {
		table.Add(name, seconds(of(p.Cold)), seconds(of(p.Warm)))
	}
	number("look-ups", func(k estimate.Kind) estimate.Count { return k.LookUps })
	number("files", func(k estimate.Kind) estimate.Count { return k.Files })
	number("by the producer", func(k estimate.Kind) estimate.Count { return k.Producer })
	number("requests in all", func(k estimate.Kind) estimate.Count { return k.Requests })
	// Times count from the first permit to the last. printSources names the pause that a new
	// bucket adds.
	length("time at the limit", func(k estimate.Kind) estimate.Length { return k.Time })
	length("with a second egress", func(k estimate.Kind) estimate.Length { return k.TwoEgresses })
	number("workers that use it up", func(k estimate.Kind) estimate.Count { return k.Workers })
	from.blank()
	printSources(from, &p)
	// A table lays itself out for the writer and cannot stand inside a page. So there are
	// three writes, and an error can leave the first of them printed.
	for _, write := range []func(io.Writer) error{head.writeTo, table.Write, from.writeTo} {
		if err := write(w); err != nil {
			return err
		}
	}
	return nil
}

// printSources says where each number comes from: a measured round, a file, a flag, or an
// assumption. Only files differ between a cold and a warm round. The other numbers have
// the same source in both, so the cold one's stands for both.
func printSources(out *page, p *estimate.Estimate) {
	from := func(name, format string, args ...any) {
		out.hangf(fmt.Sprintf("  %-18s", name), format, args...)
	}
	from("cold, warm", "nothing, or all that can be kept, is in the score cache")
	from("jobs", "%s", p.Jobs.From)
	from("look-ups", "%s", p.Cold.LookUps.From)
	from("files, cold", "%s", p.Cold.Files.From)
	from("files, warm", "%s", p.Warm.Files.From)
	from("by the producer", "%s", p.Cold.Producer.From)
	from("time at the limit", "%.3f permits a second, %s; a bucket that begins adds a pause", p.Rate, p.RateFrom)
	from("second egress", "%s", p.Cold.TwoEgresses.From)
	from("workers", "%s; more of them only stand in for one another, and up to %s %s served in order (%s)",
		p.Cold.Workers.From, plural.Forms(p.Processes.Value, "process", "processes"), plural.Are(p.Processes.Value), p.Processes.From)
	if p.Last == nil {
		return
	}
	took := ""
	if p.Last.Seconds > 0 { // 0 after a replay: the time until its end says nothing about a round
		took = fmt.Sprintf(", and took %s", time.Duration(p.Last.Seconds*float64(time.Second)).Round(time.Second))
	}
	from("the last round", "%s made %s for its jobs, had %s from the cache%s (measured)",
		p.Last.Round, plural.Of(p.Last.Requests, "request"), plural.Of(p.Last.Cached, "pull request"), took)
}

// seconds prints a length to the second. An estimate is not more exact than that.
func seconds(l estimate.Length) string { return l.Duration().Round(time.Second).String() }
