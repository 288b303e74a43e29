package tokenscore

import "io"

// What the external tests and fuzz targets reach into.

func ReadFrame(r io.Reader) (kind byte, payload []byte, err error) { return readFrame(r) }

func WriteFrame(w io.Writer, kind byte, payload []byte) error { return writeFrame(w, kind, payload) }

const (
	FrameWeights  = frameWeights
	FrameBegin    = frameBegin
	FrameLanguage = frameLanguage
	FrameText     = frameText
)

// Pids are the processes of the children in slots that are free now.
func (p *Pool) Pids() []int {
	var pids []int
	for range len(p.slots) {
		s := <-p.slots
		if s.child != nil {
			pids = append(pids, s.child.cmd.Process.Pid)
		}
		p.slots <- s
	}
	return pids
}

// MemoryOf is what a process has mapped and resident.
var MemoryOf = memoryOf
