package tokenscore

import (
	"io"

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

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

// Parser parses without walking: what a benchmark compares with.
type Parser struct{ library *library }

func NewParser(dir string) (*Parser, error) {
	m, err := manifest.Read(dir)
	if err != nil {
		return nil, err
	}
	l, err := openLibrary(dir, m)
	return &Parser{l}, err
}

func (p *Parser) Close() { p.library.close() }

func (p *Parser) Parse(language string, text []byte) error {
	lang, err := p.library.language(language)
	if err != nil {
		return err
	}
	_, err = p.library.walk(lang, nil, text, parseTimeout)
	return err
}
