package resource

import "errors"

// Warner is a resource that has something to say beside its changes, which stops nothing.
type Warner interface {
	Warn(World) []string
}

// ErrStale says that the plan was made of what is no longer so.
var ErrStale = errors.New("the plan is out of date")

// HostKeyID is the ID of the own host key of a machine that a cloud makes. What is done on the host needs it.
func HostKeyID(host string) ID { return ID{"", "host key", host} }

// FirstLogin names the host whose first login a resource is.
func FirstLogin(id ID) (host string, ok bool) { return id.Name, id == HostKeyID(id.Name) }
