package remote

import (
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// homePath replaces a leading ~ or ~user.
func (d *Dialer) homePath(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	name, rest, _ := strings.Cut(path[1:], "/")
	home := d.home()
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("%s: there is no user %s here", path, name)
		}
		home = u.HomeDir
	}
	return home + "/" + rest, nil
}

// tokens are the letters that may follow % in the file names of ssh_config.
func (d *Dialer) tokens(h *hop, local string) map[byte]string {
	host, _ := os.Hostname()
	short, _, _ := strings.Cut(host, ".")
	jump := ""
	if specs := strings.Split(h.jump, ","); h.jump != "" {
		if j, err := jumpTarget(specs[len(specs)-1]); err == nil {
			jump = strings.Trim(j.Address, "[]")
		}
	}
	return map[byte]string{
		'd': d.home(), 'h': h.host, 'i': strconv.Itoa(os.Getuid()), 'j': jump, 'k': h.keyAlias(), 'L': short, 'l': host,
		'n': h.alias, 'p': strconv.Itoa(h.port), 'r': h.user, 'u': local, 'C': h.digest,
	}
}

// keyAlias is what %k stands for.
func (h *hop) keyAlias() string {
	if h.hostAlias != "" {
		return h.hostAlias
	}
	return h.alias
}

// expandTokens replaces % tokens and, unless it is a command, ${VARIABLES}.
func expandTokens(text string, tokens map[byte]string, variables bool) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '%':
			i++
			if i == len(text) {
				return "", fmt.Errorf("%s: nothing follows the last %%", text)
			}
			value, ok := tokens[text[i]]
			if text[i] == '%' {
				value, ok = "%", true
			}
			if !ok || text[i] == 'C' && value == "" {
				return "", fmt.Errorf("%s: %%%c is unknown here", text, text[i])
			}
			out.WriteString(value)
		case variables && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 || !envName.MatchString(text[i+2:i+end]) {
				return "", fmt.Errorf("%s: no variable behind ${", text)
			}
			value, ok := os.LookupEnv(text[i+2 : i+end])
			if !ok {
				return "", fmt.Errorf("%s: the variable %s is not set", text, text[i+2:i+end])
			}
			out.WriteString(value)
			i += end
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String(), nil
}
