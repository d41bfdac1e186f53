package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	factorTries     = 3                // answers to one method before it counts as refused, as ssh has it
	factorQuestions = 8                // in one round; nobody wants more
	factorRounds    = 8                // of one try
	factorText      = 2000             // runes of what the server says in one round
	staleTurn       = 20 * time.Second // after which a connection that waited for its turn is made anew
	factorPeriod    = 2 * time.Minute  // for one answer to be judged: somebody may have to approve on a phone
)

var (
	errNoFactor      = errors.New("no second factor")
	errFactorRefused = errors.New("the answers were refused")
	// errStale ends a connection that waited for other hosts' questions: servers allow a login two
	// minutes (LoginGraceTime), and a person is to have them whole.
	errStale = errors.New("waited for the questions of other hosts")
)

// factor is what a server wants beside a key, in one handshake.
type factor struct {
	ctx    context.Context
	d      *Dialer
	hop    *hop
	key    string // of a jump host: see share
	wait   *patience
	keys   bool           // publickey was among the methods
	wanted []string       // methods that the server wanted and nobody could be asked for
	tries  map[string]int // by method
	err    error          // what ended the asking
}

// factorMethods are those that a person can answer, in ssh's order.
func factorMethods(allowed []string) (out []string) {
	for _, m := range []string{"keyboard-interactive", "password"} {
		if slices.Contains(allowed, m) {
			out = append(out, m)
		}
	}
	return out
}

// next is the method to ask for, or nil. Passwords are no substitute for a key: a person is asked
// where a key was accepted already, or where the server takes none at this point.
func (f *factor) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	f.keys = f.keys || slices.Contains(c.AllowedMethods, "publickey")
	if f.err != nil {
		return nil, f.err
	}
	methods := factorMethods(c.AllowedMethods)
	if len(methods) == 0 || f.keys && len(c.PartialSuccessMethods) == 0 {
		return nil, nil
	}
	if f.d.Prompt == nil {
		f.wanted = methods
		return nil, errNoFactor
	}
	for _, m := range methods {
		if f.tries[m] >= factorTries {
			continue
		}
		if f.tries == nil {
			f.tries = map[string]int{}
		}
		f.tries[m]++
		f.wait.atLeast(factorPeriod)
		if m == "password" {
			return ssh.PasswordCallback(f.password), nil
		}
		return ssh.KeyboardInteractive(f.challenge()), nil
	}
	return nil, errFactorRefused
}

// failed keeps an error: the ssh library continues after one.
func (f *factor) failed(err error) error {
	f.err = err
	return err
}

func (f *factor) again(method string) string {
	if f.tries[method] > 1 {
		return "that was refused; "
	}
	return ""
}

func (f *factor) password() (string, error) {
	answer, err := f.ask(fmt.Sprintf("%s: %sthe host wants the password of %s, too: ", f.hop.label, f.again("password"), Sanitize(f.hop.user)))
	if err != nil {
		return "", f.failed(err)
	}
	return answer, nil
}

// challenge answers the rounds of one try. What the server says is shown as data: printable, marked
// and bounded.
func (f *factor) challenge() ssh.KeyboardInteractiveChallenge {
	rounds := 0
	head := f.again("keyboard-interactive")
	return func(name, instruction string, questions []string, _ []bool) ([]string, error) {
		if rounds++; rounds > factorRounds || len(questions) > factorQuestions {
			return nil, f.failed(fmt.Errorf("the server asks too much: %d questions in round %d", len(questions), rounds))
		}
		if len(questions) == 0 {
			if said := strings.TrimSpace(name + "\n" + instruction); said != "" {
				f.d.logf("%s: the server says: %s", f.hop.label, oneLine(said))
			}
			return nil, nil
		}
		answers := make([]string, len(questions))
		said := name + "\n" + instruction + "\n"
		for i, q := range questions {
			answer, err := f.ask(fmt.Sprintf("%s: %sthe host asks %s:\n%s\n%s: answer: ", f.hop.label, head, Sanitize(f.hop.user), quoted(said+q), f.hop.label))
			if err != nil {
				return nil, f.failed(err)
			}
			answers[i], said, head = answer, "", ""
		}
		return answers, nil
	}
}

// quoted marks text of the server line by line.
func quoted(text string) string {
	if r := []rune(text); len(r) > factorText {
		text = string(r[:factorText]) + "..."
	}
	var lines []string
	for line := range strings.Lines(Sanitize(strings.ReplaceAll(text, "\r\n", "\n"))) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, "  | "+line)
		}
	}
	if len(lines) == 0 {
		lines = []string{"  | (nothing)"}
	}
	return strings.Join(lines, "\n")
}

// ask asks a person when it is this host's turn. The time until the server has judged the answer does
// not count as time to connect.
func (f *factor) ask(question string) (string, error) {
	defer f.wait.atLeast(factorPeriod)
	defer f.wait.pause()()
	begun := time.Now()
	f.wait.take(&f.d.asking)
	if err := context.Cause(f.ctx); err != nil {
		return "", err
	}
	if f.key != "" && f.d.hasShared(f.key) {
		return "", errShared
	}
	if time.Since(begun) > f.d.stale() {
		return "", errStale
	}
	answer, err := f.d.Prompt(f.ctx, question)
	if err != nil {
		return "", fmt.Errorf("ask for the second factor: %w", err)
	}
	return answer, nil
}

func (d *Dialer) stale() time.Duration {
	if d.staleTurn > 0 {
		return d.staleTurn
	}
	return staleTurn
}
