package remote

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
)

// home is the user's home directory: $HOME, then what the password database says.
func (d *Dialer) home() string {
	if d.Home != "" {
		return d.Home
	}
	if h, err := os.UserHomeDir(); err == nil {
		return h
	}
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	return "/"
}

// elsewhere says that the home directory is another one than ssh takes, which goes
// by the password database alone.
func (d *Dialer) elsewhere() bool {
	if d.Home != "" {
		return true
	}
	u, err := user.Current()
	if err != nil || u.HomeDir == "" || u.HomeDir == d.home() {
		return false
	}
	one, err1 := os.Stat(u.HomeDir)
	two, err2 := os.Stat(d.home())
	return err1 != nil || err2 != nil || !os.SameFile(one, two)
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
	certificates   []string // files; then those beside the identities do not count
	agent          string   // socket, "none", or "" for the Dialer's
	noKeys         string   // why ssh would not log in with a key
	hostAlias      string   // the name in known_hosts, if not the host's own
	userKnown      []string // files; the first one takes new keys
	globalKnown    []string
	revoked        []string // files with revoked keys
	knownCommand   string   // prints known hosts
	hashKnown      bool
	pinned         string
	sums           []string
	acceptNew      bool
	timeout        time.Duration
	jump           string
	proxyCommand   string
	network        string // "tcp", "tcp4" or "tcp6"
	bindAddress    string
	bindInterface  string
	alive          time.Duration // how often a silent connection is asked; 0 = the default
	aliveCount     int
	algorithms     algorithms
	digest         string // %C of ssh_config
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

// settings returns what ssh_config says for a question, and what of it is left to
// expand. Nothing at all is said where there is no ssh_config.
func (d *Dialer) settings(ctx context.Context, q question) (options, *habits, error) {
	a, files, err := d.asks(ctx)
	if err != nil {
		return nil, nil, err
	}
	if a == nil {
		o, err := d.readPlain(files, q)
		return o, &habits{}, err
	}
	o, err := a.ask(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	h, err := a.knows(ctx)
	return o, h, err
}

// resolve fills what the target leaves open.
func (d *Dialer) resolve(ctx context.Context, t Target) (*hop, error) {
	alias := strings.TrimSuffix(strings.TrimPrefix(t.Address, "["), "]")
	if alias == "" || strings.HasPrefix(alias, "-") || strings.ContainsAny(alias, " \t\r\n\x00/'\"") {
		return nil, fmt.Errorf("address %q is not a host", t.Address)
	}
	h := &hop{label: t.Name, alias: alias, host: alias, port: 22, user: t.User, pinned: t.HostKey, sums: t.HostKeySums, jump: t.Jump, timeout: t.ConnectTimeout}
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
	if t.Port < 0 || t.Port > 65535 {
		return nil, fmt.Errorf("port %d is out of range", t.Port)
	}
	o, known, err := d.settings(ctx, question{alias: alias, user: t.User, port: t.Port, jump: t.Jump, identity: t.IdentityFile != ""})
	if err != nil {
		return nil, err
	}
	r := &reading{d: d, o: o, known: known}
	r.machine(h, t)
	r.keys(h, t)
	r.hostKeys(h, t)
	h.algorithms = r.algorithms()
	return h, errors.Join(r.errs...)
}

// reading takes settings apart. Its errors are about values that cannot be used.
type reading struct {
	d     *Dialer
	o     options
	known *habits
	local string
	errs  []error
}

func (r *reading) fail(keyword string, err error) {
	r.errs = append(r.errs, &Error{Op: "read ssh_config", Kind: Config, Err: fmt.Errorf("%s: %w", keyword, err), Hint: "correct ssh_config"})
}

func (r *reading) number(keyword string, otherwise int) int {
	v := r.o.one(keyword)
	if v == "" || v == "none" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		r.fail(keyword, err)
	}
	return n
}

func (r *reading) yes(keyword string) bool {
	v := strings.ToLower(r.o.one(keyword))
	return v == "yes" || v == "true"
}

// set is the value of a keyword, "" also for "none".
func (r *reading) set(keyword string) string {
	v := r.o.one(keyword)
	if strings.EqualFold(v, "none") {
		return ""
	}
	return v
}

// machine is where the hop is and how it is reached.
func (r *reading) machine(h *hop, t Target) {
	if v := r.o.one("hostname"); v != "" {
		h.host = v
	}
	if _, err := netip.ParseAddr(h.host); err != nil {
		h.host = strings.ToLower(h.host)
	}
	r.local = "root"
	if u, err := user.Current(); err == nil {
		r.local = u.Username
	}
	for _, name := range []string{r.o.one("user"), r.local} {
		if h.user == "" {
			h.user = name
		}
	}
	if h.port = t.Port; h.port == 0 {
		if h.port = r.number("port", 22); h.port < 1 || h.port > 65535 {
			r.fail("port", fmt.Errorf("%d is out of range", h.port))
		}
	}
	if h.jump == "" {
		h.jump = r.o.one("proxyjump")
	}
	if strings.EqualFold(h.jump, "none") {
		h.jump = ""
	} else if h.jump == "" {
		h.proxyCommand = r.set("proxycommand")
	}
	if h.proxyCommand != "" && (h.proxyCommand == "-" || r.yes("proxyusefdpass")) {
		r.fail("proxycommand", errors.New("a command that passes its connection on (ProxyUseFdpass, -) is not supported"))
	}
	if h.timeout == 0 {
		if h.timeout = time.Duration(r.number("connecttimeout", 0)) * time.Second; h.timeout <= 0 {
			h.timeout = defaultConnectTimeout
		}
	}
	h.network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[r.o.one("addressfamily")]
	if h.network == "" {
		h.network = "tcp"
	}
	h.bindAddress, h.bindInterface = r.set("bindaddress"), r.set("bindinterface")
	h.alive, h.aliveCount = time.Duration(r.number("serveraliveinterval", 0))*time.Second, r.number("serveralivecountmax", 3)
	h.hostAlias = strings.ToLower(r.o.one("hostkeyalias"))
	h.digest = r.o.one("controlpath")
}

// keys are what is logged in with.
func (r *reading) keys(h *hop, t Target) {
	tokens := r.d.tokens(h, r.local)
	ids := r.o["identityfile"]
	switch {
	case t.IdentityFile != "":
		h.identities = append(h.identities, t.IdentityFile)
		if len(ids) > 0 && ids[0] == ownIdentity {
			ids = ids[1:]
		}
	case len(ids) == 0:
		ids = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"}
	}
	h.identities = append(h.identities, r.paths("identityfile", ids, tokens)...)
	h.certificates = r.paths("certificatefile", r.o["certificatefile"], tokens)
	h.onlyIdentities = r.yes("identitiesonly")
	h.agent = r.agent(tokens)
	if v := r.o.one("pubkeyauthentication"); v == "no" || v == "false" {
		h.noKeys = "PubkeyAuthentication no"
	} else if v := r.o.one("preferredauthentications"); v != "" && !slices.Contains(strings.Split(v, ","), "publickey") {
		h.noKeys = "PreferredAuthentications " + v
	}
}

// agent is the socket that IdentityAgent names, "none", or "" for that of the environment.
func (r *reading) agent(tokens map[byte]string) string {
	v := r.o.one("identityagent")
	switch {
	case v == "" || v == "SSH_AUTH_SOCK":
		return ""
	case strings.EqualFold(v, "none"):
		return "none"
	case strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "${"):
		if v = os.Getenv(v[1:]); v == "" {
			return "none"
		}
		return v
	}
	for _, path := range r.paths("identityagent", []string{v}, tokens) {
		return path
	}
	return "none"
}

