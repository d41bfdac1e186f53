// Package database knows a PostgreSQL that is somewhere else: its url, and what it says of itself.
package database

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// URL is where a database is and how to log in there. It prints without its password.
type URL struct {
	Host, Port string
	User, Name string
	password   string
}

// Form is how a url is written, as a hint.
const Form = "postgresql://USER:PASSWORD@HOST:PORT/NAME"

var (
	databaseName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)
	hostName     = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
)

// verified are parameters of urls that ask for nothing beyond what is done anyway: TLS with a verified certificate.
var verified = map[string][]string{
	"sslmode":         {"require", "verify-ca", "verify-full"},
	"sslrootcert":     {"system"},
	"channel_binding": {"prefer", "require", "disable"},
}

// Parse reads a url. Its errors hold nothing of the url but a parameter's name.
func Parse(text string) (URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return URL{}, errors.New("is not a url")
	}
	password, given := u.User.Password()
	name := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Scheme != "postgresql" && u.Scheme != "postgres":
		return URL{}, errors.New("does not begin with postgresql://")
	case u.Hostname() == "" || !hostName.MatchString(u.Hostname()):
		return URL{}, errors.New("does not name one host")
	case u.User.Username() == "" || !given || password == "":
		return URL{}, errors.New("does not hold a user and a password")
	case strings.ContainsFunc(u.User.Username()+password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return URL{}, errors.New("has control characters in its user or password")
	case !databaseName.MatchString(name):
		return URL{}, errors.New("does not end with the name of a database, of letters, digits, dots, dashes and underscores")
	case u.Fragment != "":
		return URL{}, errors.New("has a # that is not written as %23")
	}
	parameters := u.Query()
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		allowed, known := verified[key]
		for _, value := range parameters[key] {
			switch {
			case !known:
				return URL{}, errors.New("has parameters that provision does not know: only sslmode, sslrootcert and channel_binding may be there")
			case !slices.Contains(allowed, value):
				return URL{}, fmt.Errorf("asks for another %s than %s: certificates are always verified", key, strings.Join(allowed, " or "))
			}
		}
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	return URL{Host: u.Hostname(), Port: port, User: u.User.Username(), Name: name, password: password}, nil
}

// Address is HOST:PORT.
func (u URL) Address() string { return net.JoinHostPort(u.Host, u.Port) }

// Place names the database without its login.
func (u URL) Place() string { return u.Address() + "/" + u.Name }

func (u URL) String() string   { return "postgresql://" + u.User + "@" + u.Place() }
func (u URL) GoString() string { return u.String() }

// Connection is the whole url for SQLAlchemy with that driver. It is secret.
func (u URL) Connection(driver string) string {
	out := url.URL{Scheme: "postgresql+" + driver, User: url.UserPassword(u.User, u.password), Host: u.Address(), Path: "/" + u.Name}
	return out.String()
}
