package remote

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	agentTimeout    = 3 * time.Second  // to answer which keys it has
	agentSignPeriod = 30 * time.Second // to sign; a person may have to touch a token
)

// agentKeys asks the agent. Every wait on it is bounded: an agent that hangs or is
// gone only costs its keys.
func (d *Dialer) agentKeys(k *keyring, h *hop, wait *patience) []ssh.AlgorithmSigner {
	socket := cmp.Or(h.agent, d.AgentSocket)
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" || socket == "none" {
		return nil
	}
	conn, err := net.DialTimeout("unix", socket, agentTimeout)
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("agent %s: %v", socket, err))
		return nil
	}
	k.agent = conn
	_ = conn.SetDeadline(time.Now().Add(agentTimeout))
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("agent %s: list keys: %v", socket, err))
		return nil
	}
	if len(signers) == 0 {
		k.empty = socket
		k.notes = append(k.notes, fmt.Sprintf("agent %s: shows no key: none was added, or it is locked", socket))
	}
	var out []ssh.AlgorithmSigner
	for _, s := range signers {
		as, ok := s.(ssh.AlgorithmSigner)
		// What the agent lists are bytes: only what is parsed tells a certificate from a key.
		public, err := ssh.ParsePublicKey(s.PublicKey().Marshal())
		if ok && err == nil {
			out = append(out, &agentSigner{as, public, conn, wait})
		} else if err != nil {
			k.notes = append(k.notes, fmt.Sprintf("agent %s: a key of type %s: %v", socket, s.PublicKey().Type(), err))
		}
	}
	return out
}

// agentSigner bounds how long the agent may take to sign.
type agentSigner struct {
	ssh.AlgorithmSigner
	public ssh.PublicKey
	conn   net.Conn
	wait   *patience
}

func (a *agentSigner) PublicKey() ssh.PublicKey { return a.public }

func (a *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algo string) (*ssh.Signature, error) {
	defer a.wait.pause()()
	_ = a.conn.SetDeadline(time.Now().Add(agentSignPeriod))
	sig, err := a.AlgorithmSigner.SignWithAlgorithm(rand, data, algo)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("the agent did not answer within %v", agentSignPeriod)
	} else if err != nil {
		return nil, fmt.Errorf("the agent refused: %w", err)
	}
	return sig, nil
}
