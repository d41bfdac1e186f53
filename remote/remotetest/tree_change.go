package remotetest

import (
	"io/fs"
	"strings"
	"syscall"
	"time"
)

// place is walk for something that is about to be made, replaced or removed in its directory.
func (t *tree) place(c cred, name string) (*node, string, *node, error) {
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

func (t *tree) mkdir(c cred, name string, perm fs.FileMode) error {
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
func (n *node) mayUnlink(c cred, entry *node) bool {
	return n.mode&fs.ModeSticky == 0 || c.uid == 0 || c.uid == entry.uid || c.uid == n.uid
}

func (t *tree) remove(c cred, name string, dirOK, fileOK bool) error {
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

func (t *tree) unlink(n *node) {
	if n.nlink--; n.nlink <= 0 || n.mode.IsDir() {
		t.used -= int64(len(n.data))
	}
}

// rename replaces an existing target, as rename(2) does; with keep it fails instead.
func (t *tree) rename(c cred, from, to string, keep bool) error {
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

func contains(n, other *node) bool {
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

func (t *tree) link(c cred, from, to string) error {
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

func (t *tree) symlink(c cred, target, name string) error {
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

func (t *tree) chmod(c cred, name string, perm fs.FileMode) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	switch {
	case err != nil:
		return err
	case c.uid != 0 && c.uid != n.uid:
		return syscall.EPERM
	}
	const set = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	n.mode = n.mode&^set | perm&set
	return nil
}

// chown leaves an owner or group of -1 as it is.
func (t *tree) chown(c cred, name string, uid, gid int, follow bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, follow)
	if err != nil {
		return err
	}
	if c.uid != 0 && (c.uid != n.uid || (uid != -1 && uid != n.uid) || (gid != -1 && gid != n.gid && !c.in(gid))) {
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

func (t *tree) touch(c cred, name string, when time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(c, name, true)
	switch {
	case err != nil:
		return err
	case c.uid != n.uid && !n.allowed(c, 2):
		return syscall.EACCES
	}
	n.mtime = when
	return nil
}
