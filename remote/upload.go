package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/pkg/sftp"
)

// Upload writes a new file as the login user: it must not exist, gets mode 0600
// before its content and mode after it, and its size is checked at the end. On
// error the partial file is removed where that is possible. progress, which may be
// nil, gets the number of bytes sent so far.
//
// Where the server's umask is open, a file exists for a moment, empty, with a
// wider mode (SFTP cannot create it otherwise here): put secrets into a directory
// of mode 0700. It goes over SFTP, or through cat where the server has no SFTP.
func (c *Conn) Upload(ctx context.Context, path string, content io.Reader, size int64, mode fs.FileMode, progress func(done int64)) (err error) {
	done := c.d.observe(Op{Host: c.hop.label, Name: OpUpload, Path: path})
	defer func() { done(err) }()
	op := "upload " + Sanitize(path)
	if err := c.checkPath(op, path); err != nil {
		return err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	// One byte more than promised is enough to know.
	src := &counted{r: io.LimitReader(content, size+1), tell: progress}
	client, err := c.sftpClient(ctx, op)
	if err != nil {
		return err
	}
	if client == nil {
		return c.uploadCat(ctx, op, path, src, size, mode)
	}
	return c.uploadSFTP(ctx, op, client, path, src, size, mode)
}

// checkPath refuses what no file of ours is called.
func (c *Conn) checkPath(op, path string) error {
	if path == "" || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: errors.New("the path is empty or holds control characters")}
	}
	return nil
}

// counted counts what is read and keeps the reader's own error apart from the
// writer's.
type counted struct {
	r    io.Reader
	n    int64
	err  error
	tell func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if n > 0 {
		c.tell(c.n)
	}
	if err != nil && err != io.EOF {
		c.err = fmt.Errorf("read the content: %w", err)
	}
	return n, err
}

// sftpClient opens the SFTP channel of the connection, once. It returns nil
// without an error if the server has none.
func (c *Conn) sftpClient(ctx context.Context, op string) (*sftp.Client, error) {
	c.sftpMu.Lock()
	defer c.sftpMu.Unlock()
	if c.sftp != nil || c.noSFTP {
		return c.sftp, nil
	}
	ch, free, err := c.channel(ctx, op)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startPeriod, errSlowStart)
	defer cancel()
	ended := context.AfterFunc(ctx, func() { _ = ch.Close() })
	w, err1 := ch.StdinPipe()
	r, err2 := ch.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		_ = ch.Close()
		free()
		return nil, c.lost(op, err)
	}
	if err := ch.RequestSubsystem("sftp"); err != nil {
		_ = ch.Close()
		free()
		if !ended() {
			return nil, c.abandoned(ctx, op)
		}
		if c.settle(); c.isGone() {
			return nil, c.lost(op, err)
		}
		c.d.logf("%s: no sftp on this server (%v), using cat", c.hop.label, err)
		c.noSFTP = true
		return nil, nil
	}
	client, err := sftp.NewClientPipe(r, w, sftp.UseConcurrentWrites(true))
	if err != nil {
		_ = ch.Close()
		free()
		c.settle()
		switch {
		case c.isGone():
			return nil, c.lost(op, err)
		case !ended() && !errors.Is(context.Cause(ctx), errSlowStart):
			return nil, c.abandoned(ctx, op)
		}
		// Accepted, but not SFTP: the program is missing, or a login script prints.
		c.d.logf("%s: sftp does not work on this server (%v), using cat", c.hop.label, err)
		c.noSFTP = true
		return nil, nil
	}
	ended()
	c.sftp = client
	go func() {
		_ = client.Wait()
		_ = ch.Close()
		free()
		c.sftpMu.Lock() // the next upload opens another
		if c.sftp == client {
			c.sftp = nil
		}
		c.sftpMu.Unlock()
	}()
	return client, nil
}

