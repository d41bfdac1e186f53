package unix

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Cred is who asks. Root passes every permission check.
type Cred struct {
	UID, GID int
	groups   []int
}

func (c Cred) in(gid int) bool { return c.GID == gid || slices.Contains(c.groups, gid) }

// Node is one inode. Directories have children, symbolic links a target, and files whose content
// the kernel makes have gen.
type Node struct {
	ino      uint64
	mode     fs.FileMode
	uid, gid int
	mtime    time.Time
	nlink    int
	data     []byte
	target   string
	children map[string]*Node
	gen      func() []byte
	list     func() map[string]*Node // a directory that the kernel makes (/proc)
	device   string                  // null, zero, urandom, tty
}

// Tree is a file system. Its owners, modes and times are recorded here, since this process may not
// set them on real files.
type Tree struct {
	mu       sync.Mutex
	root     *Node
	now      func() time.Time
	capacity int64
	used     int64
}

func newTree(now func() time.Time, capacity int64) *Tree {
	t := &Tree{now: now, capacity: capacity}
	t.root = t.inode(fs.ModeDir|0o755, Cred{})
	return t
}

// inodes numbers the files of all machines: a disk that is moved from one to another brings its own, and
// two files of the same number are one to mv and test.
var inodes atomic.Uint64

func (t *Tree) inode(mode fs.FileMode, c Cred) *Node {
	n := &Node{ino: inodes.Add(1), mode: mode, uid: c.UID, gid: c.GID, mtime: t.now(), nlink: 1}
	if mode.IsDir() {
		n.children, n.nlink = map[string]*Node{}, 2
	}
	return n
}

// allowed applies owner, group and other bits; want is a mask of 4, 2, 1.
func (n *Node) allowed(c Cred, want fs.FileMode) bool {
	if c.UID == 0 {
		return want&1 == 0 || n.mode.IsDir() || n.mode.Perm()&0o111 != 0
	}
	bits := n.mode.Perm()
	switch {
	case n.uid == c.UID:
		bits >>= 6
	case c.in(n.gid):
		bits >>= 3
	}
	return bits&want == want
}

func (n *Node) child(name string) *Node {
	if n.list != nil {
		if k := n.list()[name]; k != nil {
			return k
		}
	}
	return n.children[name]
}

func (n *Node) names() []string {
	all := maps.Clone(n.children)
	if n.list != nil {
		for k, v := range n.list() {
			all[k] = v
		}
	}
	return slices.Sorted(maps.Keys(all))
}

const maxLinks = 40

// walk resolves a path. It returns the directory that holds the last component, that component's
// name, and its inode (nil if there is none). The caller holds the lock.
func (t *Tree) walk(c Cred, name string, follow bool) (dir *Node, base string, n *Node, err error) {
	links, root := 0, t.root
	if dir, rest, ok := strings.Cut(name, RootMark); ok {
		if _, _, root, err = t.walkFrom(Cred{}, []*Node{t.root}, dir, true, &links); err != nil {
			return nil, "", nil, err
		}
		if root == nil {
			return nil, "", nil, syscall.ENOENT
		}
		name = "/" + rest
	}
	return t.walkFrom(c, []*Node{root}, name, follow, &links)
}

// RootMark stands in a path between the directory that a container has mounted and the rest of it:
// the way to that directory is no business of the container's.
const RootMark = "\x00"

