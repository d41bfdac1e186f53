package remote_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"provision/remote"
)

// The tests here hold the way to a host against what ssh -G says. They read its
// answer on their own: what follows is not the product's reader.

// sshSays is ssh's own answer for a name; ok is false where ssh refuses.
func sshSays(t *testing.T, config, alias string, args ...string) (answer map[string][]string, ok bool) {
	t.Helper()
	cmd := exec.Command("ssh", append(append([]string{"-F", config, "-G"}, args...), "--", alias)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, false
	}
	answer = make(map[string][]string)
	for _, line := range strings.Split(out.String(), "\n") {
		if i := strings.IndexByte(line, ' '); i > 0 {
			k := strings.ToLower(line[:i])
			answer[k] = append(answer[k], line[i+1:])
		}
	}
	return answer, true
}

func first(a map[string][]string, key string) string {
	if len(a[key]) == 0 || a[key][0] == "none" {
		return ""
	}
	return a[key][0]
}

// expanded lets ssh replace the tokens of a file name: it does so for ControlPath.
func expanded(t *testing.T, config, alias string, args []string, name string) string {
	t.Helper()
	if !strings.ContainsAny(name, "%$~") {
		return name
	}
	a, ok := sshSays(t, config, alias, append(args, "-o", `ControlPath="`+name+`"`)...)
	if !ok {
		return "ssh refuses " + name
	}
	return first(a, "controlpath")
}

var (
	errRefused = errors.New("ssh refuses")
	errLoop    = errors.New("ssh would run itself without end")
)

// sshWay is the way to a name as ssh takes it: through each jump host it runs
// another ssh, with the hosts before it as that one's -J.
func sshWay(t *testing.T, deep int, config, alias string, args ...string) (way []remote.Hop, err error) {
	t.Helper()
	a, ok := sshSays(t, config, alias, args...)
	if !ok {
		return nil, errRefused
	}
	home := homeOf(t)
	h := remote.Hop{Host: first(a, "hostname"), User: first(a, "user"), OnlyIdentities: first(a, "identitiesonly") == "yes", Hash: first(a, "hashknownhosts") == "yes"}
	h.Port, _ = strconv.Atoi(first(a, "port"))
	for _, f := range a["identityfile"] {
		if f != "none" {
			h.Identities = append(h.Identities, expanded(t, config, alias, args, f))
		}
	}
	for _, f := range a["certificatefile"] {
		if f != "none" {
			h.Certificates = append(h.Certificates, expanded(t, config, alias, args, f))
		}
	}
	h.UserKnown = []string{first(a, "userknownhostsfile")}
	h.GlobalKnown = []string{strings.ReplaceAll(first(a, "globalknownhostsfile"), "~/", home+"/")}
	h.Revoked = []string{first(a, "revokedhostkeys")}
	switch v := first(a, "identityagent"); {
	case v == "" && len(a["identityagent"]) > 0:
		h.Agent = "none"
	case strings.HasPrefix(v, "$"):
		h.Agent = cmp.Or(os.Getenv(v[1:]), "none")
	case v != "SSH_AUTH_SOCK":
		h.Agent = v
	}
	h.ProxyCommand, h.KnownCommand, h.HostKeyAlias = first(a, "proxycommand"), first(a, "knownhostscommand"), first(a, "hostkeyalias")
	h.Network = map[string]string{"any": "tcp", "inet": "tcp4", "inet6": "tcp6"}[first(a, "addressfamily")]
	h.Bind = first(a, "bindaddress") + first(a, "bindinterface")
	h.Timeout = seconds(first(a, "connecttimeout"))
	if h.Timeout == 0 {
		h.Timeout = seconds("10")
	}
	h.Alive = seconds(first(a, "serveraliveinterval"))
	jumps := first(a, "proxyjump")
	if jumps == "" {
		return []remote.Hop{h}, nil
	}
	var before []string
	if i := strings.LastIndexByte(jumps, ','); i >= 0 {
		before, jumps = []string{"-J", jumps[:i]}, jumps[i+1:]
	}
	if m := regexp.MustCompile(`^(?:(.+)@)?\[?([^\[\]@]+?)\]?(?::(\d+))?$`).FindStringSubmatch(jumps); m != nil {
		jumps = m[2]
		if m[1] != "" {
			before = append(before, "-l", m[1])
		}
		if m[3] != "" {
			before = append(before, "-p", m[3])
		}
	}
	if deep == 9 {
		return nil, errLoop
	}
	way, err = sshWay(t, deep+1, config, jumps, before...)
	return append(way, h), err
}

