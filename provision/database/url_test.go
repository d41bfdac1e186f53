package database

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, place, connection, problem string }{
		{"postgresql://u:p@db.example.org:25060/defaultdb?sslmode=require", "db.example.org:25060/defaultdb", "postgresql+asyncpg://u:p@db.example.org:25060/defaultdb", ""},
		{"postgres://u:p@db.example.org/d", "db.example.org:5432/d", "postgresql+asyncpg://u:p@db.example.org:5432/d", ""},
		{"postgresql://u:p%2Fw%3A%40%25@[2001:db8::1]:5432/d\n", "[2001:db8::1]:5432/d", "postgresql+asyncpg://u:p%2Fw%3A%40%25@[2001:db8::1]:5432/d", ""},
		{"postgresql://u:p@h/d?sslmode=verify-full&channel_binding=require&sslrootcert=system", "h:5432/d", "postgresql+asyncpg://u:p@h:5432/d", ""},
		{"mysql://u:p@h/d", "", "", "does not begin with postgresql://"},
		{"postgresql://u:p@/d", "", "", "does not name one host"},
		{"postgresql://u:p@a,b/d", "", "", "does not name one host"},
		{"postgresql://u@h/d", "", "", "does not hold a user and a password"},
		{"postgresql://:p@h/d", "", "", "does not hold a user and a password"},
		{"postgresql://u:@h/d", "", "", "does not hold a user and a password"},
		{"postgresql://u:p%0A@h/d", "", "", "has control characters in its user or password"},
		{"postgresql://u:p@h/", "", "", "does not end with the name of a database"},
		{"postgresql://u:p@h/a/b", "", "", "does not end with the name of a database"},
		{"postgresql://u:p@h:notaport/d", "", "", "is not a url"},
		{"postgresql://u:p@h/d#x", "", "", "has a # that is not written as %23"},
		{"postgresql://u:p@h/d?sslmode=disable", "", "", "asks for another sslmode than require or verify-ca or verify-full"},
		{"postgresql://u:p@h/d?sslmode=prefer", "", "", "asks for another sslmode"},
		{"postgresql://u:p@h/d?sslrootcert=/tmp/ca", "", "", "asks for another sslrootcert than system"},
		{"postgresql://u:p@h/d?options=x", "", "", "has parameters that provision does not know"},
		{"", "", "", "does not begin with postgresql://"},
	} {
		u, err := Parse(tt.text)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q: %v, want %q", tt.text, err, tt.problem)
			}
			continue
		}
		if err != nil || u.Place() != tt.place || u.Connection("asyncpg") != tt.connection {
			t.Errorf("%q: %v, %q, %q", tt.text, err, u.Place(), u.Connection("asyncpg"))
		}
	}
}

// FuzzParse: what is taken means the same to the driver, and neither an error nor the printed url holds the password.
func FuzzParse(f *testing.F) {
	f.Add("user", "p/w:@$%{x}\"' end", "db.example.org", "defaultdb", "sslmode=require")
	f.Add("u", "secretsecret", "h", "d", "options=secretsecret")
	f.Fuzz(func(t *testing.T, user, password, host, name, query string) {
		text := url.URL{Scheme: "postgresql", User: url.UserPassword(user, password), Host: host, Path: "/" + name, RawQuery: query}
		u, err := Parse(text.String())
		if len(password) > 8 && !strings.Contains(user+host+name, password) {
			for _, said := range []string{fmt.Sprint(err), u.String(), fmt.Sprintf("%#v", u)} {
				if strings.Contains(said, password) {
					t.Fatalf("the password is in %q", said)
				}
			}
		}
		if err != nil {
			return
		}
		back, err := url.Parse(u.Connection("asyncpg"))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := back.User.Password(); got != password || back.User.Username() != user || back.Path != "/"+name {
			t.Fatalf("%q became %q", text.String(), back.String())
		}
	})
}
