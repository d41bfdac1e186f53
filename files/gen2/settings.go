package gen2

// owned settings are those that the stack stands on, with what provision does about them. Read only.
var owned = map[string]string{
	"PREFECT_API_URL":                       "it follows from the inventory's url",
	"PREFECT_API_KEY":                       "each agent host has tokens of its own",
	"PREFECT_API_DATABASE_CONNECTION_URL":   "the database is the stack's own",
	"PREFECT_API_DATABASE_PASSWORD":         "the password is born on the server and stays there",
	"PREFECT_API_DATABASE_MIGRATE_ON_START": "the database is migrated before the server starts",
	"PREFECT_API_SSL_CERT_FILE":             "trust follows from [tls] and [site] in the inventory",
	"PREFECT_API_TLS_INSECURE_SKIP_VERIFY":  "certificates are always verified",
	"PREFECT_SERVER_ENCRYPTION_KEY":         "the key is born with the data and kept on the server",
	"PREFECT_SERVER_API_HOST":               "Caddy is in front of it",
	"PREFECT_SERVER_API_PORT":               "Caddy is in front of it",
	"PREFECT_SERVER_API_KEEPALIVE_TIMEOUT":  "it must fit Caddy's",
	"PREFECT_SERVER_CORS_ALLOWED_ORIGINS":   "it follows from the inventory's url",
	"PREFECT_UI_STATIC_DIRECTORY":           "the container is read-only",
	"PREFECT_UI_SERVE_BASE":                 "Prefect answers at its host's root",
	"PREFECT_UI_API_URL":                    "it follows from the inventory's url",
	"PREFECT_UI_URL":                        "it follows from the inventory's url",
	"PREFECT_HOME":                          "it is where the volume is mounted",
	"PREFECT_PROFILES_PATH":                 "the containers have no profiles",
	"PREFECT_LOCAL_STORAGE_PATH":            "it is where the volume is mounted",
	"PREFECT_EXPERIMENTAL_EVENTS":           "Caddy has no route for events",
}
