package resource

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// bcryptCost is what each guess costs Caddy, and so what a flood of guesses takes from the agents.
// A long password, as a generated one of 116 bits, is safe without a slow hash: a guess costs about a
// millisecond. A short one needs the slow hash, with some 50 ms per guess.
func bcryptCost(password string) int {
	if len(password) >= generatedLength {
		return bcrypt.MinCost
	}
	return bcrypt.DefaultCost
}

// PasswordHash is the bcrypt hash of another secret. A hash cannot be compared with its password
// by a shell, so a note beside the password says, as a digest salted per host, of which value the
// hash was made. The note is written last: a run killed in between makes the hash again.
type PasswordHash struct {
	Host, Path string
	UID        string
	Password   ID     // the secret file that the hash is made of
	Note       string // path of the note
	Salt       string // path of the host's salt
	After      []ID
}

var _ Resource = (*PasswordHash)(nil)

func (h *PasswordHash) ID() ID      { return SecretID(h.Host, h.Path) }
func (h *PasswordHash) Needs() []ID { return append([]ID{h.Password}, h.After...) }

// Paths are the hash and the note about it.
func (h *PasswordHash) Paths() []string { return []string{h.Path, h.Note} }

func (h *PasswordHash) Probe(s *Script) {
	s.Once("statsecret", scripts.With("secret_stat"))
	s.Once("hashnote", scripts.With("password_note"))
	s.Record(h.ID(), scripts.With("password_probe", h.values()...))
}

// values are what both of its scripts take.
func (h *PasswordHash) values() []string {
	return []string{"hash", h.Path, "note", h.Note, "pw", h.Password.Name, "salt", h.Salt}
}

func (h *PasswordHash) Diff(w World) []Change {
	rec, know := w.Fact(h.ID())
	want := h.UID + " 400 60"
	switch {
	case know == Unknown:
		return nil
	case know == No:
		return []Change{{ID: h.ID(), Act: Add, Why: "the file does not exist"}}
	case w.Pending(h.Password):
		return []Change{{ID: h.ID(), Act: Modify, Why: "the password changes"}}
	case rec.Fields["match"] != "yes":
		return []Change{{ID: h.ID(), Act: Modify, Why: "it is not known to be the hash of the present password"}}
	case rec.Fields["stat"] != want:
		return []Change{{ID: h.ID(), Act: Modify, Why: "owner, mode or size differ"}}
	case dirDiffers(rec, h.UID, secretDirMode) != "":
		return []Change{{ID: h.ID(), Act: Modify, Why: dirDiffers(rec, h.UID, secretDirMode)}}
	}
	return nil
}

func (h *PasswordHash) Do(ctx context.Context, r *Run, _ Change) error {
	password, err := r.Value(ctx, h.Password)
	if err != nil {
		return err
	}
	// Nobody types the newline that an editor has put there.
	typed := strings.TrimSuffix(password.Reveal(), "\n")
	hash, err := bcrypt.GenerateFromPassword([]byte(typed), bcryptCost(typed))
	if err != nil {
		return fmt.Errorf("hash the password: %w", err)
	}
	_, err = r.Sh(ctx, h.Host, scripts.With("password_note")+scripts.With("password_change", append(h.values(), "u", h.UID, "mode", secretDirMode, "content", string(hash))...))
	return err
}
