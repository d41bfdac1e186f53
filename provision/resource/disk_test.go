package resource_test

import (
	"testing"

	. "provision/provision/resource"
)

func TestDiskDiff(t *testing.T) {
	t.Parallel()
	d := &Disk{Host: "prefect", Device: "/dev/disk/by-id/x", Path: "/mnt/prefect-data", Sub: "postgres", Kept: &Kept{}}
	good := func(changes ...string) Fact {
		f := yes("real", "/dev/sda", "fs", "ext4", "source", "/dev/sda", "sub", "yes", "fstab", "yes", "born", "yes", "sizes", "21474836480 5242880 4096 ")
		for n := 0; n+1 < len(changes); n += 2 {
			f.Fields[changes[n]] = changes[n+1]
		}
		return f
	}
	gone := func(f Fact) Fact { f.Know = No; return f }
	at := func(f Fact) facts { return facts{d.ID(): f} }
	runDiff(t, d, []diffCase{
		{Name: "a host that does not exist", Facts: at(no()), Want: "add: the volume is formatted if it is blank"},
		{Name: "not attached", Facts: at(unknown("the volume is not attached"))},
		{Name: "as it should be", Facts: at(good())},
		{Name: "blank", Facts: at(no("real", "/dev/sda", "fs", "")), Want: "add: the volume is formatted if it is blank"},
		{Name: "blank where there was a database", Facts: at(no("real", "/dev/sda", "fs", "", "born", "yes")), Want: "refuse: the volume is blank", Risk: Data},
		{Name: "the same, with new data", Facts: at(no("real", "/dev/sda", "fs", "", "born", "yes")), Options: []string{"new-data"}, Want: "add: the volume is formatted"},
		{Name: "not mounted", Facts: at(gone(good("source", ""))), Want: "add: the volume is not mounted; its data stays"},
		{Name: "somebody's", Facts: at(no("real", "/dev/sda", "fs", "xfs")), Want: "refuse: there is xfs on the volume", Risk: Data},
		{Name: "another one is mounted", Facts: at(gone(good("source", "/dev/sdb"))), Want: "refuse: /dev/sdb is mounted", Risk: Data},
		{Name: "the directory is gone", Facts: at(good("sub", "")), Want: "refuse: the directory postgres", Risk: Data},
		{Name: "not at boot", Facts: at(good("fstab", "")), Want: "change: it is not mounted at boot"},
		{Name: "grown", Facts: at(good("sizes", "32212254720 5242880 4096 ")), Want: "change: the volume has grown"},
	})
}

func TestMetadataDiff(t *testing.T) {
	t.Parallel()
	m := &Metadata{Host: "a"}
	sum := Digest([]byte(MetadataText))
	at := func(f Fact) facts { return facts{m.ID(): f} }
	runDiff(t, m, []diffCase{
		{Name: "open", Facts: at(no()), Want: "add: containers can read"},
		{Name: "not known", Facts: at(unknown(""))},
		{Name: "closed", Facts: at(yes("sum", sum, "enabled", "enabled", "rule", "yes"))},
		{Name: "another unit", Facts: at(yes("sum", "x", "enabled", "enabled", "rule", "yes")), Want: "change: its unit differs"},
		{Name: "not at boot", Facts: at(yes("sum", sum, "enabled", "disabled", "rule", "yes")), Want: "change: its systemd unit is not enabled"},
		{Name: "flushed", Facts: at(yes("sum", sum, "enabled", "enabled")), Want: "change: the rule is not in place"},
	})
}

func TestADatabaseIsNotMovedSilently(t *testing.T) {
	t.Parallel()
	v := &Volume{Host: "a", Stack: "prefect", Name: "prefect-postgres", Birth: true, Movable: true, Disk: &Disk{Path: "/mnt/prefect-data", Sub: "postgres"}}
	runDiff(t, v, []diffCase{
		{Name: "in its place", Facts: facts{v.ID(): yes("born", "yes", "device", "/mnt/prefect-data/postgres\n")}},
		{Name: "on the droplet's own disk", Facts: facts{v.ID(): yes("device", "\n")}, Want: "refuse: the database is on the machine's own disk, and should be in /mnt/prefect-data/postgres", Risk: Data},
	})
	own := &Volume{Host: "a", Stack: "prefect", Name: "prefect-postgres", Birth: true, Movable: true}
	runDiff(t, own, []diffCase{
		{Name: "the volume key was taken away", Facts: facts{own.ID(): yes("device", "/mnt/prefect-data/postgres")}, Want: "refuse: the database is in /mnt/prefect-data/postgres", Risk: Data},
		{Name: "not asked", Facts: facts{own.ID(): yes("born", "yes")}},
		{Name: "never on one", Facts: facts{own.ID(): yes("born", "yes", "device", "")}},
	})
}
