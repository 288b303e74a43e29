package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/scoring"
)

// printResult prints an outcome for a person: a line per miner, then what the
// round lacks.
func printResult(w io.Writer, r round.Result) {
	fmt.Fprintf(w, "\nRound %s, as of %s", r.Round, r.AsOf.Format("2006-01-02 15:04:05 MST"))
	if r.Revision > 1 {
		fmt.Fprintf(w, ", revision %d", r.Revision)
	}
	fmt.Fprint(w, "\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "UID\tGITHUB ID\tMERGED\tOPEN\tCLOSED\tCREDIBILITY\tSCORE\tISSUES\tREWARD\t  NOTE")
	sum := 0.0
	rewards := map[int]float64{}
	for _, reward := range r.Outcome.Rewards {
		rewards[reward.UID] = reward.Reward
		sum += reward.Reward
	}
	for _, m := range r.Outcome.Miners {
		if m.Failed != "" {
			fmt.Fprintf(table, "%d\t\t\t\t\t\t\t\t%.6f\t  %s\n", m.UID, rewards[m.UID], m.Failed)
			continue
		}
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%d\t%.2f\t%.4f\t%.2f\t%.6f\t  %s\n", m.UID, m.GitHubID, m.TotalMergedPRs,
			m.TotalOpenPRs, m.TotalClosedPRs, m.Credibility, m.TotalScore, m.IssueDiscoveryScore, rewards[m.UID], note(m))
	}
	_ = table.Flush()
	fmt.Fprintf(w, "\nRewards sum to %.9f.\n", sum)
	printJobs(w, r)
}

// note is what a reader should know of a miner beside its figures.
func note(m scoring.MinerOutcome) string {
	switch {
	case m.FromStored:
		return "from its stored evaluation"
	case m.FetchFailed:
		return "its pull requests could not be listed"
	case m.IssuesFailed:
		return "its issues could not be listed"
	case m.IssuesIncomplete:
		return "its issues are incomplete"
	case !m.Eligible && m.TotalMergedPRs+m.TotalOpenPRs+m.TotalClosedPRs > 0:
		return "not eligible"
	}
	return ""
}

func printJobs(w io.Writer, r round.Result) {
	cached := ""
	if r.Cached > 0 {
		cached = fmt.Sprintf(", %d pull requests from the cache", r.Cached)
	}
	fmt.Fprintf(w, "%d jobs: %d done (%d degraded), %d failed; %d attempts were repeated; %d requests%s.\n",
		r.Planned, r.Done, len(r.Degraded), r.Failed, r.Retries, r.Requests, cached)
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	for _, m := range r.Mended {
		fmt.Fprintf(w, "mended: miner %d: %s\n", m.UID, m.What)
	}
	for _, d := range r.DeadLetters {
		fmt.Fprintf(w, "dead letter: miner %d, %s after %d attempts: %s\n", d.UID, d.Class, d.Attempts, d.Error)
	}
	for _, d := range r.Degraded {
		fmt.Fprintf(w, "degraded: miner %d lacks %d answers, first %s: %s\n", d.UID, len(d.Missing), d.Missing[0].What, d.Missing[0].Error)
	}
	for _, m := range r.Malformed {
		names := make([]string, len(m.Items))
		for i, item := range m.Items {
			names[i] = item.Item
		}
		fmt.Fprintf(w, "malformed: miner %d, skipped %s\n", m.UID, strings.Join(names, ", "))
	}
	for _, l := range r.FailedLookUps {
		fmt.Fprintf(w, "failed: %s: %s\n", l.What, l.Error)
	}
	if len(r.Unloadable) > 0 {
		fmt.Fprintf(w, "Languages that gave no nodes, as in the validator: %s.\n", strings.Join(r.Unloadable, ", "))
	}
	if r.Complete {
		fmt.Fprintln(w, "The round is complete.")
	} else {
		fmt.Fprintln(w, "The round is NOT complete.")
	}
}
