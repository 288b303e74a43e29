package tokenscore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"mirrorfleet/shared/scoring"
)

// errIsolated says that a child died or ran out of its budget over a request.
// It is the pull request's loss and nobody's failure.
var errIsolated = errors.New("the child ended before its answer")

// child is one running child process. One request at a time may use it.
type child struct {
	cmd    *exec.Cmd
	in     *os.File      // its standard input
	out    *os.File      // its standard output
	send   *bufio.Writer // into in
	hear   *bufio.Reader // from out
	stderr *lineLogger
	log    *slog.Logger
	// weights is the digest of those that it has.
	weights string
	// used is the processor time that was last read of it.
	used time.Duration
	// exited is closed when the process has been waited for; end is how it
	// ended, to be read after that.
	exited chan struct{}
	end    error
}

// startChild starts a child and waits until it can work.
func startChild(ctx context.Context, cfg *Config, grammars string) (*child, error) {
	c, err := spawn(cfg)
	if err != nil {
		return nil, fmt.Errorf("starting a token-scoring child with %q: %w", cfg.Command, err)
	}
	if err := c.greet(ctx, cfg, grammars); err != nil {
		c.kill()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("starting a token-scoring child: %w", ctx.Err())
		}
		return nil, fmt.Errorf("the token-scoring child %q did not start (%w; it ended with: %s; it wrote: %s)",
			cfg.Command, err, endOf(c.end), c.stderr.last())
	}
	return c, nil
}

