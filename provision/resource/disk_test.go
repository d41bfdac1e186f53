package resource

import "testing"

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
		{name: "a host that does not exist", facts: at(no()), want: "add: the volume is formatted if it is blank"},
		{name: "not attached", facts: at(unknown("the volume is not attached"))},
		{name: "as it should be", facts: at(good())},
		{name: "blank", facts: at(no("real", "/dev/sda", "fs", "")), want: "add: the volume is formatted if it is blank"},
		{name: "blank where there was a database", facts: at(no("real", "/dev/sda", "fs", "", "born", "yes")), want: "refuse: the volume is blank", risk: Data},
		{name: "the same, with new data", facts: at(no("real", "/dev/sda", "fs", "", "born", "yes")), options: []string{"new-data"}, want: "add: the volume is formatted"},
		{name: "not mounted", facts: at(gone(good("source", ""))), want: "add: the volume is not mounted; its data stays"},
		{name: "somebody's", facts: at(no("real", "/dev/sda", "fs", "xfs")), want: "refuse: there is xfs on the volume", risk: Data},
		{name: "another one is mounted", facts: at(gone(good("source", "/dev/sdb"))), want: "refuse: /dev/sdb is mounted", risk: Data},
		{name: "the directory is gone", facts: at(good("sub", "")), want: "refuse: the directory postgres", risk: Data},
		{name: "not at boot", facts: at(good("fstab", "")), want: "change: it is not mounted at boot"},
		{name: "grown", facts: at(good("sizes", "32212254720 5242880 4096 ")), want: "change: the volume has grown"},
	})
}

func TestMetadataDiff(t *testing.T) {
	t.Parallel()
	m := &Metadata{Host: "a"}
	sum := digest([]byte(metadataText))
	at := func(f Fact) facts { return facts{m.ID(): f} }
	runDiff(t, m, []diffCase{
		{name: "open", facts: at(no()), want: "add: containers can read"},
		{name: "not known", facts: at(unknown(""))},
		{name: "closed", facts: at(yes("sum", sum, "enabled", "enabled", "rule", "yes"))},
		{name: "another unit", facts: at(yes("sum", "x", "enabled", "enabled", "rule", "yes")), want: "change: its unit differs"},
		{name: "not at boot", facts: at(yes("sum", sum, "enabled", "disabled", "rule", "yes")), want: "change: its unit is not started at boot"},
		{name: "flushed", facts: at(yes("sum", sum, "enabled", "enabled")), want: "change: the rule is not in place"},
	})
}

func TestADatabaseIsNotMovedSilently(t *testing.T) {
	t.Parallel()
	v := &Volume{Host: "a", Stack: "prefect", Name: "prefect-postgres", Birth: true, Moved: true, Disk: &Disk{Path: "/mnt/prefect-data", Sub: "postgres"}}
	runDiff(t, v, []diffCase{
		{name: "in its place", facts: facts{v.ID(): yes("born", "yes", "device", "/mnt/prefect-data/postgres\n")}},
		{name: "on the droplet's own disk", facts: facts{v.ID(): yes("device", "\n")}, want: "refuse: the database lies on the machine's own disk, and should lie in /mnt/prefect-data/postgres", risk: Data},
	})
	own := &Volume{Host: "a", Stack: "prefect", Name: "prefect-postgres", Birth: true, Moved: true}
	runDiff(t, own, []diffCase{
		{name: "the volume key was taken away", facts: facts{own.ID(): yes("device", "/mnt/prefect-data/postgres")}, want: "refuse: the database lies in /mnt/prefect-data/postgres", risk: Data},
		{name: "not asked", facts: facts{own.ID(): yes("born", "yes")}},
		{name: "never on one", facts: facts{own.ID(): yes("born", "yes", "device", "")}},
	})
}
