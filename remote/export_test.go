package remote

import "time"

// PretendUser makes c believe that it logged in as user, so that the way over sudo
// is taken where the tests run as root.
func PretendUser(c *Conn, user string) { c.hop.user = user }

// Keepalive watches c more closely than it does by itself.
func Keepalive(c *Conn, every, limit time.Duration) { go c.keepalive(every, limit) }
