package remote

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"
)

// PretendUser makes c believe that it logged in as user, so that the way over sudo
// is taken where the tests run as root.
func PretendUser(c *Conn, user string) { c.hop.user = user }

// Keepalive watches c more closely than it does by itself.
func Keepalive(c *Conn, every, limit time.Duration) { go c.keepalive(every, limit) }

// Gone is closed when c has ended.
func Gone(c *Conn) <-chan struct{} { return c.gone }

// StaleTurn is how long a connection of d may wait for its turn to ask before it is made anew.
func StaleTurn(d *Dialer, after time.Duration) { d.staleTurn = after }

// StartPeriod is how long a shell may take to come up on connections of d.
func StartPeriod(d *Dialer, period time.Duration) { d.startPeriod = period }

// Hop is one machine on the way to a target as it was resolved.
type Hop struct {
	Host, User                                                     string
	Port                                                           int
	Identities, Certificates, UserKnown, GlobalKnown, Revoked      []string
	Agent, ProxyCommand, KnownCommand, HostKeyAlias, Network, Bind string
	OnlyIdentities, Hash                                           bool
	Timeout, Alive                                                 time.Duration
}

// Route resolves a target without connecting.
func Route(ctx context.Context, d *Dialer, t Target) (way []Hop, err error) {
	hops, err := d.route(ctx, t)
	for _, h := range hops {
		way = append(way, Hop{
			Host: h.host, User: h.user, Port: h.port, Identities: h.identities, Certificates: h.certificates, UserKnown: h.userKnown,
			GlobalKnown: h.globalKnown, Revoked: h.revoked, Agent: h.agent, ProxyCommand: h.proxyCommand, KnownCommand: h.knownCommand,
			HostKeyAlias: h.hostAlias, Network: h.network, Bind: h.bindAddress + h.bindInterface, OnlyIdentities: h.onlyIdentities,
			Hash: h.hashKnown, Timeout: h.timeout, Alive: h.alive,
		})
	}
	return way, err
}

// Questions is how often ssh -G was asked about a name.
func Questions(d *Dialer) int64 { return d.asker.questions.Load() }

// HostKeyVerdict is the error of checking a host's key, nil if the key is good.
func HostKeyVerdict(d *Dialer, host string, port int, known, revoked []string, key ssh.PublicKey) error {
	hs := &handshake{hop: &hop{label: host, host: host, port: port, userKnown: known, revoked: revoked}}
	check, _, err := d.hostKeyCheck(hs)
	if err != nil {
		return err
	}
	return check("", nil, key)
}

// RevokedBy asks a list of revoked keys.
var RevokedBy = revokedBy

// SplitFiles takes a line of file names apart.
var SplitFiles = splitFiles

// ForeignTexts are the texts of other programs that the package knows.
var ForeignTexts = foreign

// CommandLine is what the login shell is given.
var CommandLine = commandLine
