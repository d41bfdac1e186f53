package unix

import (
	"io/fs"
	"strings"
	"syscall"
	"time"
)

// place is walk for something that is about to be made, replaced or removed in its directory.
func (t *Tree) place(c Cred, name string) (*Node, string, *Node, error) {
	dir, base, n, err := t.walk(c, name, false)
	switch {
	case err != nil:
		return nil, "", nil, err
	case dir.list != nil:
		return nil, "", nil, syscall.EACCES
	case !dir.allowed(c, 3):
		return dir, base, n, syscall.EACCES
	}
	return dir, base, n, nil
}

// Mkdir makes a directory.
func (t *Tree) Mkdir(c Cred, name string, perm fs.FileMode) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, n, err := t.place(c, name)
	if n != nil {
		return syscall.EEXIST
	}
	if err != nil {
		return err
	}
	dir.children[base] = t.inode(fs.ModeDir|perm, c)
	dir.nlink++
	dir.mtime = t.now()
	return nil
}

// mayUnlink: sticky directories (/tmp) let only the owner remove or rename an entry.
func (n *Node) mayUnlink(c Cred, entry *Node) bool {
	return n.mode&fs.ModeSticky == 0 || c.UID == 0 || c.UID == entry.uid || c.UID == n.uid
}

// Remove removes a file, an empty directory, or whichever of them it is told to.
func (t *Tree) Remove(c Cred, name string, dirOK, fileOK bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, n, err := t.place(c, name)
	switch {
	case n == nil && (err == nil || dir != nil):
		return syscall.ENOENT
	case err != nil:
		return err
	case base == ".":
		return syscall.EBUSY
	case !dir.mayUnlink(c, n):
		return syscall.EPERM
	case n.mode.IsDir() && !dirOK:
		return syscall.EISDIR
	case !n.mode.IsDir() && !fileOK:
		return syscall.ENOTDIR
	case len(n.children) > 0:
		return syscall.ENOTEMPTY
	}
	delete(dir.children, base)
	dir.mtime = t.now()
	if n.mode.IsDir() {
		dir.nlink--
	}
	t.unlink(n)
	return nil
}

func (t *Tree) unlink(n *Node) {
	if n.nlink--; n.nlink <= 0 || n.mode.IsDir() {
		t.used -= int64(len(n.data))
	}
}

// Rename replaces an existing target, as rename(2) does; with keep it fails instead.
func (t *Tree) Rename(c Cred, from, to string, keep bool) error {
	if strings.HasSuffix(from, "/.") {
		return syscall.EBUSY
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fromDir, fromBase, n, err := t.place(c, from)
	if err != nil {
		return err
	}
	if n == nil {
		return syscall.ENOENT
	}
	toDir, toBase, old, err := t.place(c, to)
	switch {
	case err != nil:
		return err
	case fromBase == "." || toBase == ".":
		return syscall.EBUSY
	case old != nil && keep:
		return syscall.EEXIST
	case old == n:
		return nil
	case !fromDir.mayUnlink(c, n), old != nil && !toDir.mayUnlink(c, old):
		return syscall.EPERM
	case old != nil && old.mode.IsDir() && !n.mode.IsDir():
		return syscall.EISDIR
	case old != nil && !old.mode.IsDir() && n.mode.IsDir():
		return syscall.ENOTDIR
	case old != nil && len(old.children) > 0:
		return syscall.ENOTEMPTY
	case n.mode.IsDir() && contains(n, toDir):
		return syscall.EINVAL
	}
	if old != nil {
		t.unlink(old)
	}
	delete(fromDir.children, fromBase)
	toDir.children[toBase] = n
	fromDir.mtime, toDir.mtime = t.now(), t.now()
	if n.mode.IsDir() {
		fromDir.nlink--
		if old == nil {
			toDir.nlink++
		}
	}
	return nil
}

func contains(n, other *Node) bool {
	if n == other {
		return true
	}
	for _, k := range n.children {
		if contains(k, other) {
			return true
		}
	}
	return false
}

// Link gives a file another name.
func (t *Tree) Link(c Cred, from, to string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, from, false)
	if err != nil {
		return err
	}
	dir, base, old, err := t.place(c, to)
	switch {
	case old != nil:
		return syscall.EEXIST
	case err != nil:
		return err
	case n.mode.IsDir():
		return syscall.EPERM
	}
	dir.children[base] = n
	n.nlink++
	dir.mtime = t.now()
	return nil
}

// Symlink makes a symbolic link.
func (t *Tree) Symlink(c Cred, target, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, old, err := t.place(c, name)
	if old != nil {
		return syscall.EEXIST
	}
	if err != nil {
		return err
	}
	n := t.inode(fs.ModeSymlink|0o777, c)
	n.target = target
	dir.children[base] = n
	dir.mtime = t.now()
	return nil
}

// Chmod changes a file's mode.
func (t *Tree) Chmod(c Cred, name string, perm fs.FileMode) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	switch {
	case err != nil:
		return err
	case c.UID != 0 && c.UID != n.uid:
		return syscall.EPERM
	}
	const set = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	n.mode = n.mode&^set | perm&set
	return nil
}

// Chown leaves an owner or group of -1 as it is.
func (t *Tree) Chown(c Cred, name string, uid, gid int, follow bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, follow)
	if err != nil {
		return err
	}
	if c.UID != 0 && (c.UID != n.uid || (uid != -1 && uid != n.uid) || (gid != -1 && gid != n.gid && !c.in(gid))) {
		return syscall.EPERM
	}
	if uid != -1 {
		n.uid = uid
	}
	if gid != -1 {
		n.gid = gid
	}
	if !n.mode.IsDir() {
		n.mode &^= fs.ModeSetuid | fs.ModeSetgid
	}
	return nil
}

func (t *Tree) touch(c Cred, name string, when time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	switch {
	case err != nil:
		return err
	case c.UID != n.uid && !n.allowed(c, 2):
		return syscall.EACCES
	}
	n.mtime = when
	return nil
}

// Blank is a directory that is nowhere yet, the root of another file system.
func (t *Tree) Blank() *Node {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.inode(fs.ModeDir|0o755, Cred{})
	n.children["lost+found"] = t.inode(fs.ModeDir|0o700, Cred{})
	return n
}

// Swap puts another directory in a directory's place and returns the one that was there.
func (t *Tree) Swap(name string, with *Node) *Node {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, base, n, err := t.place(Cred{}, name)
	if err != nil || n == nil || !n.mode.IsDir() {
		return nil
	}
	dir.children[base] = with
	return n
}
