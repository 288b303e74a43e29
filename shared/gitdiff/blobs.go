package gitdiff

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// blobReader is a git cat-file --batch process: one object a line in, its
// header and bytes out.
type blobReader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// blob reads an object's bytes; nil when it is larger than the mirror sends. After a
// failure the process is closed and the next call starts another one: the rest of its
// output would be taken for the next object.
func (r *Repository) blob(ctx context.Context, id string) (data []byte, size int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blobs == nil {
		// The process outlives the request that starts it: Close ends it.
		if r.blobs, err = startBlobReader(r.command(context.WithoutCancel(ctx), "cat-file", "--batch")); err != nil {
			return nil, 0, err
		}
	}
	data, size, err = r.blobs.read(id)
	if err != nil {
		err = errors.Join(err, r.blobs.close())
		r.blobs = nil
	}
	return data, size, err
}

// errMissing is no fault of git's: a partial clone lacks texts until they are fetched, and
// nothing is fetched here.
var errMissing = mendable("a text is missing: the clone is partial or damaged; " +
	"fetch it whole (git fetch --refetch --no-filter), or clone it anew")

// startBlobReader starts a process that ends with close.
func startBlobReader(cmd *exec.Cmd) (*blobReader, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	return &blobReader{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

// read asks for one object. After an error the output is out of step and must not be read
// any more.
func (b *blobReader) read(id string) (data []byte, size int, err error) {
	if _, err := fmt.Fprintln(b.in, id); err != nil {
		return nil, 0, fmt.Errorf("asking git cat-file: %w", err)
	}
	header, err := b.out.ReadString('\n')
	if err != nil {
		return nil, 0, fmt.Errorf("reading git cat-file: %w", err)
	}
	if strings.TrimSpace(header) == id+" missing" {
		return nil, 0, errMissing
	}
	var kind string
	if n, _ := fmt.Sscanf(header, id+" %s %d", &kind, &size); n != 2 {
		return nil, 0, fmt.Errorf("git cat-file says %q", strings.TrimSpace(header))
	}
	if size > maxContent {
		_, err = io.CopyN(io.Discard, b.out, int64(size))
	} else {
		data = make([]byte, size)
		_, err = io.ReadFull(b.out, data)
	}
	if err == nil {
		_, err = b.out.Discard(1) // the line break after the bytes
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading git cat-file: %w", err)
	}
	return data, size, nil
}

// close ends the process by closing its input.
func (b *blobReader) close() error {
	_ = b.in.Close()
	_, _ = io.Copy(io.Discard, b.out) // it may be blocked in a write
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("git cat-file: %w", err)
	}
	return nil
}
