package resource

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"provision/remote"
)

// Disk is block storage on its host: formatted only if it is blank, and mounted by its id. Without
// it the host boots all the same (nofail), and since the database lies in a directory that exists
// only on the disk, its container then does not start, in place of starting with nothing.
type Disk struct {
	Host   string
	Device string // below /dev/disk/by-id
	Path   string // where it is mounted
	Sub    string // the directory for the database, and its owner
	Owner  string
	Born   string // the mark that this host has had the database before
	Kept   *Kept
	After  []ID
}

var _ Resource = (*Disk)(nil)

// DiskID is the ID of a mounted disk.
func DiskID(host, path string) ID { return ID{host, "disk", path} }

func (d *Disk) ID() ID      { return DiskID(d.Host, d.Path) }
func (d *Disk) Needs() []ID { return append([]ID{SystemID(d.Host)}, d.After...) }

// Directory is where the database lies.
func (d *Disk) Directory() string { return d.Path + "/" + d.Sub }

func (d *Disk) fstab() string {
	return d.Device + " " + d.Path + " ext4 defaults,nofail,discard,x-systemd.before=docker.service 0 2"
}

func (d *Disk) Probe(s *Script) {
	s.Record(d.ID(), fmt.Sprintf(`dev=%s dir=%s
[ -d "$dir/"%s ] && v sub yes
[ -e %s ] && v born yes
grep -qxF %s /etc/fstab && v fstab yes
%s
src=$(findmnt -n -o SOURCE --mountpoint "$dir") && v source "$src"
if [ ! -e "$dev" ]; then unknown "the volume is not attached ($dev is missing)"
else
	real=$(readlink -f "$dev"); v real "$real"
	fs=$(blkid -p -o value -s TYPE "$real"); rc=$?
	v fs "$fs"
	case $rc in
	0) v sizes "$(blockdev --getsize64 "$real") $(dumpe2fs -h "$real" 2>/dev/null | sed -n 's/^Block count: *//p;s/^Block size: *//p' | tr '\n' ' ')"
		if [ "$src" = "$real" ]; then yes; else no; fi ;;
	2) no ;;
	*) unknown "what is on $real cannot be told" ;;
	esac
fi`, remote.Quote(d.Device), remote.Quote(d.Path), remote.Quote(d.Sub), remote.Quote(d.Born), remote.Quote(d.fstab()), d.Kept.lost()))
}

func (d *Disk) Diff(w World) []Change {
	rec, know := w.Fact(d.ID())
	refuse := func(why, hint string) []Change {
		return []Change{{ID: d.ID(), Act: Refuse, Risk: Data, Why: why, Hint: hint}}
	}
	fs, source, real := strings.TrimSpace(rec.Fields["fs"]), rec.Fields["source"], rec.Fields["real"]
	change := Change{ID: d.ID(), Act: Modify}
	switch {
	case know == Unknown:
		return nil
	case source != "" && real != "" && source != real:
		return refuse(fmt.Sprintf("%s is mounted at %s, not the volume", remote.Sanitize(source), d.Path), "unmount it, and see /etc/fstab")
	case fs != "" && fs != "ext4":
		return refuse(fmt.Sprintf("there is %s on the volume, not ext4: it is somebody's, and is not formatted", remote.Sanitize(fs)), "see what is on it; if it is nothing: wipefs -a "+d.Device)
	case know == No && real != "" && fs == "" && rec.Fields["born"] != "" && !w.Option("new-data"):
		return refuse("the volume is blank, but this host has had a database on it", "attach the right volume, or begin with empty data: provision apply --new-data")
	case know == No && fs == "":
		change.Act, change.Why = Add, "the volume is formatted if it is blank, and mounted"
	case know == No:
		change.Act, change.Why = Add, "the volume is not mounted; its data stays"
	case rec.Fields["sub"] == "" && rec.Fields["born"] != "" && !w.Option("new-data"):
		return refuse(fmt.Sprintf("the directory %s, in which the database was, is gone from the volume", d.Sub), "put it back from a backup, or begin with empty data: provision apply --new-data")
	case rec.Fields["sub"] == "":
		change.Why = "the directory for the database is missing"
	case rec.Fields["fstab"] == "":
		change.Why = "it is not mounted at boot"
	case rec.Fields["lost"] != "":
		change.Why = remote.Sanitize(rec.Fields["lost"]) + " lies beside the data and not where it is in use: it is put back"
	case d.grown(rec.Fields["sizes"]):
		change.Why = "the volume has grown, and its file system has not"
	default:
		return nil
	}
	return []Change{change}
}

// grown compares the bytes of the device with blocks and block size of the file system.
func (d *Disk) grown(sizes string) bool {
	f := strings.Fields(sizes)
	if len(f) != 3 {
		return false
	}
	var n [3]int64
	for i := range f {
		var err error
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return false
		}
	}
	return n[0]-n[1]*n[2] >= 1<<20
}

