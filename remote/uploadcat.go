package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// uploadCat sends a file through a shell. The content follows the script on the
// same stream only after the script's mark says that the shell has read all of the
// script and will read no more.
func (c *Conn) uploadCat(ctx context.Context, op, path string, src *counted, size int64, mode fs.FileMode) error {
	nonce := newNonce()
	j := newJob(nonce, 0, 0, nil)
	s, err := c.shell(ctx, op, false, j, nil)
	if err != nil {
		return err
	}
	defer s.abandon()
	script := scripts.With("upload_cat", "f", path, "t", path+"."+nonce, "size", strconv.FormatInt(size, 10), "mode", strconv.FormatUint(uint64(mode.Perm()), 8))
	s.send(wrapped(j.begin, j.end, script, "", "", "exit"))
	if err := s.awaitStart(ctx, func() bool { return j.out.began && j.err.began }); err != nil {
		return s.startError(ctx, err)
	}
	stop := context.AfterFunc(ctx, s.abandon)
	_, sent := io.Copy(s.stdin, src) // a write that fails has its reason in how the shell ends
	if src.err != nil && src.n == size {
		_, _ = s.stdin.Write([]byte{0}) // all came, yet it is not good: spoil the size
	}
	_ = s.stdin.Close()
	stop()
	_, err = j.run(ctx, s)
	var exit *ExitError
	switch {
	case err != nil && ctx.Err() != nil:
		return c.abandoned(ctx, op)
	case src.err != nil && (err == nil || errors.As(err, &exit)):
		return &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: src.err}
	case errors.As(err, &exit) && sent == nil && src.n != size:
		return &Error{
			Host: c.hop.label, Op: op, Kind: Failed,
			Err: fmt.Errorf("%w: %d bytes announced, at least %d came", errSize, size, src.n),
		}
	case errors.As(err, &exit):
		return &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: exit, Evidence: exit.Stderr}
	}
	return err
}