// spawn starts the process with pipes, and a goroutine that waits for it.
func spawn(cfg *Config) (*child, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), childIn.Close(), in.Close())
	}
	c := &child{
		in: in, out: out, send: bufio.NewWriterSize(in, sendBuffer), hear: bufio.NewReaderSize(out, hearBuffer),
		log: cfg.Log, exited: make(chan struct{}), stderr: &lineLogger{log: cfg.Log},
		// Not CommandContext: a pool's context ends requests, and Close ends children.
		cmd: exec.Command(cfg.Command[0], cfg.Command[1:]...), //nolint:noctx // see above
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = childIn, childOut, c.stderr
	c.cmd.WaitDelay = time.Second // should something else hold its standard error
	c.cmd.SysProcAttr = isolation()
	c.cmd.Env = append(os.Environ(), memoryEnvironment(cfg.MemoryLimit)...)
	err = c.cmd.Start()
	err = errors.Join(err, childIn.Close(), childOut.Close())
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	widen(in)
	c.stderr.started(c.cmd.Process.Pid)
	go func() {
		c.end = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// greet reads the child's hello and caps its memory from here on.
func (c *child) greet(ctx context.Context, cfg *Config, grammars string) error {
	defer context.AfterFunc(ctx, c.signalKill)()
	if err := c.within(cfg.StartTimeout); err != nil {
		return err
	}
	data, err := expectFrame(c.hear, frameHello)
	if err != nil {
		return fmt.Errorf("reading its greeting: %w", err)
	}
	var h hello
	if err := json.Unmarshal(data, &h); err != nil {
		return fmt.Errorf("reading its greeting: %w", err)
	}
	if h.Protocol != protocol || h.Grammars != grammars {
		return fmt.Errorf("it speaks protocol %d with grammars %.12s, want %d and %.12s",
			h.Protocol, h.Grammars, protocol, grammars)
	}
	if cfg.MemoryLimit < 0 {
		return nil
	}
	return limitMemory(c.cmd.Process.Pid, cfg.MemoryLimit)
}

// within gives all that follows a deadline.
func (c *child) within(d time.Duration) error {
	deadline := time.Now().Add(d)
	if err := errors.Join(c.in.SetDeadline(deadline), c.out.SetDeadline(deadline)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	return nil
}

// ready makes sure that the child is there and has the weights, and begins a
// pull request in the given trace, "" for none. It fails only if the child is
// gone, which costs no pull request anything.
func (c *child) ready(w *scoring.Weights, traceparent string, timeout time.Duration) error {
	if err := c.within(timeout); err != nil {
		return err
	}
	if c.weights != w.Digest() {
		data, err := encodeWeights(w)
		if err != nil {
			return err
		}
		if err := writeFrame(c.in, frameWeights, data); err != nil {
			return err
		}
		c.weights = w.Digest()
	}
	if err := writeFrame(c.in, frameBegin, traceparent); err != nil {
		return err
	}
	_, err := expectFrame(c.hear, frameReady)
	return err
}

// request is a file to be scored: base and head, each with the signatures that
// were found in it before, or nil.
type request struct {
	language string
	texts    [2]string
	known    [2][]byte
}

// answer is what a child says of a request; learned has nothing where known had.
type answer struct {
	figures scoring.Diff
	when    timing
	learned learned
}

// exchange has files scored, in order, and passes on what is said of each. The
// next file is on its way while the child works on one, so that neither waits
// for the other. After any error the child is of no use any more.
func (c *child) exchange(files []request, take func(i int, a *answer)) error {
	sent := make(chan error, 1)
	go func() { sent <- c.sendAll(files) }()
	err := c.receive(files, take)
	if err != nil {
		_ = c.in.SetWriteDeadline(time.Unix(1, 0)) // nobody reads on: do not wait for the budget's end
	}
	// Why nothing could be sent says more than that no answer came.
	if cause := <-sent; cause != nil && !isTimeout(cause) {
		return cause
	}
	return err
}

// sendBuffer holds most requests whole, so that one goes out in one write. Of a
// text that is larger the rest is not copied.
const sendBuffer = 64 << 10

// hearBuffer holds most answers whole: what a child says of a file takes one
// read, not two a frame, and wakes this process once.
const hearBuffer = 64 << 10

// sendAll sends all requests; when it cannot, it has receive wait no longer.
func (c *child) sendAll(files []request) error {
	for i := range files {
		if err := c.sendOne(&files[i]); err != nil {
			if !isTimeout(err) {
				_ = c.out.SetReadDeadline(time.Unix(1, 0))
			}
			return fmt.Errorf("sending a request: %w", err)
		}
	}
	return nil
}

func (c *child) sendOne(r *request) error {
	if err := writeFrame(c.send, frameLanguage, r.language); err != nil {
		return err
	}
	for i, text := range r.texts {
		if r.known[i] != nil {
			if err := writeFrame(c.send, frameKnown, r.known[i]); err != nil {
				return err
			}
		}
		if err := writeFrame(c.send, frameText, text); err != nil {
			return err
		}
	}
	return c.send.Flush() //nolint:wrapcheck // by the caller; so that the child begins
}

// receive reads the answers to all requests.
func (c *child) receive(files []request, take func(i int, a *answer)) error {
	for i := range files {
		a, err := c.receiveOne(&files[i])
		if err != nil {
			return err
		}
		take(i, a)
	}
	return nil
}

func (c *child) receiveOne(r *request) (a *answer, err error) {
	a = &answer{}
	for i, known := range r.known {
		if known == nil {
			if a.learned[i], err = expectFrame(c.hear, frameLearned); err != nil {
				return nil, err
			}
		}
	}
	data, err := expectFrame(c.hear, frameFigures)
	if err != nil {
		return nil, err
	}
	a.figures, a.when, err = decodeFigures(data)
	return a, err
}

// gone says whether the process has ended.
func (c *child) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// signalKill kills the process without waiting; its pipes break.
func (c *child) signalKill() { _ = c.cmd.Process.Kill() } // an error means that it is gone already

// kill ends the process and waits for it.
func (c *child) kill() {
	c.signalKill()
	<-c.exited
	c.closePipes()
}

// stop lets the process end on its own, as it does when its input ends.
func (c *child) stop(patience time.Duration) {
	_ = c.in.Close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		c.log.Warn("a token-scoring child did not end with its input and is killed", "pid", c.cmd.Process.Pid)
		c.signalKill()
		<-c.exited
	}
	c.closePipes()
}

func (c *child) closePipes() {
	_ = c.in.Close() // closing twice is an error of no consequence
	_ = c.out.Close()
}

func endOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}
