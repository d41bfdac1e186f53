package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
)

// Download says which file to bring from the host, and where to.
type Download struct {
	Path string // of a regular file, or of a link to one
	Root bool
	To   io.Writer // called as Stdout of a [Stream] is

	// Progress, which may be nil, gets the bytes written so far and the size of the file, both in bytes,
	// from the goroutine that writes; the first time before the first byte.
	Progress func(done, size int64)
}

// Download copies a file of the host into a writer and returns its size in bytes. The host tells the
// SHA-256 of the file when all of it was sent, and it has to be that of what was written: a file that
// changes meanwhile is an error, too. Whatever the error, what was written by then is not the file, and
// the caller has to throw it away.
//
// A file that cannot be read, for whatever reason, is an error of kind Failed; otherwise it fails and
// ends with ctx as [Conn.Stream] does. It needs cat, wc and sha256sum on the host, and no SFTP.
func (c *Conn) Download(ctx context.Context, d Download) (size int64, err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpDownload, Root: d.Root, Path: d.Path})
	defer func() { done(err) }()
	op := "download " + Sanitize(d.Path)
	if err := c.checkPath(op, d.Path); err != nil {
		return 0, err
	}
	r := &receiver{d: d, sum: sha256.New()}
	if r.d.Progress == nil {
		r.d.Progress = func(int64, int64) {}
	}
	err = c.stream(ctx, op, Stream{Script: scripts.With("download", "f", d.Path), Root: d.Root, Stdout: r})
	var exit *ExitError
	switch {
	case errors.As(err, &exit):
		return 0, &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: exit, Evidence: exit.Stderr}
	case err != nil:
		return 0, err
	}
	if err := r.check(); err != nil {
		return 0, &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: err, Hint: "if something writes to the file, try again when it is at rest"}
	}
	return r.size, nil
}

// receiver takes apart what download.sh prints.
type receiver struct {
	d         Download
	head      []byte // the line with the size, as far as it has come
	size      int64
	begun     bool
	done      int64
	sum       hash.Hash
	trailer   []byte
	excessive bool
}

func (r *receiver) Write(p []byte) (int, error) {
	all := len(p)
	if !r.begun {
		line, rest, found := bytes.Cut(p, []byte("\n"))
		if r.head = append(r.head, line...); len(r.head) > 20 {
			return 0, errors.New("the host told no size")
		}
		if !found {
			return all, nil
		}
		size, err := strconv.ParseInt(string(r.head), 10, 64)
		if err != nil || size < 0 {
			return 0, errors.New("the host told no size")
		}
		r.size, r.begun, p = size, true, rest
		r.d.Progress(0, size)
	}
	if n := min(int64(len(p)), r.size-r.done); n > 0 {
		written, err := r.d.To.Write(p[:n])
		if err == nil && int64(written) < n {
			err = io.ErrShortWrite
		}
		if err != nil {
			return 0, err
		}
		r.sum.Write(p[:n])
		r.done += n
		p = p[n:]
		r.d.Progress(r.done, r.size)
	}
	if room := 2*sha256.Size + 1 - len(r.trailer); len(p) > room {
		r.excessive = true
	} else {
		r.trailer = append(r.trailer, p...)
	}
	return all, nil
}

var errChanged = errors.New("the file changed while it was read")

func (r *receiver) check() error {
	switch want, got := hex.EncodeToString(r.sum.Sum(nil)), strings.TrimSuffix(string(r.trailer), "\n"); {
	case !r.begun:
		return errors.New("the host told no size")
	case r.done < r.size:
		return fmt.Errorf("%w: %d of %d bytes came", errChanged, r.done, r.size)
	case r.excessive || len(got) != len(want):
		return fmt.Errorf("%w: it is no longer %d bytes", errChanged, r.size)
	case got != want:
		return fmt.Errorf("%w, or was damaged on the way: its SHA-256 on the host is %s, that of what came %s", errChanged, Sanitize(got), want)
	}
	return nil
}