func (t *Tree) walkFrom(c Cred, stack []*Node, name string, follow bool, links *int) (*Node, string, *Node, error) {
	if name == "" {
		return nil, "", nil, syscall.ENOENT
	}
	if strings.HasPrefix(name, "/") {
		stack = stack[:1]
	}
	slash := strings.HasSuffix(name, "/")
	parts := slices.DeleteFunc(strings.Split(name, "/"), func(s string) bool { return s == "" || s == "." })
	if len(parts) == 0 {
		top := stack[len(stack)-1]
		return top, ".", top, nil
	}
	for i, part := range parts {
		last := i == len(parts)-1
		cur := stack[len(stack)-1]
		if !cur.mode.IsDir() {
			return nil, "", nil, syscall.ENOTDIR
		}
		if !cur.allowed(c, 1) {
			return nil, "", nil, syscall.EACCES
		}
		if part == ".." {
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			if last {
				top := stack[len(stack)-1]
				return top, ".", top, nil
			}
			continue
		}
		if len(part) > 255 {
			return nil, "", nil, syscall.ENAMETOOLONG
		}
		next := cur.child(part)
		if next == nil {
			if last {
				return cur, part, nil, nil
			}
			return nil, "", nil, syscall.ENOENT
		}
		if next.mode&fs.ModeSymlink != 0 && (!last || follow || slash) {
			if *links++; *links > maxLinks {
				return nil, "", nil, syscall.ELOOP
			}
			d, b, target, err := t.walkFrom(c, slices.Clone(stack), next.target, true, links)
			if err != nil {
				return nil, "", nil, err
			}
			if last {
				if slash && target != nil && !target.mode.IsDir() {
					return nil, "", nil, syscall.ENOTDIR
				}
				return d, b, target, nil
			}
			if target == nil {
				return nil, "", nil, syscall.ENOENT
			}
			// ".." after a link goes to the parent of the link's target; parents that the target's
			// own path passed through are found again from its directory.
			stack = append(slices.Clone(stack[:1]), d, target)
			continue
		}
		if last {
			if slash && !next.mode.IsDir() {
				return nil, "", nil, syscall.ENOTDIR
			}
			return cur, part, next, nil
		}
		stack = append(slices.Clone(stack), next)
	}
	return nil, "", nil, syscall.ENOENT
}

// find is walk for something that must exist.
func (t *Tree) find(c Cred, name string, follow bool) (*Node, error) {
	_, _, n, err := t.walk(c, name, follow)
	if err == nil && n == nil {
		err = syscall.ENOENT
	}
	return n, err
}

// Info describes one file of a simulated host.
type Info struct {
	Path     string
	FileMode fs.FileMode
	UID, GID int
	Bytes    int64
	Time     time.Time
	Target   string // of a symbolic link
	Links    int
	Inode    uint64
}

var _ fs.FileInfo = Info{}

func (i Info) Name() string { return path.Base(i.Path) }

func (i Info) Size() int64 { return i.Bytes }

func (i Info) Mode() fs.FileMode { return i.FileMode }

func (i Info) ModTime() time.Time { return i.Time }

func (i Info) IsDir() bool { return i.FileMode.IsDir() }

func (i Info) Sys() any { return nil }

func (i Info) Uid() uint32 { return uint32(i.UID) }

func (i Info) Gid() uint32 { return uint32(i.GID) }

func (n *Node) info(name string) Info {
	size := int64(len(n.data))
	switch {
	case n.mode.IsDir():
		size = 4096
	case n.mode&fs.ModeSymlink != 0:
		size = int64(len(n.target))
	}
	return Info{
		Path: name, FileMode: n.mode, UID: n.uid, GID: n.gid, Bytes: size, Time: n.mtime,
		Target: n.target, Links: n.nlink, Inode: n.ino,
	}
}

// Stat describes a file.
func (t *Tree) Stat(c Cred, name string, follow bool) (Info, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, follow)
	if err != nil {
		return Info{}, err
	}
	return n.info(name), nil
}

// ReadDir describes what a directory holds, by name.
func (t *Tree) ReadDir(c Cred, name string) ([]Info, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	switch {
	case err != nil:
		return nil, err
	case !n.mode.IsDir():
		return nil, syscall.ENOTDIR
	case !n.allowed(c, 4):
		return nil, syscall.EACCES
	}
	var infos []Info
	for _, k := range n.names() {
		infos = append(infos, n.child(k).info(k))
	}
	return infos, nil
}

// Access is nil if the file may be used so: 4 read, 2 write, 1 execute or pass.
func (t *Tree) Access(c Cred, name string, want fs.FileMode) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	if err == nil && !n.allowed(c, want) {
		err = syscall.EACCES
	}
	return err
}
