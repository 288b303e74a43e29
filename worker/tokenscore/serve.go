package tokenscore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// ChildConfig is the configuration of a child process.
type ChildConfig struct {
	// Grammars is the directory that `make grammars` builds. The parent has checked its
	// files.
	Grammars string
	// ParseTimeout is the processor time for parsing one text. A text that takes longer has
	// no nodes. Default 2 s: docs/rules/scoring.md#tree-diff.
	ParseTimeout time.Duration
	// Sandbox is the mode of the parent's Config. Default sandbox.Auto.
	Sandbox sandbox.Mode
}

// Serve is the main loop of a child process. It reads requests from r, and answers on w. It
// returns when r ends, which is how a parent ends its child, or when ctx ends.
//
// On the process's own standard input, Serve ignores the signals that end a worker: a
// draining worker still needs its children, and their pipes end with it.
func Serve(ctx context.Context, r io.Reader, w io.Writer, cfg ChildConfig) error {
	if r == io.Reader(os.Stdin) {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	}
	// All parsing happens on one thread. Otherwise the C heap would keep one arena for each
	// thread on which this goroutine happened to run.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	l, err := cfg.open()
	if err != nil {
		return &GrammarsError{Dir: cfg.Grammars, Err: err}
	}
	defer l.close()
	var held sandbox.State
	if cfg.Sandbox != sandbox.Off {
		if held, err = sandbox.Enter(l.files()...); err != nil {
			return fmt.Errorf("entering the sandbox: %w", err)
		}
	}
	greeting, err := json.Marshal(hello{Protocol: protocol, Grammars: l.manifest.Digest(), Sandbox: held})
	if err != nil {
		return fmt.Errorf("encoding the greeting: %w", err)
	}
	s := &server{in: bufio.NewReaderSize(r, pipeBuffer), out: bufio.NewWriterSize(w, pipeBuffer), scorer: newScorer(l, cfg.ParseTimeout)}
	if err := s.answer(frameHello, greeting); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := s.next(); errors.Is(err, errEnd) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// open opens the runtime by its absolute path. For a relative path the loader would look at
// the directory where it begins, which the sandbox refuses.
func (cfg *ChildConfig) open() (*library, error) {
	dir, err := filepath.Abs(cfg.Grammars)
	if err != nil {
		return nil, fmt.Errorf("finding the grammars: %w", err)
	}
	m, err := manifest.Read(dir)
	if err != nil {
		return nil, err
	}
	return openLibrary(dir, m)
}

// errEnd is the orderly end of the requests.
var errEnd = errors.New("no more requests")

// server answers requests, one at a time.
type server struct {
	in     *bufio.Reader
	out    *bufio.Writer
	scorer *scorer
	traced bool // somebody records the pull request: each file is timed
}

// next reads one request and answers it.
func (s *server) next() error {
	kind, payload, err := readFrame(s.in)
	if errors.Is(err, io.EOF) {
		return errEnd
	}
	if err != nil {
		return err
	}
	switch kind {
	case frameWeights:
		return s.scorer.setWeights(payload)
	case frameBegin:
		s.traced = len(payload) > 0
		return s.answer(frameReady, nil)
	case frameLanguage:
		return s.file(string(payload))
	default:
		return &FrameError{Type: kind, Length: uint32(len(payload)), Reason: "want a request"}
	}
}

// file reads the two texts that follow, base and head, and answers with the file's scores.
func (s *server) file(language string) error {
	var texts [2]string
	for i := range texts {
		text, err := expectFrame(s.in, frameText)
		if err != nil {
			return err
		}
		texts[i] = string(text)
	}
	began := time.Now()
	figures, err := s.scorer.diff(language, texts)
	if errors.Is(err, errNoMemory) {
		return err // ends the process, as it does where the runtime finds no memory
	}
	if err != nil {
		return s.answer(frameFailed, []byte(err.Error()))
	}
	var when timing
	if s.traced {
		when = timing{began.UnixNano(), time.Now().UnixNano()}
	}
	return s.answer(frameFigures, encodeFigures(&figures, when))
}

func (s *server) answer(kind byte, payload []byte) error {
	if err := writeFrame(s.out, kind, payload); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return nil
}