// hostKeys are the files that say which host keys are right.
func (r *reading) hostKeys(h *hop, t Target) {
	tokens := r.d.tokens(h, r.local)
	h.hashKnown = r.yes("hashknownhosts")
	h.knownCommand = r.set("knownhostscommand")
	if t.KnownHosts != "" { // one path of ours, whatever it holds
		h.userKnown = []string{t.KnownHosts}
	} else {
		h.userKnown = r.paths("userknownhostsfile", r.userKnown(), tokens)
	}
	for _, f := range r.files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2") {
		path, err := r.d.homePath(f) // ssh knows no tokens here
		if err != nil {
			r.fail("globalknownhostsfile", err)
		}
		h.globalKnown = append(h.globalKnown, path)
	}
	// Older versions of ssh take the name of this file as it stands, ~ included.
	h.revoked = r.files("revokedhostkeys", "")
}

// userKnown are the user's files of host keys. ssh knows the home directory of the account alone: where HOME
// says another one, as for the rest, its own default is taken for the same files there.
func (r *reading) userKnown() []string {
	const usual = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
	if u, err := user.Current(); err == nil && r.d.elsewhere() && r.o.one("userknownhostsfile") == strings.ReplaceAll(usual, "~", u.HomeDir) {
		home := r.d.home()
		return []string{home + "/.ssh/known_hosts", home + "/.ssh/known_hosts2"}
	}
	return r.files("userknownhostsfile", usual)
}

