package resource

import (
	"context"
	"strings"

	"provision/provision/platform"
	"provision/remote"
)

// Metadata keeps containers from the address at which a cloud tells every program on a machine what
// the machine was made with. The rule stands where packets come in, before any table of the
// engine's, so neither the engine's restart nor its rules undo it; a unit puts it back at boot,
// before the engine starts.
type Metadata struct{ Host string }

var _ Resource = (*Metadata)(nil)

// MetadataID is the ID of a host's closed metadata.
func MetadataID(host string) ID { return ID{host, "metadata", "closed to containers"} }

func (m *Metadata) ID() ID { return MetadataID(m.Host) }

// Needs is the engine, which brings iptables; no container is started before this.
func (m *Metadata) Needs() []ID { return []ID{EngineID(m.Host)} }

const (
	metadataUnit = "/etc/systemd/system/provision-metadata.service"
	metadataRule = "PREROUTING -d 169.254.169.254/32 -j DROP"
	metadataText = `[Unit]
Description=Containers do not reach the metadata of this machine (provision)
` + afterFirewalls + `Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'iptables -w -t raw -C ` + metadataRule + ` 2>/dev/null || iptables -w -t raw -I ` + metadataRule + `'

[Install]
WantedBy=multi-user.target
`
)

func (m *Metadata) Probe(s *Script) {
	s.Once("metadataenabled", remote.Function("metadataenabled", platform.Systemd.Enabled("provision-metadata")))
	s.Record(m.ID(), remote.Args(strings.Fields(metadataRule)...)+scripts.With("metadata_probe", "unit", metadataUnit))
}

func (m *Metadata) Diff(w World) []Change {
	rec, know := w.Fact(m.ID())
	c := Change{ID: m.ID(), Act: Modify}
	switch {
	case know == Unknown:
		return nil
	case know == No:
		c.Act, c.Why = Add, "containers can read what the droplet was made with"
	case rec.Fields["sum"] != digest([]byte(metadataText)):
		c.Why = "its unit differs"
	case rec.Fields["enabled"] != "enabled":
		c.Why = "its systemd unit is not enabled"
	case rec.Fields["rule"] != "yes":
		c.Why = "the rule is not in place"
	default:
		return nil
	}
	return []Change{c}
}

func (m *Metadata) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, m.Host, remote.Args(strings.Fields(metadataRule)...)+startAtBoot("provision-metadata")+
		scripts.With("metadata_change", "unit", metadataUnit, "text", metadataText))
	return err
}