// flat is a way as text, file names joined by blanks as ssh prints them.
func flat(way []remote.Hop) string {
	var b strings.Builder
	for _, h := range way {
		for _, list := range []*[]string{&h.UserKnown, &h.GlobalKnown, &h.Revoked} {
			*list = []string{strings.Join(*list, " ")}
		}
		fmt.Fprintf(&b, "%+v\n", h)
	}
	return b.String()
}

func homeOf(t *testing.T) string {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.HomeDir
}

// shape is one ssh_config and the names that are asked about.
type shape struct {
	name, config string
	aliases      string
	target       remote.Target // what the inventory says
}

// compare holds both readers against ssh. It says how many ways were the same,
// how many ssh refuses, how many the reader without ssh leaves alone, and how often
// ssh was asked for the first reader.
func (s shape) compare(t *testing.T, dir string) (same, refused, left int, asked int64) {
	t.Helper()
	file, err := os.CreateTemp(dir, "config")
	if err != nil {
		t.Fatal(err)
	}
	config := file.Name()
	_ = file.Close()
	write(t, config, []byte(strings.NewReplacer("DIR", dir, "SELF", config).Replace(s.config)))
	with := &remote.Dialer{ConfigFile: config, AgentSocket: "none"}
	without := &remote.Dialer{ConfigFile: config, AgentSocket: "none", SSH: "there-is-no-such-program"}
	var args []string
	if s.target.User != "" {
		args = append(args, "-l", s.target.User)
	}
	if s.target.Port != 0 {
		args = append(args, "-p", fmt.Sprint(s.target.Port))
	}
	if s.target.Jump != "" {
		args = append(args, "-J", s.target.Jump)
	}
	for _, alias := range strings.Fields(s.aliases) {
		target := s.target
		target.Address = alias
		theirs, not := sshWay(t, 0, config, alias, args...)
		ok := not == nil
		ours, err := remote.Route(context.Background(), with, target)
		switch {
		case !ok && err == nil:
			t.Errorf("%s: %v, provision goes to\n%s", alias, not, flat(ours))
		case ok && err != nil:
			t.Errorf("%s: ssh goes to\n%sprovision: %v", alias, flat(theirs), full(err))
		case !ok:
			refused++
			var e *remote.Error
			if errors.Is(not, errRefused) && (!errors.As(err, &e) || e.Kind != remote.Config) && !strings.Contains(err.Error(), "loop") {
				t.Errorf("%s: %v is not about ssh_config", alias, err)
			}
		case flat(ours) != flat(theirs):
			t.Errorf("%s: provision goes\n%sssh\n%s", alias, flat(ours), flat(theirs))
		default:
			same++
		}
		plain, err := remote.Route(context.Background(), without, target)
		if err != nil {
			left++
			var e *remote.Error
			if (!errors.As(err, &e) || e.Kind != remote.Config || !strings.Contains(err.Error(), " line ")) && ok {
				t.Errorf("%s without ssh: no place in %v", alias, err)
			}
			continue
		}
		if !ok {
			t.Errorf("%s: ssh refuses, the reader without it goes to\n%s", alias, flat(plain))
			continue
		}
		// The names of key files that it tries by itself differ by version of ssh.
		for i := range plain {
			if len(plain[i].Identities) == 3 && strings.HasSuffix(plain[i].Identities[0], "/.ssh/id_rsa") {
				plain[i].Identities = theirs[i].Identities
			}
		}
		if flat(plain) != flat(theirs) {
			t.Errorf("%s: the reader without ssh goes\n%sssh\n%s", alias, flat(plain), flat(theirs))
		}
	}
	return same, refused, left, remote.Questions(with)
}

func needsSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh: apt-get install openssh-client")
	}
}

// fixtures are the files that the shapes below include and name.
func fixtures(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"inc/a.conf":     "Host db\n Port 2201\n User inc\n",
		"inc/b.conf":     "Match host web*\n Port 2202\n",
		"inc/final.conf": "Match final all\n Port 2203\n User final\n",
		"inc/sub.conf":   "Include DIR/inc/a.conf\nHost *\n ConnectTimeout 7\n",
		"inc dir/c.conf": "Host db\n Port 2204\n",
		"known hosts":    "",
		"known2":         "",
		"revoked":        "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(strings.ReplaceAll(content, "DIR", dir)))
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "inc", "dangling.cfg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "inc", "folder.cfg"), 0o700); err != nil {
		t.Fatal(err)
	}
	deep := "Host db\n Port 2299\n"
	for n := 20; n > 0; n-- {
		write(t, filepath.Join(dir, fmt.Sprintf("deep%d", n)), []byte(deep))
		deep = fmt.Sprintf("Include %s/deep%d\n", dir, n)
	}
	return dir
}

func TestWayToAHostIsOpenSSHs(t *testing.T) {
	needsSSH(t)
	t.Setenv("PROVISION_TEST_SOCKET", "/tmp/of the test")
	t.Setenv("PROVISION_TEST_D", "/tmp/here")
	dir := fixtures(t)
	for _, s := range writtenShapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.aliases = cmp.Or(s.aliases, "db web-1")
			s.compare(t, dir)
		})
	}
	t.Logf("%d shapes", len(writtenShapes))
}

// TestGeneratedConfigs makes ssh_configs by chance, of every condition there is.
func TestGeneratedConfigs(t *testing.T) {
	needsSSH(t)
	t.Setenv("PROVISION_TEST_SOCKET", "/tmp/of the test")
	t.Setenv("PROVISION_TEST_D", "/tmp/here")
	count := 150
	if testing.Short() {
		count = 100
	}
	var mu sync.Mutex
	var same, refused, left int
	t.Run("all", func(t *testing.T) {
		for part := range 4 {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				dir := fixtures(t)
				for n := part; n < count; n += 4 {
					g := &generator{rand.New(rand.NewSource(int64(n))), n%3 == 0}
					s := shape{config: g.config(0), aliases: "db web-1 DB bastion web-2", target: remote.Target{User: g.one("", "", "ops"), Port: []int{0, 0, 2200}[g.Intn(3)]}}
					failed := t.Failed()
					a, b, c, _ := s.compare(t, dir)
					mu.Lock()
					same, refused, left = same+a, refused+b, left+c
					mu.Unlock()
					if t.Failed() && !failed {
						t.Errorf("seed %d, target %+v:\n%s", n, s.target, s.config)
					}
				}
			})
		}
	})
	t.Logf("%d configs: %d ways the same, ssh refuses %d, the reader without ssh %d", count, same, refused, left)
	if same < 2*count || left < count/4 || left > 19*count/4 {
		t.Error("the generator shows too little of one side")
	}
}

