package unix

import (
	"strconv"
	"strings"
)

// Account looks a user up in /etc/passwd.
func (s *System) Account(user string) (Cred, string) {
	for _, f := range s.database("/etc/passwd") {
		if len(f) >= 6 && f[0] == user {
			uid, _ := strconv.Atoi(f[2])
			gid, _ := strconv.Atoi(f[3])
			return Cred{UID: uid, GID: gid}, f[5]
		}
	}
	return Cred{UID: 65534, GID: 65534}, "/"
}

// Login is whose processes a user has.
func (s *System) Login(user string) Cred { c, _ := s.Account(user); return c }

// database reads a file of colon-separated lines.
func (s *System) database(name string) (out [][]string) {
	b, _ := s.Tree.ReadFile(name)
	for l := range strings.Lines(string(b)) {
		out = append(out, strings.Split(strings.TrimRight(l, "\n"), ":"))
	}
	return out
}

// NameOf is a user's or group's name for a number, the number itself where there is none.
func (s *System) NameOf(database string, id int) string {
	for _, f := range s.database(database) {
		if len(f) > 2 && f[2] == strconv.Itoa(id) {
			return f[0]
		}
	}
	return strconv.Itoa(id)
}

func (s *System) idOf(database, name string) (int, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, n >= 0
	}
	for _, f := range s.database(database) {
		if len(f) > 2 && f[0] == name {
			n, err := strconv.Atoi(f[2])
			return n, err == nil
		}
	}
	return 0, false
}

// Blocks is how many bytes the disk holds, and how many of them are free.
func (s *System) Blocks() (total, free int64) {
	s.Tree.mu.Lock()
	defer s.Tree.mu.Unlock()
	return int64(s.DiskMiB) << 20, max(s.Tree.capacity-s.Tree.used, 0)
}
