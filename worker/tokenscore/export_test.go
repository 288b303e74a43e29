package tokenscore

import (
	"io"

	"mirrorfleet/shared/scoring"
	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

// What the external tests and fuzz targets reach into.

func ReadFrame(r io.Reader) (kind byte, payload []byte, err error) { return readFrame(r) }

func WriteFrame(w io.Writer, kind byte, payload []byte) error { return writeFrame(w, kind, payload) }

func EncodeFigures(d *scoring.Diff) []byte { return encodeFigures(d, timing{}) }

func DecodeFigures(data []byte) (scoring.Diff, error) {
	d, _, err := decodeFigures(data)
	return d, err
}

const (
	FrameWeights  = frameWeights
	FrameBegin    = frameBegin
	FrameLanguage = frameLanguage
	FrameText     = frameText
	FrameKnown    = frameKnown
)

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

// Remembers says whether a pool knows what was found in a text.
func (p *Pool) Remembers(w *scoring.Weights, language, text string) bool {
	k := newKeyed(p.seed, content{w.Digest(), language, text})
	return p.seen.get(&k) != nil
}

// Start starts a process as children are started.
var Start = start

// MemoryOf is what a process has mapped and resident.
var MemoryOf = memoryOf

// ParseAll parses texts of a language each, and nothing else: what a benchmark
// compares with.
func ParseAll(dir string, each func(parse func(language string, text []byte) error) error) error {
	m, err := manifest.Read(dir)
	if err != nil {
		return err
	}
	l, err := openLibrary(dir, m)
	if err != nil {
		return err
	}
	defer l.close()
	return each(func(name string, text []byte) error {
		lang, err := l.language(name)
		if err != nil {
			return err
		}
		return l.parse(lang, text)
	})
}
