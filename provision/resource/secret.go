package resource

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"provision/files/naming"
	"provision/remote"
)

// SecretFile is a file that holds one secret value, whole, for one reader. Exactly one host owns a
// value; everyone else has a copy (Source names the owner).
//
// The value reaches the host inside the apply shell's standard input and is written by the shell's
// builtin printf, so it is in no process's arguments.
type SecretFile struct {
	Host, Path string
	UID        string // owner of the file; its directory belongs to root, and this number is its group
	// Source is the owner of the value; zero if this file owns it.
	Source ID
	// AlsoChangedBy is a second resource whose change alters the value at Source; zero if there is none.
	AlsoChangedBy ID
	// Given is the user's value, nil if there is none.
	Given func(context.Context) (Secret, error)
	// GivenDigest is the salted digest of the user's value, with which a plan sees that it differs.
	GivenDigest func(nonce string) string
	// Generate makes the value where the user gave none. It may read other values.
	Generate func(context.Context, *Run) (Secret, error)
	// Public says that the value is no secret (a certificate), so anyone on the host may read it.
	Public bool
	// Precious says that a lost value cannot be made again without losing data: then a file that is
	// missing, empty or a link is refused while that data exists.
	Precious ID
	Stack    string // whose Precious is
	After    []ID

	nonce string
}

var (
	_ Resource  = (*SecretFile)(nil)
	_ Valuer    = (*SecretFile)(nil)
	_ Uncertain = (*SecretFile)(nil)
)

func (f *SecretFile) ID() ID { return SecretID(f.Host, f.Path) }

// SecretID is the ID of the secret file at that path.
func SecretID(host, path string) ID { return ID{host, "secret", path} }

// Paths is the one path.
func (f *SecretFile) Paths() []string { return []string{f.Path} }

func (f *SecretFile) Needs() []ID {
	if f.Source == (ID{}) {
		return f.After
	}
	return append([]ID{f.Source}, f.After...)
}

func (f *SecretFile) Probe(s *Script) {
	f.nonce = s.Nonce()
	s.Once("statsecret", scripts.With("secret_stat"))
	s.Record(f.ID(), "statsecret "+remote.Quote(f.Path))
}

// SaltedDigest is the digest that the probe prints for a secret with this value.
func SaltedDigest(nonce, value string) string {
	sum := sha256.Sum256([]byte(nonce + value))
	return hex.EncodeToString(sum[:])
}

func (f *SecretFile) mode() string {
	if f.Public {
		return "444"
	}
	return "400"
}

// dirMode is the mode of the directory. Others look into it only where there is no secret.
func (f *SecretFile) dirMode() string {
	if f.Public {
		return "755"
	}
	return secretDirMode
}

const secretDirMode = "550"

// dirDiffers says what is wrong with the directory of a secret, as statsecret has reported it; "" if
// nothing is. Whoever can write in it can swap the file for a link while root works on it.
func dirDiffers(rec Record, gid, mode string) string {
	dir := strings.Fields(rec.Fields["dir"])
	if len(dir) != 4 || dir[0] == "0" && dir[1] == mode && dir[3] == gid {
		return ""
	}
	return fmt.Sprintf("owner and mode of its directory are %s:%s %s, should be 0:%s %s",
		remote.Sanitize(dir[0]), remote.Sanitize(dir[3]), remote.Sanitize(dir[1]), gid, mode)
}

func (f *SecretFile) Diff(w World) []Change {
	rec, know := w.Fact(f.ID())
	if know == Unknown {
		return nil
	}
	lost := f.lost(rec, know)
	if w.Option(RotateOption(f.ID())) {
		if lost != "" {
			return nothingToRotate(f.ID(), lost)
		}
		return []Change{{ID: f.ID(), Act: Replace, Why: "a new value was asked for", Note: "the old value opens nothing any more"}}
	}
	if lost != "" && f.Precious != (ID{}) && !ofOthers(w, f.Precious, f.Stack) {
		switch _, k := w.Fact(f.Precious); k {
		case Unknown:
			return nil // see WhyUnknown
		case Yes:
			anew := fmt.Sprintf("To begin with empty data, remove what is there yourself (docker volume rm %s) and say so: provision apply --new-data", f.Precious.Name)
			switch f.Precious.Kind {
			case "volume":
			case "repository":
				anew = fmt.Sprintf("provision credentials --recovery has shown it. To begin with an empty repository, move %s and the receipts of its backups away yourself (%s/receipts)", f.Precious.Name, naming.Stack(f.Stack).Backups())
			default:
				anew = "To begin with empty data, give the stack an empty database"
			}
			return []Change{{
				ID: f.ID(), Act: Refuse, Risk: Data,
				Why:  fmt.Sprintf("%s, but %s, whose content needs this secret, exists", lost, f.Precious),
				Hint: "put the file back from a backup; a new one cannot read the existing data. " + anew,
			}}
		case No:
		}
	}
	if know == No {
		return []Change{{ID: f.ID(), Act: Add, Why: lost}}
	}
	modify := Change{ID: f.ID(), Act: Modify, Why: lost}
	stat := strings.Fields(rec.Fields["stat"])
	switch {
	case lost != "":
	case f.Source != (ID{}):
		src, k := w.Fact(f.Source)
		switch {
		case w.Pending(f.Source) || w.Pending(f.AlsoChangedBy):
			modify.Why = fmt.Sprintf("its source on %s changes", f.Source.Host)
		case k == Yes && src.Fields["sum"] != rec.Fields["sum"]:
			modify.Why = fmt.Sprintf("it differs from %s", f.Source.Host+":"+f.Source.Name)
		}
	case f.GivenDigest != nil && f.GivenDigest(f.nonce) != rec.Fields["sum"]:
		modify.Why = "the given value differs"
	}
	if modify.Why == "" && (stat[0] != f.UID || stat[1] != f.mode()) {
		modify.Why = fmt.Sprintf("owner and mode are %s %s, should be %s %s", remote.Sanitize(stat[0]), remote.Sanitize(stat[1]), f.UID, f.mode())
	}
	if modify.Why == "" {
		modify.Why = dirDiffers(rec, f.UID, f.dirMode())
	}
	if modify.Why == "" {
		return nil
	}
	return []Change{modify}
}

