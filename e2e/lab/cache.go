//go:build linux

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func cacheDir() string { return envOr("PROVISION_LAB_CACHE", "/var/cache/provision-lab") }
func stateDir() string { return envOr("PROVISION_LAB_STATE", "/var/lib/provision-lab") }

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// flock takes the exclusive lock of a file, waiting until ctx ends. The lock
// ends with the returned function, or with the process.
func flock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// digest names a cached thing by all that its recipe reads.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// cached returns the directory of a thing that takes long to make, and makes it
// first if the cache lacks it. What is there is whole: it is built beside its
// place and renamed into it. One process builds a kind at a time, others wait.
func cached(ctx context.Context, log Log, kind, key string, build func(ctx context.Context, dir string) error) (string, error) {
	unlock, err := flock(ctx, filepath.Join(cacheDir(), kind+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(cacheDir(), kind+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half, err := filepath.Glob(filepath.Join(cacheDir(), "half."+kind+"-*"))
	if err != nil {
		return "", err
	}
	temp := filepath.Join(cacheDir(), "half."+kind+"-"+key)
	for _, h := range append(half, temp) {
		if err := removeTree(h); err != nil {
			return "", fmt.Errorf("removing a half-built cache: %w", err)
		}
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return "", err
	}
	start := time.Now()
	log("making %s, once", kind)
	if err := build(ctx, temp); err != nil {
		return "", fmt.Errorf("making %s: %w", kind, errors.Join(err, removeTree(temp)))
	}
	now := time.Now() // prune goes by it, whatever the tree's own time is
	if err := os.Chtimes(temp, now, now); err != nil {
		return "", err
	}
	syscall.Sync() // a machine that stops now must not leave a named but empty tree
	if err := os.Rename(temp, dir); err != nil {
		return "", err
	}
	log("made %s in %s", kind, time.Since(start).Round(time.Second))
	return dir, nil
}

// prune removes what an older recipe made. The caller knows that no lab uses
// the cache.
func prune() error {
	entries, err := os.ReadDir(cacheDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	newest := map[string]fs.FileInfo{}
	for _, e := range entries {
		at := strings.LastIndex(e.Name(), "-")
		if !e.IsDir() || at < 0 || strings.HasPrefix(e.Name(), "half.") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		kind, older := e.Name()[:at], info
		if last := newest[kind]; last == nil || last.ModTime().Before(info.ModTime()) {
			older, newest[kind] = last, info
		}
		if older != nil {
			if err := removeTree(filepath.Join(cacheDir(), older.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeTree removes a tree that may have mounts in it, and never what is
// mounted there.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func unmountBelow(dir string) error {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var at []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 1 && (f[1] == dir || strings.HasPrefix(f[1], dir+"/")) {
			at = append(at, f[1])
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		if err := syscall.Unmount(at[i], syscall.MNT_DETACH); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("unmounting %s: %w", at[i], err)
		}
	}
	return nil
}

// writeFile makes the parent directories, too, and sets the mode whatever the
// umask is.
func writeFile(path, content string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