func (d *Disk) Do(ctx context.Context, r *Run, _ Change) error {
	// Whether it is blank is asked again right before it is formatted.
	_, err := r.Sh(ctx, d.Host, fmt.Sprintf(`dev=%s dir=%s sub=%s
n=0
until [ -e "$dev" ]; do
	[ $n -lt 60 ] || die "the volume did not appear as $dev within a minute"
	[ $((n %% 10)) -ne 0 ] || echo "waiting for the volume to appear"
	n=$((n + 1)); sleep 1
done
real=$(readlink -f "$dev")
rc=0; fs=$(blkid -p -o value -s TYPE "$real") || rc=$?
case "$rc $fs" in
'0 ext4') ;;
'2 ') echo "formatting the volume, which is blank"; mkfs.ext4 -q -m 1 -L provision "$real" ;;
*) die "the volume is not blank and not ext4 (${fs:-not known}); it is not formatted" ;;
esac
mkdir -p "$dir"
t=$(mktemp /etc/.provision.XXXXXX)
grep -v -F " $dir ext4 " /etc/fstab >"$t" || true
printf '%%s\n' %s >>"$t"
put "$t" /etc/fstab 0:0 0644
systemctl daemon-reload
findmnt -n --mountpoint "$dir" >/dev/null || mount "$dir"
[ "$(findmnt -n -o SOURCE --mountpoint "$dir")" = "$real" ] || die "another file system is mounted at $dir"
resize2fs "$real" >/dev/null
[ -d "$dir/$sub" ] || { mkdir -m 0700 "$dir/$sub"; chown %s "$dir/$sub"; }
sync "$dir"
%s`, remote.Quote(d.Device), remote.Quote(d.Path), remote.Quote(d.Sub), remote.Quote(d.fstab()), remote.Quote(d.Owner), d.Kept.restore()))
	return err
}

// Kept are the few files without which the data on a disk is of no use: they lie beside it, too, so
// that a new droplet with the old volume is the same stack.
type Kept struct {
	Host  string
	Base  string // where the files are in use
	Dir   string // on the disk
	Files []string
	After []ID
}

var _ Resource = (*Kept)(nil)

func (k *Kept) ID() ID      { return ID{k.Host, "kept beside the data", k.Dir} }
func (k *Kept) Needs() []ID { return k.After }
func (k *Kept) quoted() string {
	var b strings.Builder
	for _, f := range k.Files {
		b.WriteString(" " + remote.Quote(f))
	}
	return b.String()
}

func (k *Kept) Probe(s *Script) {
	s.Record(k.ID(), fmt.Sprintf(`b=%s d=%s
[ -d "$d" ] && yes || no
for f in%s; do `+gone+` || [ ! -e "$b/$f" ] || cmp -s "$b/$f" "$d/$f" || { v differ "$f"; break; }; done`, remote.Quote(k.Base), remote.Quote(k.Dir), k.quoted()))
}

func (k *Kept) Diff(w World) []Change {
	rec, know := w.Fact(k.ID())
	switch {
	case know == No:
		return []Change{{ID: k.ID(), Act: Add, Why: "identity and encryption key lie on the droplet's own disk only"}}
	case know == Yes && rec.Fields["differ"] != "":
		return []Change{{ID: k.ID(), Act: Modify, Why: remote.Sanitize(rec.Fields["differ"]) + " differs from the one in use"}}
	}
	return nil
}

// gone says that a file is kept and not in use, or without its content.
const gone = `{ [ -e "$d/$f" ] && [ ! -e "$b/$f" ] || [ -s "$d/$f" ] && [ ! -s "$b/$f" ]; }`

// copyKept copies each file with owner and mode, whole or not at all.
const copyKept = `copykept() { [ ! -e "$1" ] || { (umask 022; mkdir -p "${2%/*}"); t=$(mktemp "${2%/*}/.provision.XXXXXX"); cp -p "$1" "$t"; sync "$t"; mv -f "$t" "$2"; sync "${2%/*}"; }; }
`

func (k *Kept) Do(ctx context.Context, r *Run, _ Change) error {
	_, err := r.Sh(ctx, k.Host, copyKept+fmt.Sprintf(`b=%s d=%s
[ -d "$d" ] || mkdir -m 0700 "$d"
for f in%s; do `+gone+` || copykept "$b/$f" "$d/$f"; done`, remote.Quote(k.Base), remote.Quote(k.Dir), k.quoted()))
	return err
}

// lost says what is kept and not in use: a run that was killed before it put everything back is gone on with.
func (k *Kept) lost() string {
	return fmt.Sprintf(`b=%s d=%s
for f in%s; do ! `+gone+` || { v lost "$f"; break; }; done`, remote.Quote(k.Base), remote.Quote(k.Dir), k.quoted())
}

// restore puts back what is kept and not there: on a droplet that is new beside its data.
func (k *Kept) restore() string {
	return copyKept + fmt.Sprintf(`b=%s d=%s
for f in%s; do ! `+gone+` || copykept "$d/$f" "$b/$f"; done
`, remote.Quote(k.Base), remote.Quote(k.Dir), k.quoted())
}
