package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// show prints where everything is and what to try, within 80 columns unless a path is long.
func (f *fleet) show(out io.Writer, took time.Duration) error {
	var b strings.Builder
	processes := len(f.servers) + len(f.producers) + len(f.others) + 1
	fmt.Fprintf(&b, "\nThe fleet is up: %d processes, ready after %.1f s. Ctrl-C ends it.\n\n", processes, took.Seconds())
	for _, line := range [][2]string{
		{"dashboard", "http://" + f.addresses["api-1"] + "/"},
		{"orders", "their token is in " + f.secret("api-token")},
		{"gateways", fmt.Sprintf("http://%s (north), http://%s (south)", f.addresses["gateway-north"], f.addresses["gateway-south"])},
		{"mirror", "http://" + f.addresses["mirror"] + "/sim/stats"},
		{"folder", f.dir + ": log/, run/, secrets/"},
	} {
		fmt.Fprintf(&b, "%-10s %s\n", line[0], line[1])
	}
	b.WriteString("\nReady after")
	var times []string
	for _, p := range append(append(append([]*process{}, f.servers...), f.producers...), f.others...) {
		if p.page != "" {
			times = append(times, fmt.Sprintf("%s %.1f s", p.name, p.took.Seconds()))
		}
	}
	line := 11
	for i, text := range times {
		if i < len(times)-1 {
			text += ","
		}
		if line+1+len(text) > 80 {
			b.WriteString("\n ")
			line = 1
		}
		b.WriteString(" " + text)
		line += 1 + len(text)
	}
	fmt.Fprintf(&b, `

What to try, in another terminal:

    . %s/producer.env
    producer watch                            # the round that runs
    producer workers                          # who works, and behind which egress
    producer egresses                         # the two buckets
    producer doctor
    kill -9 $(cat $FLEET/run/worker-1.pid)    # it is started again; nothing is lost
    kill $(cat $FLEET/run/producer-1.pid)     # the standby takes over
    kill -USR2 $(cat $FLEET/run/nats-2.pid)   # lame duck: one of three leaves
    producer backup backup-1                  # make up RESTORE=backup-1 begins with it
`, f.dir)
	if _, err := io.WriteString(out, b.String()+"\n"); err != nil {
		return fmt.Errorf("printing the addresses: %w", err)
	}
	return nil
}
