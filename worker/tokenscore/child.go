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
	"sync/atomic"
	"time"

	"mirrorfleet/shared/scoring/tokens"
	"mirrorfleet/worker/tokenscore/sandbox"
)

// child is one running child process. One request at a time may use it.
type child struct {
	cmd    *exec.Cmd
	in     *os.File      // its standard input
	out    *os.File      // its standard output
	send   *bufio.Writer // into in
	hear   *bufio.Reader // from out
	stderr *lineLogger
	log    *slog.Logger
	held   sandbox.State // what holds it
	// client is nil before the first pull request.
	client *client
	// used is the child's processor time as last read, in nanoseconds.
	used atomic.Int64
	// exited is closed when the process has been waited for. end is the result, and may be
	// read after that.
	exited chan struct{}
	end    error
}

// client is one author under one set of weights. A child serves a single client. A file that
// takes over its child could decide all later scores of that child, so files of other
// authors never reach it.
type client struct{ author, weights string }

// serves says whether a child may get a client's files. An unknown author never shares a
// child: two unknown authors may be different people.
func (c *child) serves(who client) bool {
	return c.client == nil || *c.client == who && who.author != ""
}

// startChild starts a child and waits until it is ready. If a child does not start in a
// namespace, it is started without one. Some kernels offer no namespaces; in others a
// namespace takes away the right to read the grammars.
func startChild(ctx context.Context, cfg *Config, grammars string) (c *child, err error) {
	for _, namespace := range attempts(cfg.Sandbox) {
		c, err = start(ctx, cfg, grammars, namespace)
		if err == nil || ctx.Err() != nil || isTimeout(err) {
			break
		}
	}
	return c, err
}

func start(ctx context.Context, cfg *Config, grammars string, namespace bool) (*child, error) {
	c, err := spawn(cfg, namespace)
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

// spawn starts the process with its pipes, and a goroutine that waits for its end.
func spawn(cfg *Config, namespace bool) (*child, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), childIn.Close(), in.Close())
	}
	c := &child{
		in:     in,
		out:    out,
		send:   bufio.NewWriterSize(in, pipeBuffer),
		hear:   bufio.NewReaderSize(out, pipeBuffer),
		log:    cfg.Log,
		exited: make(chan struct{}),
		stderr: &lineLogger{log: cfg.Log},
		held:   sandbox.State{Namespace: namespace},
		// Not CommandContext: a pool's context ends requests, and Close ends children.
		cmd: exec.Command(cfg.Command[0], cfg.Command[1:]...), //nolint:noctx // see above
	}
	c.cmd.Stdin = childIn
	c.cmd.Stdout = childOut
	c.cmd.Stderr = c.stderr
	c.cmd.WaitDelay = time.Second // should something else hold its standard error
	c.cmd.SysProcAttr = isolation(namespace)
	c.cmd.Env = environment(cfg.MemoryLimit)
	err = errors.Join(c.cmd.Start(), childIn.Close(), childOut.Close())
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	c.stderr.started(c.cmd.Process.Pid)
	go func() {
		c.end = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// greet reads the child's hello, checks its sandbox, and limits it from then on.
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
		return fmt.Errorf("%w: it speaks protocol %d with grammars %.12s, want %d and %.12s",
			ErrReplaced, h.Protocol, h.Grammars, protocol, grammars)
	}
	c.held.Landlock, c.held.Seccomp = h.Sandbox.Landlock, h.Sandbox.Seccomp
	if err := c.held.Satisfies(cfg.Sandbox); err != nil {
		return err
	}
	return sandbox.Limit(c.cmd.Process.Pid, sandbox.Limits{
		Memory: cfg.MemoryLimit, Processor: maxWorked + cfg.Budget, Namespace: c.held.Namespace,
	})
}

// maxWorked is the processor time after which a child gets no more pull requests. The kernel
// kills a child that uses more than that plus one pull request's budget, also between two
// pull requests, when no watch runs.
const maxWorked = 20 * time.Minute

// tired says that the child has used maxWorked and must be replaced.
func (c *child) tired() bool { return c.worked() > maxWorked }

// within sets a deadline for all further reads and writes.
func (c *child) within(d time.Duration) error { return c.deadline(time.Now().Add(d)) }

