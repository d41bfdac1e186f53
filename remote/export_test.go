package remote

import "time"

// PretendUser makes c believe that it logged in as user, so that the way over sudo
// is taken where the tests run as root.
func PretendUser(c *Conn, user string) { c.hop.user = user }

// Keepalive watches c more closely than it does by itself.
func Keepalive(c *Conn, every, limit time.Duration) { go c.keepalive(every, limit) }

// StaleTurn is how long a connection of d may wait for its turn to ask before it is made anew.
func StaleTurn(d *Dialer, after time.Duration) { d.staleTurn = after }

// StartPeriod is how long a shell may take to come up on connections of d.
func StartPeriod(d *Dialer, period time.Duration) { d.startPeriod = period }
