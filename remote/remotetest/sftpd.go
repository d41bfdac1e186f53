package remotetest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/pkg/sftp"

	"provision/remote/remotetest/unix"
)

// serveSFTP answers the SFTP protocol on a stream, as the given user. Like OpenSSH's server it makes
// files 0666 less a umask of 022 before any chmod, and reports a full disk as a plain failure.
func (h *Host) serveSFTP(rw io.ReadWriteCloser, c unix.Cred) {
	f := sftpFiles{h, c}
	home := "/root"
	if c.UID != 0 {
		_, home = h.sys.Account(h.options.User)
	}
	s := sftp.NewRequestServer(rw, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f}, sftp.WithStartDirectory(home))
	_ = s.Serve()
	_ = s.Close()
}

type sftpFiles struct {
	h *Host
	c unix.Cred
}

var (
	_ sftp.OpenFileWriter       = sftpFiles{}
	_ sftp.PosixRenameFileCmder = sftpFiles{}
	_ sftp.StatVFSFileCmder     = sftpFiles{}
	_ sftp.LstatFileLister      = sftpFiles{}
	_ sftp.ReadlinkFileLister   = sftpFiles{}
)

// sftpError names what OpenSSH tells apart; all else is a failure without a reason.
func sftpError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return sftp.ErrSSHFxNoSuchFile
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return sftp.ErrSSHFxPermissionDenied
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return sftp.ErrSSHFxFailure
}

func (f sftpFiles) open(r *sftp.Request) (*unix.Handle, error) {
	p := r.Pflags()
	flag := os.O_RDONLY
	switch {
	case p.Read && p.Write:
		flag = os.O_RDWR
	case p.Write:
		flag = os.O_WRONLY
	}
	for _, b := range []struct {
		on   bool
		flag int
	}{{p.Creat, os.O_CREATE}, {p.Trunc, os.O_TRUNC}, {p.Excl, os.O_EXCL}, {p.Append, os.O_APPEND}} {
		if b.on {
			flag |= b.flag
		}
	}
	perm := fs.FileMode(0o666)
	if r.AttrFlags().Permissions {
		perm = r.Attributes().FileMode().Perm()
	}
	hd, err := f.h.sys.Tree.Open(f.c, r.Filepath, flag, perm&^0o022)
	if err != nil {
		return nil, sftpError(err)
	}
	return hd, nil
}

func (f sftpFiles) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	hd, err := f.open(r)
	return sftpHandle{hd}, err
}

func (f sftpFiles) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	hd, err := f.open(r)
	return sftpHandle{hd}, err
}

func (f sftpFiles) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	hd, err := f.open(r)
	return sftpHandle{hd}, err
}

type sftpHandle struct{ *unix.Handle }

func (s sftpHandle) WriteAt(b []byte, off int64) (int, error) {
	n, err := s.Handle.WriteAt(b, off)
	return n, sftpError(err)
}

func (f sftpFiles) Filecmd(r *sftp.Request) error {
	t := f.h.sys.Tree
	switch r.Method {
	case "Setstat":
		return sftpError(f.setstat(r))
	case "Rename":
		return sftpError(t.Rename(f.c, r.Filepath, r.Target, true))
	case "Rmdir":
		return sftpError(t.Remove(f.c, r.Filepath, true, false))
	case "Remove":
		return sftpError(t.Remove(f.c, r.Filepath, false, true))
	case "Mkdir":
		return sftpError(t.Mkdir(f.c, r.Filepath, 0o755))
	case "Link":
		return sftpError(t.Link(f.c, r.Filepath, r.Target))
	case "Symlink":
		return sftpError(t.Symlink(f.c, r.Filepath, r.Target))
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (f sftpFiles) PosixRename(r *sftp.Request) error {
	return sftpError(f.h.sys.Tree.Rename(f.c, r.Filepath, r.Target, false))
}

func (f sftpFiles) setstat(r *sftp.Request) error {
	t, a, has := f.h.sys.Tree, r.Attributes(), r.AttrFlags()
	if has.Size {
		hd, err := t.Open(f.c, r.Filepath, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		hd.Truncate(int64(a.Size))
	}
	if has.UidGid {
		if err := t.Chown(f.c, r.Filepath, int(a.UID), int(a.GID), true); err != nil {
			return err
		}
	}
	if has.Permissions {
		return t.Chmod(f.c, r.Filepath, a.FileMode())
	}
	return nil
}

func (f sftpFiles) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	total, free := f.h.sys.Blocks()
	return &sftp.StatVFS{
		Bsize: 4096, Frsize: 4096, Blocks: uint64(total / 4096), Bfree: uint64(free / 4096), Bavail: uint64(free / 4096),
		Files: 1 << 20, Ffree: 1 << 19, Favail: 1 << 19, Namemax: 255,
	}, nil
}

func (f sftpFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	switch r.Method {
	case "List":
		infos, err := f.h.sys.Tree.ReadDir(f.c, r.Filepath)
		out := make(listing, len(infos))
		for i := range infos {
			out[i] = infos[i]
		}
		return out, sftpError(err)
	case "Stat":
		return f.described(r.Filepath, true)
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

func (f sftpFiles) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	return f.described(r.Filepath, false)
}

func (f sftpFiles) described(name string, follow bool) (sftp.ListerAt, error) {
	i, err := f.h.sys.Tree.Stat(f.c, name, follow)
	if lie := f.h.options.SFTPSize; lie != nil {
		i.Bytes = lie(name, i.Bytes)
	}
	return listing{i}, sftpError(err)
}

func (f sftpFiles) Readlink(name string) (string, error) {
	i, err := f.h.sys.Tree.Stat(f.c, name, false)
	if err != nil {
		return "", sftpError(err)
	}
	return i.Target, nil
}

type listing []os.FileInfo

func (l listing) ListAt(out []os.FileInfo, off int64) (int, error) {
	if off >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(out, l[off:])
	if n < len(out) {
		return n, io.EOF
	}
	return n, nil
}

// sftpServerMain is the program that the subsystem runs, for those who start it themselves.
func sftpServerMain(p *proc) int {
	p.host.count(func(c *Counts) { c.SFTP++ })
	p.host.serveSFTP(p.Stream(), p.Cred)
	return 0
}
