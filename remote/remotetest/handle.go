package remotetest

import (
	"crypto/rand"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// handle is one open file. It stays usable when the name is removed or replaced, as on Unix.
type handle struct {
	t    *tree
	n    *node
	flag int
	off  int64
	snap []byte // what a generated file said when it was opened
}

// open follows open(2); perm counts only for a new file and has the umask applied already.
func (t *tree) open(c cred, name string, flag int, perm fs.FileMode) (*handle, error) {
	h, err := t.openNode(c, name, flag, perm)
	if err == nil && h.n.gen != nil {
		h.snap = h.n.gen() // without the lock: it may look at processes and containers
	}
	return h, err
}

func (t *tree) openNode(c cred, name string, flag int, perm fs.FileMode) (*handle, error) {
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
	return &handle{t: t, n: n, flag: flag}, nil
}

func (h *handle) readable() bool { return h.flag&(os.O_WRONLY|os.O_RDWR) != os.O_WRONLY }
func (h *handle) writable() bool { return h.flag&(os.O_WRONLY|os.O_RDWR) != 0 }

func (h *handle) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.off)
	h.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
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

func (h *handle) Write(b []byte) (int, error) {
	if h.flag&os.O_APPEND != 0 {
		h.t.mu.Lock()
		h.off = int64(len(h.n.data))
		h.t.mu.Unlock()
	}
	n, err := h.WriteAt(b, h.off)
	h.off += int64(n)
	return n, err
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
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

func (h *handle) Close() error { return nil }

// readFile and writeFile are for this package itself: they act as root.
func (t *tree) readFile(name string) ([]byte, error) {
	h, err := t.open(cred{}, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(h)
}

func (t *tree) writeFile(name, content string, perm fs.FileMode) error {
	if err := t.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	h, err := t.open(cred{}, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if _, err = h.Write([]byte(content)); err != nil {
		return err
	}
	return t.chmod(cred{}, name, perm)
}

func (t *tree) mkdirAll(name string) error {
	if _, err := t.stat(cred{}, name, true); err == nil || name == "/" {
		return nil
	}
	if err := t.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	return t.mkdir(cred{}, name, 0o755)
}

// removeAll removes a file or a whole directory, as root.
func (t *tree) removeAll(name string) {
	if infos, err := t.readDir(cred{}, name); err == nil {
		if i, err := t.stat(cred{}, name, false); err == nil && i.IsDir() {
			for _, i := range infos {
				t.removeAll(path.Join(name, i.Path))
			}
		}
	}
	_ = t.remove(cred{}, name, true, true)
}

// special adds a file that the kernel makes.
func (t *tree) special(name string, n node) {
	_ = t.mkdirAll(path.Dir(name))
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, _, err := t.walk(cred{}, name, false)
	if err != nil {
		return
	}
	n.ino, n.nlink, n.mtime = inodes.Add(1), 1, t.now()
	if n.mode.IsDir() && n.children == nil {
		n.children = map[string]*node{}
	}
	dir.children[base] = &n
}

func (h *handle) truncate(size int64) {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	if size < int64(len(h.n.data)) {
		h.t.used -= int64(len(h.n.data)) - size
		h.n.data = h.n.data[:size]
	}
}

// holding is the name of the file in a directory whose content is that text and at most a newline.
func (t *tree) holding(dir, text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(cred{}, dir, true)
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