// lost says why there is no value of ours in the file; "" if there is one.
func (f *SecretFile) lost(rec Record, know Know) string {
	stat := strings.Fields(rec.Fields["stat"])
	switch {
	case know == No:
		return "the file does not exist"
	case rec.Fields["link"] != "" || len(stat) != 3:
		return "it is a symbolic link, not a file"
	case stat[2] == "0":
		return "the file is empty"
	}
	return ""
}

// WhyUnknown says that a missing value may not be made as long as nobody knows whether the data that
// needs it exists.
func (f *SecretFile) WhyUnknown(w World) string {
	rec, know := w.Fact(f.ID())
	lost := f.lost(rec, know)
	if f.Precious == (ID{}) || know == Unknown || lost == "" {
		return ""
	}
	if _, know := w.Fact(f.Precious); know != Unknown {
		return ""
	}
	return fmt.Sprintf("%s, and whether there is a %s whose content needs this secret is not known", lost, f.Precious)
}

func (f *SecretFile) Do(ctx context.Context, r *Run, c Change) error {
	value, err := f.value(ctx, r, c)
	if err != nil {
		return err
	}
	place := "put"
	if f.Source == (ID{}) && f.Given == nil {
		if c.Act == Add {
			place = "new"
		} else if value.Empty() {
			place = "keep"
		}
	}
	_, err = r.Sh(ctx, f.Host, scripts.With("secret_change", "p", f.Path, "content", value.Reveal(), "u", f.UID, "m", f.mode(), "dirmode", f.dirMode(), "place", place))
	if err == nil && f.Source == (ID{}) {
		// What others copy is what is in the file, whoever wrote it.
		r.forget(f.ID())
	}
	return err
}

// value is what goes into the file; empty when it stays what it is.
func (f *SecretFile) value(ctx context.Context, r *Run, c Change) (Secret, error) {
	switch {
	case f.Source != (ID{}):
		return r.Value(ctx, f.Source)
	case f.Given != nil:
		return f.Given(ctx)
	case c.Act == Add, // should there be a file all the same, it stays
		c.Act == Replace:
		return f.Generate(ctx, r)
	}
	current, err := f.Read(ctx, r)
	if err != nil {
		return Secret{}, err
	}
	if !current.Empty() {
		return Secret{}, nil
	}
	return f.Generate(ctx, r)
}

// Read returns the file's content, or an empty value if there is no file. It does not follow a link.
// It is what the probe has digested, byte for byte: who uses it takes no notice of a newline at its end.
func (f *SecretFile) Read(ctx context.Context, r *Run) (Secret, error) {
	out, err := r.Get(ctx, f.Host, remote.Set("f", f.Path)+`[ -L "$f" ] || [ ! -f "$f" ] || cat "$f"`)
	if err != nil {
		return Secret{}, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return NewSecret(out), nil
}

// RandomHex makes a value of 32 random bytes, written as hexadecimal digits.
func RandomHex(context.Context, *Run) (Secret, error) { return NewSecret(randomHex(32)), nil }

// FernetKey makes the key with which Prefect encrypts its secret blocks: 32 random bytes in the
// url-safe base64 that Python's cryptography library takes.
func FernetKey(context.Context, *Run) (Secret, error) {
	b := make([]byte, 32)
	rand.Read(b)
	return NewSecret(base64.URLEncoding.EncodeToString(b)), nil
}

// generatedLength is the length of a generated password.
const generatedLength = 20

// RandomPassword makes a password that a person can type: 20 characters that are not mistaken for
// each other, of 116 bits in all.
func RandomPassword(context.Context, *Run) (Secret, error) {
	const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, generatedLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return Secret{}, err
		}
		b[i] = letters[n.Int64()]
	}
	return NewSecret(string(b)), nil
}
