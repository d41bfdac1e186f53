package generation

// Routes are what may be asked for at the entrance. The paths are Caddy's.
type Routes struct {
	Server  string   // the part that answers
	Port    int      // of it, in its network
	API     string   // a regular expression that begins the paths of the API
	Probes  string   // a regular expression of paths that everybody may ask for
	Ready   string   // the path that a server answers with 200 when it can do its work
	Closed  []string // paths that nobody may ask for
	Foreign []string // pages that bring scripts of another site
	Policy  string   // the content security policy of all other pages
	// Tokens says what the holder of each kind of token may do at the API: with all, flows may do everything; with serve, what executes flows fetches them.
	Tokens func(all, serve bool) []TokenRoutes
}

// TokenRoutes is what the holder of one kind of token may do at the API. Everything else is refused: a token that may write deployments, blocks or pools
// can run code on every agent host.
type TokenRoutes struct {
	Kind  string
	All   bool // the whole API, but for what is closed to everyone
	Allow []Route
}

// Route is a request that the holder of a token may make.
type Route struct {
	Name, Method, Path string // Path is a regular expression for the whole path
}
