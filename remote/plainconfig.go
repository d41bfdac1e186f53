package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Where the controller has no ssh, only ssh_config files in which nothing is open
// to doubt are read: plain words, Host patterns, Match all, Include. Everything
// else is refused with its place. No library is used: those for Go read on where
// OpenSSH stops, and connect elsewhere.

// plainReader collects the settings for one name, the first value of each winning.
type plainReader struct {
	d     *Dialer
	alias string
	out   options
	base  string // of relative names in Include
}

var (
	plainWord   = regexp.MustCompile(`^[A-Za-z0-9._:@,+=/~%${}*?!\[\]-]+$`)
	settingLine = regexp.MustCompile(`^([A-Za-z]+)(?:[ \t]*=[ \t]*|[ \t]+)(.+)$`)
	digits      = regexp.MustCompile(`^[0-9]{1,9}$`)
	algoList    = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9@._,-]*$`)
	plainHost   = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)
)

// what a keyword's value may be without an ssh to check it.
const (
	aFlag = iota + 1
	aNumber
	aSeconds
	anAlgorithmList
	aMachine // may hold %h
	aName
	aFile
	aWholePath
	someFiles
	aCommand
	aJump
	aMethodList
	aFamily
	notUsed // any plain words: it is not about the way to the host
)

var plainKeywords = map[string]int{
	"addressfamily": aFamily, "bindaddress": aName, "bindinterface": aName, "certificatefile": aFile, "ciphers": anAlgorithmList,
	"connecttimeout": aSeconds, "globalknownhostsfile": someFiles, "hashknownhosts": aFlag, "hostkeyalgorithms": anAlgorithmList,
	"hostkeyalias": aName, "hostname": aMachine, "identitiesonly": aFlag, "identityagent": aFile, "identityfile": aFile,
	"kexalgorithms": anAlgorithmList, "macs": anAlgorithmList, "port": aNumber, "preferredauthentications": aMethodList, "proxycommand": aCommand,
	"proxyjump": aJump, "pubkeyacceptedalgorithms": anAlgorithmList, "pubkeyauthentication": aFlag, "revokedhostkeys": aWholePath,
	"serveralivecountmax": aNumber, "serveraliveinterval": aSeconds, "user": aName, "userknownhostsfile": someFiles,
	// These say nothing about which machine it is and how to get in.
	"batchmode": aFlag, "checkhostip": aFlag, "compression": aFlag, "connectionattempts": aNumber, "exitonforwardfailure": aFlag,
	"forwardx11": aFlag, "forwardx11trusted": aFlag, "gatewayports": aFlag, "gssapiauthentication": aFlag, "gssapidelegatecredentials": aFlag,
	"hostbasedauthentication": aFlag, "kbdinteractiveauthentication": aFlag, "numberofpasswordprompts": aNumber,
	"passwordauthentication": aFlag, "permitlocalcommand": aFlag, "sendenv": notUsed, "tcpkeepalive": aFlag, "visualhostkey": aFlag,
}

// manyValues are kept all, not the first alone.
var manyValues = map[string]bool{"identityfile": true, "certificatefile": true}

func (d *Dialer) readPlain(files []string, q question) (options, error) {
	if len(files) == 0 {
		return options{}, nil
	}
	r := &plainReader{d: d, alias: q.alias, out: make(options)}
	if q.user != "" {
		r.out["user"] = []string{q.user}
	}
	if q.jump != "" {
		r.out["proxyjump"] = []string{q.jump}
	}
	var errs []error
	for _, file := range files {
		if r.base = d.home() + "/.ssh/"; d.ConfigFile == "" && file == systemConfig {
			r.base = filepath.Dir(systemConfig) + "/"
		}
		errs = append(errs, r.file(file, true, 0))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if h := r.out.one("hostname"); h != "" {
		h, err := expandTokens(h, map[byte]string{'h': q.alias}, false)
		if err != nil {
			return nil, err
		}
		r.out["hostname"] = []string{h}
	}
	return r.out, nil
}

func (r *plainReader) refuse(file string, line int, format string, args ...any) error {
	return &Error{
		Op: "read ssh_config", Kind: Config, Err: fmt.Errorf("%s line %d: %s", file, line, Sanitize(fmt.Sprintf(format, args...))),
		Hint:      "install ssh (openssh-client), which reads it, or write it more plainly",
		everyHost: true,
	}
}

// file reads one file. on says that the block that includes it applies.
func (r *plainReader) file(name string, on bool, depth int) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return &Error{Op: "read ssh_config", Kind: Config, Err: err, Hint: "correct the file", everyHost: true}
	}
	applies := on
	var errs []error
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		m := settingLine.FindStringSubmatch(line)
		if m == nil {
			errs = append(errs, r.refuse(name, n, "not understood without ssh: %q", line))
			continue
		}
		keyword, value := strings.ToLower(m[1]), m[2]
		words := strings.Fields(value)
		if i := slices.IndexFunc(words, func(w string) bool { return !plainWord.MatchString(w) }); i >= 0 && keyword != "proxycommand" {
			errs = append(errs, r.refuse(name, n, "%q is not read without ssh", words[i]))
			continue
		}
		switch keyword {
		case "host":
			applies = on && r.matches(words)
			if slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, ",=%${}@/~") }) {
				errs = append(errs, r.refuse(name, n, "pattern of Host is not read without ssh: %s", value))
			}
		case "match":
			if applies = on; !strings.EqualFold(value, "all") {
				errs = append(errs, r.refuse(name, n, "Match is not read without ssh, but for Match all: %s", value))
			}
		case "include":
			errs = append(errs, r.include(name, n, words, applies, depth))
		default:
			errs = append(errs, r.set(name, n, keyword, value, words, applies))
		}
	}
	return errors.Join(errs...)
}

func (r *plainReader) matches(patterns []string) bool {
	found := false
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if wildcard(p, r.alias) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

func (r *plainReader) include(file string, line int, names []string, applies bool, depth int) error {
	if depth == 15 {
		return r.refuse(file, line, "Include goes too deep")
	}
	var errs []error
	for _, name := range names {
		switch {
		case strings.ContainsAny(name, "%${}"):
			return r.refuse(file, line, "Include of %s is not read without ssh", name)
		case strings.HasPrefix(name, "~"):
			path, err := r.d.homePath(name)
			if err != nil {
				return r.refuse(file, line, "%v", err)
			}
			name = path
		case !filepath.IsAbs(name):
			name = r.base + name
		}
		found, err := filepath.Glob(name)
		if err != nil {
			return r.refuse(file, line, "%s: %v", name, err)
		}
		for _, f := range found {
			if st, err := os.Stat(f); errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
				errs = append(errs, r.refuse(file, line, "%s is not a file", f))
				continue
			}
			errs = append(errs, r.file(f, applies, depth+1))
		}
	}
	return errors.Join(errs...)
}

// usable says that a file name can be expanded, whatever the host.
func (r *plainReader) usable(name string) error {
	tokens := make(map[byte]string)
	for _, t := range "dhiknLlpru" {
		tokens[byte(t)] = "x"
	}
	path, err := r.d.homePath(name)
	if err == nil {
		_, err = expandTokens(path, tokens, true)
	}
	return err
}

func (r *plainReader) set(file string, line int, keyword, value string, words []string, applies bool) error {
	kind, ok := plainKeywords[keyword]
	good := false
	switch kind {
	case aFlag:
		good = slices.Contains([]string{"yes", "no", "true", "false"}, value)
	case aNumber:
		good = digits.MatchString(value)
	case aSeconds:
		good = digits.MatchString(value)
	case anAlgorithmList:
		good = knownAlgorithms(strings.Split(value, ","))
	case aMachine:
		good = plainHost.MatchString(strings.ReplaceAll(value, "%h", "")) || value == "%h"
	case aName:
		good = plainHost.MatchString(value) && value[0] != '-'
	case aFile:
		good = len(words) == 1 && !strings.ContainsAny(value, "*?[]=")
	case aWholePath:
		good = len(words) == 1 && filepath.IsAbs(value) && !strings.ContainsAny(value, "~%$*?[]=")
	case someFiles:
		good = !strings.ContainsAny(value, "*?[]=")
		value = strings.Join(words, " ")
	case aCommand:
		good = true // the rest of the line, as it stands
	case aJump:
		good = value == "none" || !slices.ContainsFunc(strings.Split(value, ","), func(spec string) bool {
			j, err := jumpTarget(spec)
			return err != nil || !plainHost.MatchString(strings.Trim(j.Address, "[]")) || j.User != "" && !plainHost.MatchString(j.User)
		})
	case aMethodList:
		good = algoList.MatchString(value)
	case aFamily:
		good = slices.Contains([]string{"any", "inet", "inet6"}, value)
	case notUsed:
		good = true
	}
	switch {
	case !ok:
		return r.refuse(file, line, "%s is not known, or not read without ssh", keyword)
	case !good:
		return r.refuse(file, line, "%s %s is not read without ssh", keyword, value)
	case keyword == "proxycommand" && applies && strings.EqualFold(r.out.one("proxyjump"), "none"):
		return r.refuse(file, line, "whether a ProxyCommand behind ProxyJump none counts differs by version of ssh")
	case kind == aFile || kind == someFiles && keyword != "globalknownhostsfile":
		for _, w := range words {
			if err := r.usable(w); err != nil {
				return r.refuse(file, line, "%v", err)
			}
		}
	case keyword == "port":
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 65535 {
			return r.refuse(file, line, "port %s is out of range", value)
		}
	}
	if !applies {
		return nil
	}
	// The first of the two ways through another machine wins.
	other := map[string]string{"proxyjump": "proxycommand", "proxycommand": "proxyjump"}[keyword]
	if _, taken := r.out[other]; other != "" && taken {
		return nil
	}
	if have := r.out[keyword]; len(have) == 0 || manyValues[keyword] && !slices.Contains(have, value) {
		r.out[keyword] = append(have, value)
	}
	return nil
}
