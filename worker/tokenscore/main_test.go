package tokenscore_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore"
)

// childEnv makes the test binary a child process of a pool.
const childEnv = "MIRRORFLEET_TEST_CHILD"

// parseEnv is a test child's ParseTimeout.
const parseEnv = "MIRRORFLEET_TEST_PARSE_TIMEOUT"

// Texts that hold one of these make a child fail while it reads them.
const (
	sigkillMark    = "\x01please die by SIGKILL\x01"
	hangMark       = "\x01please hang for good\x01"
	spinMark       = "\x01please work for good\x01"
	lieMark        = "\x01please lie from now on\x01"
	impossibleMark = "\x01please say what cannot be\x01"
	babbleMark     = "\x01please say all twice\x01"
)

func TestMain(m *testing.M) {
	switch mode := os.Getenv(childEnv); mode {
	case "":
		goleak.VerifyTestMain(m)
	case "serve":
		os.Exit(serve())
	case "parent":
		os.Exit(parent())
	case "busy":
		busy()
	case "mute": // neither greets nor ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		select {}
	default:
		fmt.Fprintf(os.Stderr, "this child cannot work: %s\n", mode)
		os.Exit(3)
	}
}

func serve() int {
	// By default no parse is cut short: a busy machine must not decide a test.
	timeout, err := time.ParseDuration(cmp.Or(os.Getenv(parseEnv), "1h"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := pin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := withhold(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg := tokenscore.ChildConfig{Grammars: fleettest.Grammars(), ParseTimeout: timeout}
	// The standard input itself, so that signals are handled as in a worker,
	// unless the texts are to be watched.
	var in io.Reader = os.Stdin
	var out io.Writer = os.Stdout
	if os.Getenv("MIRRORFLEET_TEST_SABOTAGE") != "" {
		watched := &saboteur{from: os.Stdin}
		in, out = watched, &liar{os.Stdout, watched}
	}
	if err := tokenscore.Serve(context.Background(), in, out, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// parent is a worker of sorts: it has a child hang over a file, and
// waits to be killed; what the child says goes to its log.
func parent() int {
	self, _ := os.Executable()
	pool, err := tokenscore.New(context.Background(), tokenscore.Config{
		Command:  []string{"env", childEnv + "=serve", "MIRRORFLEET_TEST_SABOTAGE=1", self},
		Children: 1, Grammars: fleettest.Grammars(), HangTimeout: time.Hour,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	languages, tokenFile := tokens.DefaultWeights()
	weights, err := tokens.ParseWeights(languages, tokenFile)
	if err == nil {
		_, err = pool.Score(context.Background(), "1", weights, []tokens.File{added("a.go", hangMark)}, nil)
	}
	fmt.Fprintln(os.Stderr, "the child did not hang:", err)
	return 1
}

// saboteur watches what a child reads and carries out the marks, when the child
// has read what stands before them and wants more.
type saboteur struct {
	from io.Reader
	tail []byte // marks may stand across two reads
	then func()

	lying, impossible, babbling bool // see liar
}

func (s *saboteur) Read(p []byte) (int, error) {
	if s.then != nil {
		s.then()
	}
	n, err := s.from.Read(p)
	s.tail = append(s.tail, p[:n]...)
	for mark, then := range map[string]func(){
		sigkillMark: func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) },
		hangMark:    func() { fmt.Fprintln(os.Stderr, "hanging"); select {} },
		spinMark:    func() { spin(nil) },
	} {
		if at := bytes.Index(s.tail, []byte(mark)); at >= 0 {
			s.then, n = then, max(0, n-len(s.tail)+at)
		}
	}
	s.lying = s.lying || bytes.Contains(s.tail, []byte(lieMark))
	s.impossible = s.impossible || bytes.Contains(s.tail, []byte(impossibleMark))
	s.babbling = s.babbling || bytes.Contains(s.tail, []byte(babbleMark))
	s.tail = s.tail[max(0, len(s.tail)-64):]
	return n, err
}