// deadline sets the instant by which all further reads and writes must end; the zero time
// means never.
func (c *child) deadline(at time.Time) error {
	if err := errors.Join(c.in.SetDeadline(at), c.out.SetDeadline(at)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	return nil
}

// errNotReady says that a child did not begin a pull request: it has ended, or hangs. The
// pull request loses nothing by it.
var errNotReady = errors.New("the child did not begin")

// exchange scores the files of one pull request in order, and passes each answer to take.
// trace is the trace to continue, "" for none. It returns the number of answers. All
// requests are sent while the child already works, so neither side waits for the other.
// After any error the child is unusable.
func (c *child) exchange(
	p *pull, trace string, start time.Duration, w *watch, take func(tokens.Diff, timing),
) (answered int, err error) {
	if err := c.within(start); err != nil {
		return 0, err
	}
	first := c.client == nil
	c.client = &p.client
	sent := make(chan error, 1)
	go func() { sent <- c.sendAll(p, trace, first) }()
	answered, err = c.receive(p, w, take)
	if err != nil {
		_ = c.in.SetWriteDeadline(time.Unix(1, 0)) // the child reads no more
	}
	// The reason why sending failed says more than a missing answer, except for a
	// child that was killed.
	switch cause := <-sent; {
	case cause == nil || isTimeout(cause) || isOverrun(err):
		return answered, err
	case errors.Is(err, errNotReady):
		return answered, fmt.Errorf("%w (%w)", err, cause)
	default:
		return answered, cause
	}
}

// pipeBuffer is the size of the buffers on both pipes, in bytes. Most requests and answers
// fit whole, so each takes one write and one read, and wakes its reader once. The part of a
// larger text that does not fit is not copied.
const pipeBuffer = 64 << 10

// sendAll sends everything that a pull request needs. If it fails, it kills the child, so
// that receive does not wait for answers to requests that were never sent.
func (c *child) sendAll(p *pull, trace string, first bool) error {
	err := c.sendBegin(p.weights, trace, first)
	for i := 0; err == nil && i < len(p.files); i++ {
		err = c.sendOne(p.files[i])
	}
	if err == nil || isTimeout(err) {
		return err
	}
	c.signalKill()
	return fmt.Errorf("sending a request: %w", err)
}

// sendBegin sends the start of a pull request. If it is the child's first, the weights come
// before it. It is flushed with the first file.
func (c *child) sendBegin(w *tokens.Weights, trace string, first bool) error {
	if first {
		data, err := encodeWeights(w)
		if err != nil {
			return err
		}
		if err := writeFrame(c.send, frameWeights, data); err != nil {
			return err
		}
	}
	return writeFrame(c.send, frameBegin, trace)
}

func (c *child) sendOne(plan *tokens.FilePlan) error {
	if err := writeFrame(c.send, frameLanguage, plan.Language); err != nil {
		return err
	}
	for _, text := range []string{plan.Base, plan.Head} {
		if err := writeFrame(c.send, frameText, text); err != nil {
			return err
		}
	}
	return c.send.Flush() //nolint:wrapcheck // by the caller; so that the child begins
}

// receive reads the answers to all requests. The watch runs from the moment at which the
// child begins.
func (c *child) receive(p *pull, w *watch, take func(tokens.Diff, timing)) (answered int, err error) {
	if _, err := expectFrame(c.hear, frameReady); err != nil {
		return 0, fmt.Errorf("%w: %w", errNotReady, err)
	}
	if err := c.deadline(time.Time{}); err != nil {
		return 0, err
	}
	w.begin(c)
	for answered < len(p.files) && err == nil {
		if err = c.receiveOne(p.files[answered], p.weights, take); err == nil {
			answered++
		}
	}
	if overrun := w.end(c); overrun != nil {
		return answered, overrun
	}
	return answered, err
}

// receiveOne reads the answer to one file. It refuses scores that the file's texts cannot
// have: they show that a file has taken over the child.
func (c *child) receiveOne(plan *tokens.FilePlan, weights *tokens.Weights, take func(tokens.Diff, timing)) error {
	data, err := expectFrame(c.hear, frameFigures)
	if err != nil {
		return err
	}
	figures, when, err := decodeFigures(data)
	if err != nil {
		return err
	}
	if err := figures.Possible(weights, len(plan.Base)+len(plan.Head)); err != nil {
		return &FrameError{Type: frameFigures, Length: uint32(len(data)), Reason: err.Error()}
	}
	take(figures, when)
	return nil
}

// worked is the total processor time of the process. It never decreases: while the process
// ends, its clock cannot be read, and the last value counts.
func (c *child) worked() time.Duration {
	if c.gone() {
		return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
	}
	used, err := processorTime(c.cmd.Process.Pid)
	for last := c.used.Load(); ; last = c.used.Load() {
		if err != nil || int64(used) <= last {
			return time.Duration(last)
		}
		if c.used.CompareAndSwap(last, int64(used)) {
			return used
		}
	}
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

// signalKill kills the process and does not wait. Its pipes then break.
func (c *child) signalKill() { _ = c.cmd.Process.Kill() } // an error means that it is gone already

// kill ends the process and waits for it.
func (c *child) kill() {
	c.signalKill()
	<-c.exited
	c.closePipes()
}

// stop closes the child's input, waits until the process ends by itself, and kills it after
// patience.
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
