package remote

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// refusal fills in why nobody was let in, and what a person can do about that cause: the first that
// fits, from what is certain to what is likely.
func (hs *handshake) refusal(e *Error, err error) {
	h, k := hs.hop, hs.keys
	e.Kind, e.Op = Auth, fmt.Sprintf("log in to %s as %s", h.addr(), h.user)
	e.Evidence = k.evidence()
	used := k.used()
	var bad *keyFileError
	if len(k.bad) > 0 {
		bad = k.bad[0]
	}
	switch f := k.factor; {
	case errors.Is(err, errNoFactor):
		e.Err = fmt.Errorf("%s, and there is no terminal to ask on", hs.wantsFactor(strings.Join(f.wanted, " or ")))
		e.Hint = fmt.Sprintf("run it on a terminal, which asks for it, or let a key alone do, in sshd_config of the host:\nMatch User %s\n  AuthenticationMethods publickey", h.user)
	case errors.Is(err, errFactorRefused):
		e.Err = fmt.Errorf("%s, and the answers were refused", hs.wantsFactor(strings.Join(factorMethods(k.asks), " or ")))
		e.Hint = "run it again with the right answers; a code that was used once is not taken twice\n" + hs.sshLine()
	case f.err != nil:
		e.Err = f.err
		e.Hint = "run it again"
	case len(f.tries) > 0:
		e.Err = fmt.Errorf("%s, and the server ended the connection before it was through", hs.wantsFactor("an answer"))
		e.Hint = "run it again and answer sooner: servers allow a login two minutes (LoginGraceTime)"
	case len(k.locked) > 0:
		e.Err = fmt.Errorf("%s would do: %w", k.locked[0], errNobodyToAsk)
		e.Hint = "ssh-add " + Quote(k.locked[0])
	case used != nil && used.err != nil && used.byAgent:
		e.Err = fmt.Errorf("the server accepts the key of %s, and the agent does not sign with it: %w", used.from, used.err)
		e.Hint = "a key that was added with ssh-add -c wants a confirmation (ssh-askpass and a display), one on a token a touch or its PIN, and an agent may be locked (ssh-add -X)\ntry it: ssh-add -T FILE.pub"
	case used != nil && used.err != nil:
		e.Err = fmt.Errorf("the server accepts the key in %s, which could not be used: %w", used.from, used.err)
		e.Hint = "ssh-add " + Quote(used.from)
	case len(k.passed) > 0 && len(factorMethods(k.asks)) == 0:
		e.Err = fmt.Errorf("the server accepted the key and wants %s, too", strings.Join(k.asks, " or "))
		e.Hint = "add the further key as identity file or to the agent, or let one key do: AuthenticationMethods in sshd_config of the host\n" + hs.sshLine()
	case used != nil:
		e.Err = fmt.Errorf("the server accepted the key in %s and then refused the login of %s", used.from, h.user)
		e.Hint = hs.refusedHint()
	case !errors.Is(err, errNoKey):
		e.Err = errors.New(Sanitize(strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")))
		e.Hint = hs.unknownHint()
	case bad != nil && (k.offered() == 0 || h.identities[0] == bad.path):
		e.Err = bad
		e.Hint = bad.hint
	case k.empty != "" && k.offered() == 0:
		e.Err = fmt.Errorf("%w, %d offered", errNoKey, 0)
		e.Hint = "open the agent if it is locked: ssh-add -X; else give it a key: ssh-add FILE"
	default:
		e.Err = fmt.Errorf("%w, %d offered", errNoKey, k.offered())
		e.Hint = hs.unknownHint()
	}
}

func (hs *handshake) wantsFactor(what string) string {
	if len(hs.keys.passed) > 0 {
		return "the server accepted the key and wants a second factor (" + what + ")"
	}
	return "the server takes no key here, it wants " + what
}

// used is the key that the server accepted, or nil.
func (k *keyring) used() *offer {
	for _, o := range k.offers {
		if o.err != nil || o.signed {
			return o
		}
	}
	return nil
}

// refusedHint names what refuses a login whose key is right.
func (hs *handshake) refusedHint() string {
	user := hs.hop.user
	why := fmt.Sprintf("look at AllowUsers, DenyUsers and AllowGroups in sshd_config of the host, and at the account: expired (chage -l %s), locked, or closed to all but root by /run/nologin", user)
	if user == "root" {
		why = "PermitRootLogin in sshd_config of the host says who may log in as root: allow it (prohibit-password), or log in as a user with sudo\nelse " + why
	}
	return why + "\nthe server's own words: journalctl -u ssh -n 20"
}

// unknownHint is for keys that the server does not take. It says the same of users that it does not know.
func (hs *handshake) unknownHint() string {
	user := hs.hop.user
	return fmt.Sprintf("add one of the keys to ~%s/.ssh/authorized_keys on the host, or name the right identity file and user\nservers say the same where %[1]s is not let in at all: AllowUsers, DenyUsers, no such account or shell\n%s", user, hs.sshLine())
}

// negotiation says which side lacks what.
func (hs *handshake) negotiation(e *Error, n *ssh.AlgorithmNegotiationError) {
	what := strings.TrimPrefix(strings.TrimPrefix(n.What, "client to server "), "server to client ")
	option := map[string]string{"key exchange": "KexAlgorithms", "host key": "HostKeyAlgorithms", "cipher": "Ciphers", "MAC": "MACs"}[what]
	theirs, ours := names(n.RequestedAlgorithms), names(n.SupportedAlgorithms)
	e.Err = fmt.Errorf("no common %s: the server has %s alone, which provision lacks or holds unsafe", what, strings.Join(theirs, ", "))
	e.Evidence = "the server has: " + strings.Join(theirs, ", ") + "\nprovision has: " + strings.Join(ours, ", ")
	e.Hint = fmt.Sprintf("add one that provision supports to %s in sshd_config of the host", option)
	if option == "HostKeyAlgorithms" {
		e.Hint = "give the host a key of a kind that provision supports (ssh-keygen -A makes all), or correct the one that is known or pinned"
	}
	e.Hint += "\n" + hs.sshLine()
}

// names leaves out what is no algorithm and sanitises the rest.
func names(list []string) (out []string) {
	for _, a := range list {
		if !strings.HasPrefix(a, "ext-info-") && !strings.HasPrefix(a, "kex-strict-") {
			out = append(out, oneLine(a))
		}
	}
	if len(out) == 0 {
		out = []string{"none"}
	}
	return out
}

// forwarding fills in what a jump host answered when it was asked for the way to the next.
func (hs *handshake) forwarding(e *Error, refused *ssh.OpenChannelError) {
	jump, to := hs.before[len(hs.before)-1], hs.hop.addr()
	said := oneLine(strings.TrimSpace(refused.Message))
	if refused.Reason != ssh.Prohibited {
		e.Err = fmt.Errorf("the jump host %s cannot reach %s: %s", jump.addr(), to, said)
		e.Hint = fmt.Sprintf("check address, port and firewall as seen from %s\n%s", jump.host, hs.sshLine())
		return
	}
	e.Err = fmt.Errorf("the jump host %s forbids forwarding to %s: %s", jump.addr(), to, said)
	e.Hint = fmt.Sprintf("in sshd_config of %s: AllowTcpForwarding yes, no DisableForwarding, and %s in PermitOpen if that is set\nin its authorized_keys: no restrict, no-port-forwarding or permitopen for this key", jump.host, to)
}
