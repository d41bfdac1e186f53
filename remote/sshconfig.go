package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	sshconfig "github.com/kevinburke/ssh_config"
)

// settings are the ssh_config files that count, the first one winning.
type settings []*sshconfig.Config

func (d *Dialer) home() string {
	if d.Home != "" {
		return d.Home
	}
	if h, err := os.UserHomeDir(); err == nil {
		return h
	}
	return "/"
}

// loadSettings reads the configuration. A file that is not there holds nothing;
// one that cannot be understood is an error, because guessing past it could
// connect somewhere else.
func (d *Dialer) loadSettings() (settings, error) {
	files := []string{filepath.Join(d.home(), ".ssh", "config"), "/etc/ssh/ssh_config"}
	if d.ConfigFile != "" {
		files = []string{d.ConfigFile}
	}
	var all settings
	for _, name := range files {
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) && d.ConfigFile == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read ssh_config: %w", err)
		}
		c, err := sshconfig.DecodeBytes(withoutStrangeMatches(content, func(match string) {
			d.logf("%s: ignored: %s and what belongs to it: only Match host and Match all are supported", name, Sanitize(match))
		}))
		if err != nil {
			return nil, fmt.Errorf("read ssh_config %s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// withoutStrangeMatches leaves out the Match blocks whose conditions are not
// supported, as those that run a program, so that the rest of the file counts.
func withoutStrangeMatches(content []byte, tell func(match string)) []byte {
	var kept []byte
	skip := false
	for line := range bytes.Lines(content) {
		fields := strings.FieldsFunc(string(line), func(r rune) bool { return strings.ContainsRune(" \t\r\n=", r) })
		if len(fields) > 0 {
			switch strings.ToLower(fields[0]) {
			case "host":
				skip = false
			case "match":
				_, err := sshconfig.DecodeBytes(line)
				if skip = err != nil; skip {
					tell(strings.TrimSpace(string(line)))
				}
			}
		}
		if skip {
			line = []byte("\n") // line numbers stay
		}
		kept = append(kept, line...)
	}
	return kept
}

func (s settings) get(alias, key string) (string, error) {
	for _, c := range s {
		v, err := c.Get(alias, key)
		if err != nil {
			return "", fmt.Errorf("ssh_config: %s: %w", key, err)
		}
		if v != "" {
			return unquote(v), nil
		}
	}
	return "", nil
}

func (s settings) all(alias, key string) ([]string, error) {
	var out []string
	for _, c := range s {
		v, err := c.GetAll(alias, key)
		if err != nil {
			return nil, fmt.Errorf("ssh_config: %s: %w", key, err)
		}
		for _, one := range v {
			out = append(out, unquote(one))
		}
	}
	return out, nil
}

func unquote(v string) string {
	v = strings.TrimSpace(v)
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// hop is one machine on the way, with everything resolved.
type hop struct {
	label          string // for errors
	alias          string // as written
	host           string // name or address to dial
	port           int
	user           string
	identities     []string // files, in order of preference
	onlyIdentities bool     // of the agent's keys, offer none but those of the files
	hostAlias      string   // the name in known_hosts, if not the host's own
	userKnown      []string // files; the first one takes new keys
	globalKnown    []string
	hashKnown      bool
	pinned         string
	sums           []string
	acceptNew      bool
	timeout        time.Duration
	jump           string
	proxyCommand   string
}

func (h *hop) addr() string { return joinHostPort(h.host, h.port) }

// knownAs is the host and port under which known_hosts is asked.
func (h *hop) knownAs() (string, int) {
	if h.hostAlias != "" {
		return h.hostAlias, 22
	}
	return h.host, h.port
}

const defaultConnectTimeout = 10 * time.Second

// resolve fills what the target leaves open.
func (d *Dialer) resolve(t Target, s settings) (*hop, error) {
	alias := strings.TrimSuffix(strings.TrimPrefix(t.Address, "["), "]")
	if alias == "" || strings.HasPrefix(alias, "-") || strings.ContainsAny(alias, " \t\r\n\x00/'\"") {
		return nil, fmt.Errorf("address %q is not a host", t.Address)
	}
	h := &hop{label: t.Name, alias: alias, port: t.Port, user: t.User, pinned: t.HostKey, sums: t.HostKeySums, jump: t.Jump, timeout: t.ConnectTimeout}
	if h.label == "" {
		h.label = alias
	}
	switch t.HostKeyChecking {
	case "", "strict":
	case "accept-new":
		h.acceptNew = true
	default:
		return nil, fmt.Errorf("host key checking %q: want strict or accept-new", t.HostKeyChecking)
	}

	var errs []error
	get := func(key string) string {
		v, err := s.get(alias, key)
		errs = append(errs, err)
		return v
	}
	h.host = strings.ReplaceAll(get("HostName"), "%h", alias)
	if h.host == "" {
		h.host = alias
	}
	if h.user == "" {
		h.user = get("User")
	}
	local := "root"
	if u, err := user.Current(); err == nil {
		local = u.Username
	}
	if h.user == "" {
		h.user = local
	}
	if h.port == 0 {
		h.port = 22
		if p := get("Port"); p != "" {
			n, err := strconv.Atoi(p)
			errs = append(errs, err)
			h.port = n
		}
	}
	if h.port < 1 || h.port > 65535 {
		errs = append(errs, fmt.Errorf("port %d is out of range", h.port))
	}
	if h.jump == "" {
		h.jump = get("ProxyJump")
	}
	if strings.EqualFold(h.jump, "none") {
		h.jump = ""
	}
	if c := get("ProxyCommand"); c != "" && !strings.EqualFold(c, "none") && h.jump == "" {
		h.proxyCommand = c
	}
	if h.timeout == 0 {
		h.timeout = defaultConnectTimeout
		if v := get("ConnectTimeout"); v != "" && v != "none" {
			n, err := strconv.Atoi(v)
			errs = append(errs, err)
			if n > 0 {
				h.timeout = time.Duration(n) * time.Second
			}
		}
	}
	h.hostAlias = get("HostKeyAlias")
	h.onlyIdentities = strings.EqualFold(get("IdentitiesOnly"), "yes")
	h.hashKnown = strings.EqualFold(get("HashKnownHosts"), "yes")

	expand := func(path string) string { return d.expand(path, h, local) }
	ids, err := s.all(alias, "IdentityFile")
	errs = append(errs, err)
	if t.IdentityFile != "" {
		ids = append([]string{t.IdentityFile}, ids...)
	}
	if len(ids) == 0 {
		ids = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"}
	}
	for _, f := range ids {
		if !strings.EqualFold(f, "none") {
			h.identities = append(h.identities, expand(f))
		}
	}
	h.userKnown = knownFiles(t.KnownHosts, get("UserKnownHostsFile"), "~/.ssh/known_hosts", "~/.ssh/known_hosts2", expand)
	h.globalKnown = knownFiles("", get("GlobalKnownHostsFile"), "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2", expand)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return h, nil
}

func knownFiles(given, configured, first, second string, expand func(string) string) []string {
	files := []string{first, second}
	switch {
	case given != "": // one path of ours, which may hold spaces
		files = []string{given}
	case configured != "":
		files = strings.Fields(configured)
	}
	var out []string
	for _, f := range files {
		if f = unquote(f); !strings.EqualFold(f, "none") {
			out = append(out, expand(f))
		}
	}
	return out
}

// expand replaces ~ and the % tokens of ssh_config that name files.
func (d *Dialer) expand(path string, h *hop, local string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = filepath.Join(d.home(), path[1:])
	}
	return strings.NewReplacer("%%", "%", "%d", d.home(), "%h", h.host, "%n", h.alias,
		"%p", strconv.Itoa(h.port), "%r", h.user, "%u", local).Replace(path)
}

// route is the hops on the way to the target, the target last.
func (d *Dialer) route(t Target, s settings) ([]*hop, error) {
	last, err := d.resolve(t, s)
	if err != nil {
		return nil, err
	}
	hops := []*hop{last}
	const limit = 8
	for jump := last.jump; jump != ""; {
		specs := strings.Split(jump, ",")
		via := make([]*hop, 0, len(specs))
		for i, spec := range specs {
			h, err := d.resolveJump(spec, t, s)
			if err != nil {
				return nil, fmt.Errorf("jump host %q: %w", spec, err)
			}
			if i > 0 {
				h.jump = "" // the chain says how it is reached
			}
			h.label = fmt.Sprintf("%s (jump %s)", last.label, h.addr())
			via = append(via, h)
		}
		hops = append(via, hops...)
		if len(hops) > limit {
			return nil, fmt.Errorf("more than %d jump hosts, is there a loop in ssh_config?", limit-1)
		}
		jump = via[0].jump
	}
	return hops, nil
}

func (d *Dialer) resolveJump(spec string, t Target, s settings) (*hop, error) {
	spec = strings.TrimPrefix(strings.TrimSpace(spec), "ssh://")
	j := Target{
		IdentityFile: t.IdentityFile, KnownHosts: t.KnownHosts,
		HostKeyChecking: t.HostKeyChecking, ConnectTimeout: t.ConnectTimeout,
	}
	if at := strings.LastIndexByte(spec, '@'); at >= 0 {
		j.User, spec = spec[:at], spec[at+1:]
		if j.User == "" {
			return nil, errors.New("empty user")
		}
	}
	j.Address = spec
	// A bare IPv6 literal has several colons and no port.
	if strings.HasPrefix(spec, "[") || strings.Count(spec, ":") == 1 {
		end := strings.LastIndexByte(spec, ':')
		if end > strings.LastIndexByte(spec, ']') {
			port, err := strconv.Atoi(spec[end+1:])
			if err != nil || port < 1 || port > 65535 {
				return nil, fmt.Errorf("port %q is out of range", spec[end+1:])
			}
			j.Address, j.Port = spec[:end], port
		}
	}
	return d.resolve(j, s)
}