// paths are file names as ssh uses them.
func (r *reading) paths(keyword string, names []string, tokens map[byte]string) []string {
	var out []string
	for _, f := range names {
		if strings.EqualFold(f, "none") {
			continue
		}
		if !r.known.expands[keyword] {
			var err error
			if f, err = r.d.homePath(f); err == nil {
				f, err = expandTokens(f, tokens, true)
			}
			if err != nil {
				r.fail(keyword, err)
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

// files takes a line of several file names apart. ssh -G prints them without
// quotes, so a blank may belong to a name: what exists decides, and what is not
// certain is refused.
func (r *reading) files(keyword, otherwise string) []string {
	line := r.o.one(keyword)
	if line == "" {
		line = otherwise
	}
	if strings.EqualFold(line, "none") || line == "" {
		return nil
	}
	if _, ok := r.o[keyword]; !ok || !strings.Contains(line, " ") {
		return strings.Split(line, " ")
	}
	names, err := splitFiles(line, func(name string) bool {
		path, err := r.d.homePath(name)
		if err != nil {
			return false
		}
		_, err = os.Stat(path)
		return err == nil
	})
	if err != nil {
		r.fail(keyword, err)
	}
	return names
}

// splitFiles finds the file names in a line in which blanks separate them or
// belong to them.
func splitFiles(line string, exists func(string) bool) ([]string, error) {
	words := strings.Split(line, " ")
	if len(words) > 12 {
		return nil, fmt.Errorf("%s: too many names", line)
	}
	var best []string
	most, equal := -1, false
	for split := range 1 << (len(words) - 1) {
		names, found := []string{words[0]}, 0
		likely := true
		for i, w := range words[1:] {
			if split>>i&1 == 0 && startsPath(w) || split>>i&1 == 1 && !startsPath(w) && startsPath(words[0]) {
				likely = false
			}
			if split>>i&1 == 1 {
				names = append(names, w)
			} else {
				names[len(names)-1] += " " + w
			}
		}
		for _, n := range names {
			if exists(n) {
				found++
			}
		}
		score := 2 * found
		if likely {
			score++ // without files, a name begins where a path does
		}
		switch {
		case score > most:
			best, most, equal = names, score, false
		case score == most:
			equal = true
		}
	}
	if equal {
		return nil, fmt.Errorf("%s: it is not clear where a name ends, rename the files so that they hold no blanks", line)
	}
	return best, nil
}

func startsPath(word string) bool { return word != "" && strings.ContainsRune("/~%$", rune(word[0])) }
