package mirrorsim

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// demo is a case of one round with an instance of every rule: 24 miners and 6
// repositories. Two miners besides the recycle uid fail by a rule. The list of another
// fails four times before it succeeds. `zstd -d` makes the file readable.
//
//go:embed demo.json.zst
var demo []byte

// Demo makes the demo world.
func Demo() (*World, error) {
	c, err := readCase("demo", ".zst", bytes.NewReader(demo))
	if err != nil {
		return nil, err
	}
	return c.World(0)
}

// ReadCase reads a case from a JSON file, which may be compressed (.gz, .zst).
func ReadCase(path string) (*Case, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("case: %w", err)
	}
	defer file.Close()
	return readCase("case "+path, filepath.Ext(path), file)
}

// readCase reads a case that is compressed as the extension says.
func readCase(name, extension string, in io.Reader) (*Case, error) {
	data, err := decompress(extension, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &Case{name: name}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, c.check()
}

// decompress reads all that there is.
func decompress(extension string, in io.Reader) (data []byte, err error) {
	switch extension {
	case ".gz":
		in, err = gzip.NewReader(in)
	case ".zst":
		var dec *zstd.Decoder
		if dec, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1)); err == nil {
			defer dec.Close()
			in = dec
		}
	}
	if err == nil {
		data, err = io.ReadAll(in)
	}
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return data, nil
}
