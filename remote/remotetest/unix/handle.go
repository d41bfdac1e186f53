package unix

import (
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// Handle is one open file. It stays usable when the name is removed or replaced, as on Unix.
type Handle struct {
	t    *Tree
	n    *Node
	flag int
	off  int64
	snap []byte // what a generated file said when it was opened
}

// Open follows open(2); perm counts only for a new file and has the umask applied already.
func (t *Tree) Open(c Cred, name string, flag int, perm fs.FileMode) (*Handle, error) {
	h, err := t.openNode(c, name, flag, perm)
	if err == nil && h.n.gen != nil {
		h.snap = h.n.gen() // without the lock: it may look at processes and containers
	}
	return h, err
}

func (t *Tree) openNode(c Cred, name string, flag int, perm fs.FileMode) (*Handle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, n, err := t.walk(c, name, flag&os.O_EXCL == 0)
	if err != nil {
		return nil, err
	}
	access := flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	writes := access != os.O_RDONLY
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, syscall.ENOENT
	case n == nil && (dir.list != nil || !dir.allowed(c, 3)):
		return nil, syscall.EACCES
	case n == nil && strings.HasSuffix(name, "/"):
		return nil, syscall.EISDIR
	case n == nil:
		n = t.inode(perm.Perm(), c)
		dir.children[base] = n
		dir.mtime = t.now()
	case flag&os.O_EXCL != 0 && flag&os.O_CREATE != 0:
		return nil, syscall.EEXIST
	case n.mode&fs.ModeSymlink != 0:
		return nil, syscall.ELOOP
	case n.mode.IsDir() && writes:
		return nil, syscall.EISDIR
	case access != os.O_WRONLY && !n.allowed(c, 4), writes && !n.allowed(c, 2):
		return nil, syscall.EACCES
	case n.device == "tty":
		return nil, syscall.ENXIO
	case flag&os.O_TRUNC != 0 && writes && n.gen == nil:
		t.used -= int64(len(n.data))
		n.data, n.mtime = nil, t.now()
	}
	return &Handle{t: t, n: n, flag: flag}, nil
}

func (h *Handle) readable() bool { return h.flag&(os.O_WRONLY|os.O_RDWR) != os.O_WRONLY }
func (h *Handle) writable() bool { return h.flag&(os.O_WRONLY|os.O_RDWR) != 0 }

// Read reads at the handle's offset, and moves it.
func (h *Handle) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.off)
	h.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt reads without regard to the offset.
func (h *Handle) ReadAt(b []byte, off int64) (int, error) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	switch {
	case !h.readable():
		return 0, syscall.EBADF
	case h.n.mode.IsDir():
		return 0, syscall.EISDIR
	case h.n.device == "urandom":
		return rand.Read(b)
	case h.n.device == "zero":
		clear(b)
		return len(b), nil
	case h.n.device == "full":
		clear(b)
		return len(b), nil
	}
	data := h.n.data
	if h.n.gen != nil {
		data = h.snap
	}
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(b, data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Write writes at the offset, or at the end of a file that was opened to append.
func (h *Handle) Write(b []byte) (int, error) {
	if h.flag&os.O_APPEND != 0 {
		h.t.mu.Lock()
		h.off = int64(len(h.n.data))
		h.t.mu.Unlock()
	}
	n, err := h.WriteAt(b, h.off)
	h.off += int64(n)
	return n, err
}

// WriteAt writes without regard to the offset, and ENOSPC ends it where the disk is full.
func (h *Handle) WriteAt(b []byte, off int64) (int, error) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	switch {
	case !h.writable():
		return 0, syscall.EBADF
	case h.n.device == "full":
		return 0, syscall.ENOSPC
	case h.n.device != "" || h.n.gen != nil:
		return len(b), nil
	}
	end := off + int64(len(b))
	var short error
	if grow := end - int64(len(h.n.data)); grow > 0 {
		if room := h.t.capacity - h.t.used; grow > room {
			end -= grow - max(room, 0)
			b, short = b[:max(end-off, 0)], syscall.ENOSPC
			grow = max(room, 0)
		}
		if grow > 0 {
			h.n.data = append(h.n.data, make([]byte, grow)...)
			h.t.used += grow
		}
	}
	n := 0
	if off < int64(len(h.n.data)) {
		n = copy(h.n.data[off:], b)
	}
	h.n.mtime = h.t.now()
	return n, short
}

// Close does nothing: nobody counts handles.
func (h *Handle) Close() error { return nil }

// ReadFile reads a file as root.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	h, err := t.Open(Cred{}, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(h)
}

// WriteFile writes a file with the directories above it, as root.
func (t *Tree) WriteFile(name, content string, perm fs.FileMode) error {
	if err := t.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	h, err := t.Open(Cred{}, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if _, err = h.Write([]byte(content)); err != nil {
		return err
	}
	return t.Chmod(Cred{}, name, perm)
}

// MkdirAll makes a directory and those above it, as root.
func (t *Tree) MkdirAll(name string) error {
	if _, err := t.Stat(Cred{}, name, true); err == nil || name == "/" {
		return nil
	}
	if err := t.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	return t.Mkdir(Cred{}, name, 0o755)
}

// RemoveAll removes a file or a whole directory, as root.
func (t *Tree) RemoveAll(name string) {
	if infos, err := t.ReadDir(Cred{}, name); err == nil {
		if i, err := t.Stat(Cred{}, name, false); err == nil && i.IsDir() {
			for _, i := range infos {
				t.RemoveAll(path.Join(name, i.Path))
			}
		}
	}
	_ = t.Remove(Cred{}, name, true, true)
}

// special adds a file that the kernel makes.
func (t *Tree) special(name string, n Node) {
	_ = t.MkdirAll(path.Dir(name))
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, _, err := t.walk(Cred{}, name, false)
	if err != nil {
		return
	}
	n.ino, n.nlink, n.mtime = inodes.Add(1), 1, t.now()
	if n.mode.IsDir() && n.children == nil {
		n.children = map[string]*Node{}
	}
	dir.children[base] = &n
}

// Generated adds a file whose content the kernel makes whenever it is opened.
func (t *Tree) Generated(name string, f func() string) {
	t.special(name, Node{mode: 0o444, gen: func() []byte { return []byte(f()) }})
}

// Socket adds a socket.
func (t *Tree) Socket(name string, perm fs.FileMode) {
	t.special(name, Node{mode: fs.ModeSocket | perm})
}

// Truncate makes the file shorter.
func (h *Handle) Truncate(size int64) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	if size < int64(len(h.n.data)) {
		h.t.used -= int64(len(h.n.data)) - size
		h.n.data = h.n.data[:size]
	}
}

// Holding is the name of the file in a directory whose content is that text and at most a newline.
func (t *Tree) Holding(dir, text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(Cred{}, dir, true)
	if err != nil {
		return ""
	}
	for name, c := range n.children {
		if strings.TrimSuffix(string(c.data), "\n") == text {
			return name
		}
	}
	return ""
}