func (c *Conn) uploadSFTP(ctx context.Context, op string, client *sftp.Client, path string, src *counted, size int64, mode fs.FileMode) error {
	type result struct {
		created bool
		err     error
	}
	finished := make(chan result, 1)
	go func() {
		var r result
		r.created, r.err = c.writeSFTP(ctx, client, path, src, size, mode)
		finished <- r
	}()
	remove := func() {
		gone := make(chan struct{})
		go func() {
			c.sftpCalls.Add(1)
			_ = client.Remove(path)
			close(gone)
		}()
		select {
		case <-gone:
		case <-time.After(cleanupPeriod):
		}
	}
	select {
	case r := <-finished:
		if r.err == nil {
			return nil
		}
		var failed error
		switch {
		case ctx.Err() != nil:
			failed = c.abandoned(ctx, op)
		case src.err == nil && (errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrUnexpectedEOF) || errors.Is(r.err, sftp.ErrSSHFxConnectionLost)):
			c.settle()
			failed = c.lost(op, r.err)
		default: // the free space as long as the partial file is there
			failed = c.uploadFailed(op, r.err, func() string { return freeSpace(client, path) })
		}
		if r.created && !c.isGone() {
			remove()
		}
		return failed
	case <-ctx.Done():
		// The writer sees it too and stops at the next block; if it cannot, the
		// connection hangs and the file cannot be removed either.
		select {
		case r := <-finished:
			if r.created {
				remove()
			}
		case <-time.After(cleanupPeriod):
		}
		return c.abandoned(ctx, op)
	}
}

var errSize = errors.New("the file has another size than the content")

func (c *Conn) writeSFTP(ctx context.Context, client *sftp.Client, path string, src *counted, size int64, mode fs.FileMode) (created bool, err error) {
	count := func() { c.sftpCalls.Add(1) }
	count()
	f, err := client.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		// SFTP has no code for a file that exists.
		if _, there := client.Lstat(path); there == nil {
			err = fs.ErrExist
		}
		return false, fmt.Errorf("create: %w", err)
	}
	defer func() {
		count()
		if e := f.Close(); err == nil && e != nil {
			err = fmt.Errorf("close: %w", e)
		}
	}()
	count()
	if err := f.Chmod(0o600); err != nil {
		return true, fmt.Errorf("set mode: %w", err)
	}
	count()
	_, err = f.ReadFromWithConcurrency(&cancelled{ctx, src}, 32)
	switch {
	case src.err != nil:
		return true, src.err
	case err != nil:
		return true, fmt.Errorf("write: %w", err)
	case src.n != size:
		return true, fmt.Errorf("%w: %d bytes announced, at least %d came", errSize, size, src.n)
	}
	// A full disk may only show here: the library can miss a failed block.
	count()
	st, err := f.Stat()
	if err != nil {
		return true, fmt.Errorf("check the size: %w", err)
	}
	if st.Size() != size {
		return true, fmt.Errorf("%w: %d of %d bytes arrived", errSize, st.Size(), size)
	}
	count()
	if err := f.Chmod(mode.Perm()); err != nil {
		return true, fmt.Errorf("set mode: %w", err)
	}
	return true, nil
}

// cancelled is a reader that ends with ctx.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// uploadFailed words an error of the file system. SFTP has no code for a full
// disk, only "failure", so the free space is looked at.
func (c *Conn) uploadFailed(op string, err error, space func() string) *Error {
	e := &Error{Host: c.hop.label, Op: op, Kind: Failed, Err: err}
	var status *sftp.StatusError
	if errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxFailure || errors.Is(err, errSize) {
		e.Evidence = space()
		e.Hint = "the disk may be full or a quota reached"
	}
	return e
}

func freeSpace(client *sftp.Client, path string) string {
	if _, ok := client.HasExtension("statvfs@openssh.com"); !ok {
		return ""
	}
	dir := path[:strings.LastIndexByte(path, '/')+1]
	if dir == "" {
		dir = "."
	}
	st, err := client.StatVFS(dir)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("free there: %d KiB, %d inodes", st.Bavail*st.Frsize>>10, st.Favail)
}
