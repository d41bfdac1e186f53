package generation

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
