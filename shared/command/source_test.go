package command_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/command"
)

// An address that requests cannot leave from is refused at start: they would all fail, one
// after the other. 192.0.2.0/24 is no machine's (RFC 5737).
func TestTheSourceAddressIsThisMachines(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1": "", "": "", "here": `"here": want an IP address`, "192.0.2.1": "192.0.2.1: not an address of this machine", "127.0.0.1:80": "want an IP address",
	} {
		var stderr bytes.Buffer
		ran := false
		c := &cli.Command{
			Name: "test", Flags: command.Mirror(), ErrWriter: &stderr, Writer: &stderr,
			Action: func(context.Context, *cli.Command) error { ran = true; return nil },
		}
		code := command.Run(c, []string{"test", "--source-address", address}, &stderr)
		if refused := want != ""; ran == refused || refused && (code != 2 || !strings.Contains(stderr.String(), want) || !strings.Contains(stderr.String(), "--source-address")) {
			t.Errorf("--source-address %q: code %d, said %q; want %q", address, code, stderr.String(), want)
		}
	}
}
