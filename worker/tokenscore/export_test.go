package tokenscore

import (
	"io"
	"time"

	"mirrorfleet/shared/scoring/tokens"
)

// What the external tests and fuzz targets reach into.

func ReadFrame(r io.Reader) (kind byte, payload []byte, err error) { return readFrame(r) }

func WriteFrame(w io.Writer, kind byte, payload []byte) error { return writeFrame(w, kind, payload) }

func EncodeFigures(d *tokens.Diff) []byte { return encodeFigures(d, timing{}) }

func DecodeFigures(data []byte) (tokens.Diff, error) {
	d, _, err := decodeFigures(data)
	return d, err
}

const (
	FrameWeights  = frameWeights
	FrameBegin    = frameBegin
	FrameLanguage = frameLanguage
	FrameText     = frameText
	FrameFigures  = frameFigures
)

// Worked is the processor time of all children so far.
func (p *Pool) Worked() time.Duration { return p.usage.total() }

// Age makes the children in free slots look as if they had worked for so long.
func (p *Pool) Age(d time.Duration) {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	for _, s := range p.queue.free {
		if s.child != nil {
			s.child.used.Store(int64(d))
		}
	}
}

// Left is what is left of a budget.
func (b *Budget) Left() time.Duration { return b.left() }

// Pids are the processes of the children in slots that are free now.
func (p *Pool) Pids() []int {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	var pids []int
	for _, s := range p.queue.free {
		if s.child != nil {
			pids = append(pids, s.child.cmd.Process.Pid)
		}
	}
	return pids
}
