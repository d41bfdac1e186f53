package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	// ln is the exclusive creation: it fails if the file is there. A content that
	// ends early, as on a lost connection, has the wrong size and is removed,
	// before anything is said: then nobody may listen any more.
	script := fmt.Sprintf(`f=%s
t=%s
umask 077
if [ -e "$f" ] || [ -L "$f" ]; then echo "file exists" >&2; exit 17; fi
cat >"$t"
size=$(wc -c <"$t")
if [ "${size:-0}" -eq %d ] && chmod %o "$t" && ln "$t" "$f"; then rm -f "$t"; exit 0; fi
space=$(df -k "$t" 2>&1)
rm -f "$t"
printf '%%s\n' "$space" "wrote ${size:-none} of %[3]d bytes" >&2
exit 18`, Quote(path), Quote(path+"."+nonce), size, mode.Perm())
	s.send(fmt.Sprintf(`{ LC_ALL=C; export LC_ALL; printf '\n%%s\n' %[1]s; printf '\n%%s\n' %[1]s >&2
(eval %[3]s)
set -- "$?"; printf '\n%%s %%d\n' %[2]s "$1"; printf '\n%%s %%d\n' %[2]s "$1" >&2; exit; }
`, j.begin, j.end, Quote(script)))
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