// TestGeneratedBlocks: what ssh said of one name is taken for others whose blocks
// differ, and that is what ssh says of them.
func TestGeneratedBlocks(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	const names = 8
	var aliases []string
	for n := range names {
		aliases = append(aliases, fmt.Sprintf("web-%d", n))
	}
	dir := fixtures(t)
	count := 60
	if testing.Short() {
		count = 25
	}
	var same, refused int
	var asked int64
	for seed := range count {
		g := &generator{rand.New(rand.NewSource(int64(seed))), true}
		setting := func() string {
			return g.one("HostName 10.0.0.5", "HostName 10.0.0.6", "HostName db.example.org", "HostName Upper.example.org", "Port 22", "Port 2222", "Port 65535", "User ops", "User root", "User Ops",
				"IdentityFile /k1", "IdentityFile /k2", "ProxyJump bastion", "ProxyJump none", "ProxyCommand nc %h %p", "HostKeyAlias a", "HostKeyAlias b", "ConnectTimeout 5", "IdentitiesOnly yes")
		}
		var config strings.Builder
		lines := func(most int) {
			for range g.Intn(most) {
				fmt.Fprintln(&config, " "+setting())
			}
		}
		if g.Intn(3) == 0 {
			write(t, filepath.Join(dir, "blocks.conf"), []byte("Host web-1 web-2\n "+setting()+"\n"))
			fmt.Fprintln(&config, "Include "+dir+"/blocks.conf")
		}
		lines(2)
		for range 2 + g.Intn(8) {
			switch g.Intn(10) {
			case 0:
				fmt.Fprintln(&config, "Host *")
			case 1:
				fmt.Fprintln(&config, "Host web-* !web-"+fmt.Sprint(g.Intn(names)))
			case 2:
				fmt.Fprintln(&config, "Match "+g.one("all", "exec true", "exec false", "host web-3", "final all", "localuser nobody", "!all",
					"host web-1,web-2", "host 10.0.0.5", "host 10.0.0.*,!10.0.0.6", "originalhost web-1", "originalhost web-*,!web-2", "host web-5 exec true", "originalhost web-1 host 10.0.0.5", "!host web-1"))
			case 3:
				fmt.Fprintf(&config, "Host web-%d,web-%d\n", g.Intn(names), g.Intn(names))
			case 4, 5:
				fmt.Fprintf(&config, "Match %s web-%d\n", g.one("host", "originalhost"), g.Intn(names))
			default:
				fmt.Fprintf(&config, "Host web-%d\n", g.Intn(names))
			}
			lines(4)
		}
		s := shape{config: config.String(), aliases: strings.Join(aliases, " "), target: remote.Target{User: g.one("", "", "ops"), Port: []int{0, 0, 2200}[g.Intn(3)]}}
		failed := t.Failed()
		a, b, _, n := s.compare(t, dir)
		same, refused, asked = same+a, refused+b, asked+n
		if t.Failed() && !failed {
			t.Errorf("seed %d, target %+v:\n%s", seed, s.target, s.config)
		}
	}
	t.Logf("%d ways the same, ssh refuses %d; %d questions", same, refused, asked)
	if same < count*names/2 || asked > int64(same)*4/5 {
		t.Error("hardly any answer held for another name")
	}
}

type generator struct {
	*rand.Rand
	plain bool // no Match: what one name is told may hold for others
}

func (g *generator) one(of ...string) string { return of[g.Intn(len(of))] }

func (g *generator) pattern() string {
	return g.one("db", "web-1", "web-?", "*", "d*", "!db", "!web-*", "*-1", "bastion", `"db"`, "db,web-1", "10.0.0.*", "other", "DB")
}

func (g *generator) patterns() string {
	out := g.pattern()
	for g.Intn(3) == 0 {
		out += g.one(" ", "\t", "  ") + g.pattern()
	}
	return out
}

func (g *generator) match() string {
	if g.Intn(5) == 0 {
		return g.one("all", "final all", "canonical all", "all exec true", "final")
	}
	out := ""
	for range 1 + g.Intn(2) {
		not := g.one("", "", "!")
		switch g.Intn(7) {
		case 0:
			out += " " + not + "host " + g.one("db", "web-*", "db,web-1", "*,!db", "10.0.0.5")
		case 1:
			out += " " + not + "originalhost " + g.one("db", "web-*", "*,!db")
		case 2:
			out += " " + not + "user " + g.one("ops", "root", "o*,!root")
		case 3:
			out += " " + not + "localuser " + g.one("root", "nobody", "*")
		case 4:
			out += " " + not + `exec "` + g.one("true", "false", "test %h = db", "test %n = web-1", "test %p = 22", "test %r = ops") + `"`
		case 5:
			out += " " + not + g.one("final", "canonical")
		default:
			out += " " + not + "tagged " + g.one("x", "y") // newer versions know it
		}
	}
	return strings.TrimSpace(out)
}

func (g *generator) setting() string {
	switch g.Intn(16) {
	case 0:
		return "HostName " + g.one("10.0.0.5", "%h.example.org", "Upper.Example.org", "::1", "db", `"quoted.example.org"`)
	case 1:
		return "Port " + g.one("2222", "22", "65535", `"2022"`, "=2023")
	case 2:
		return "User " + g.one("ops", "root", "deploy", `"ops"`)
	case 3, 4:
		return "IdentityFile " + g.one("~/.ssh/id_x", `"~/.ssh/my key"`, "DIR/k_%h_%p_%r", "DIR/%%k", "${PROVISION_TEST_D}/k", "none", "DIR/%n_%d", "DIR/%C")
	case 5:
		return "ProxyJump " + g.one("bastion", "ops@bastion:2200", "bastion,10.0.0.9", "none", "ssh://u@10.0.0.8:29", "[::1]:2022")
	case 6:
		return "ProxyCommand " + g.one("nc %h %p", "none", `sh -c "x %h" # no comment`)
	case 7:
		return "UserKnownHostsFile " + g.one("~/.ssh/kh", "DIR/kh_%h", `"DIR/known hosts" DIR/known2`, "none", "DIR/known2 DIR/k3")
	case 8:
		return "HostKeyAlias " + g.one("Alias", "db")
	case 9:
		return "ConnectTimeout " + g.one("5", "1m", "none", "30s")
	case 10:
		return "IdentityAgent " + g.one("none", "SSH_AUTH_SOCK", "$PROVISION_TEST_SOCKET", "~/agent_%h", "DIR/s")
	case 11:
		return "CertificateFile " + g.one("~/c-cert.pub", "DIR/%n-cert.pub")
	case 12:
		return "IdentitiesOnly " + g.one("yes", "no", "true")
	case 13:
		return g.one("AddressFamily inet", "BindAddress 127.0.0.1", "ServerAliveInterval 20", "HashKnownHosts yes", "RevokedHostKeys DIR/revoked", "GlobalKnownHostsFile ~/g DIR/known2")
	case 14:
		return g.one("KnownHostsCommand /bin/true", "SendEnv LANG", "Compression yes", "# comment", "ControlPath ~/.ssh/%C", "Prot 22", "Port 0x", "IgnoreUnknown Prot*")
	default:
		return "Include " + g.one("DIR/inc/*.conf", `"DIR/inc dir/c.conf"`, "DIR/none*", "DIR/inc/a.conf", "DIR/inc/final.conf", "DIR/inc/*.cfg")
	}
}

func (g *generator) config(depth int) string {
	var b strings.Builder
	for range g.Intn(3) {
		fmt.Fprintln(&b, g.setting())
	}
	for range 1 + g.Intn(4) {
		if !g.plain && g.Intn(3) == 0 {
			fmt.Fprintln(&b, "Match "+g.match())
		} else {
			fmt.Fprintln(&b, g.one("Host ", "host\t", "Host=", "HOST ")+g.patterns())
		}
		for range g.Intn(5) {
			fmt.Fprintln(&b, g.one(" ", "\t", "")+g.setting())
		}
	}
	return b.String()
}

// TestSplitFiles: ssh -G prints several names on a line without quotes.
func TestSplitFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, want string
		exist      []string
	}{
		{"/a /b", "/a|/b", nil},
		{"/a b /c", "/a b|/c", nil},
		{"/a b /c", "/a b|/c", []string{"/a b"}},
		{"/a /b", "/a /b", []string{"/a /b"}},
		{"a b", "", nil},
		{"a b", "a|b", []string{"a", "b"}},
	} {
		got, err := remote.SplitFiles(tt.line, func(f string) bool { return slices.Contains(tt.exist, f) })
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: %q, want a refusal", tt.line, got)
			}
		} else if s := strings.Join(got, "|"); s != tt.want || err != nil {
			t.Errorf("%s with %q: %s, %v, want %s", tt.line, tt.exist, s, err, tt.want)
		}
	}
}
