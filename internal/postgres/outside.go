package postgres

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How many connections one process takes where the settings don't say.
const (
	appConns    = 12 // requests
	systemConns = 12 // jobs, relay, lease, signs of life
	// ledgerConns is enough for one worker, its look-ups, and a few events that
	// are read into memory at the same time.
	ledgerConns = 6
)

// How few connections everything still works with.
const (
	minApp    = 2
	minLedger = 2
	minSystem = 3 + minLedger // one for signs of life while jobs take the others
	minBoth   = 8
)

const (
	// connectTimeout bounds the making of a connection where the settings don't.
	connectTimeout = 5 * time.Second
	// connIdle is how long a connection that nobody uses is kept where the
	// settings don't say.
	connIdle = 5 * time.Minute
)

// Settings say where an outside PostgreSQL is. pool_max_conns in an address is
// how many connections one process makes through it at most.
type Settings struct {
	// URL is DATABASE_URL: the owner of the tables, or a login that is a member
	// of both plain roles.
	URL string
	// AppURL and SystemURL are DATABASE_APP_URL and DATABASE_SYSTEM_URL: logins
	// of the two plain roles, needed behind a pooler. Without them the login of
	// URL acts as these roles.
	AppURL, SystemURL string
	// Volatile accepts a server that loses commits with the power: the tests'.
	Volatile bool
	// Log is told of waiting; nil: the default logger.
	Log *slog.Logger
}

func (s Settings) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// The names of the settings, for people.
const (
	settingURL       = "DATABASE_URL"
	settingAppURL    = "DATABASE_APP_URL"
	settingSystemURL = "DATABASE_SYSTEM_URL"
)

// settingOf says which setting a role connects by.
func (s Settings) settingOf(role string) string {
	switch {
	case role == AppRole && s.AppURL != "":
		return settingAppURL
	case role == SystemRole && s.SystemURL != "":
		return settingSystemURL
	default:
		return settingURL
	}
}

// Outside gives the connection string for each role at an outside PostgreSQL;
// any other role's is the owner's. All faults of the settings are told, each in
// a line of its own, without a password.
func Outside(s Settings) (connString func(role string) string, err error) {
	if s.URL == "" {
		return nil, fmt.Errorf("%s is missing: it is the login that migrates, or that is a member of %s and %s", settingURL, AppRole, SystemRole)
	}
	owner, err := parseTarget(settingURL, s.URL)
	var faults []error
	if err != nil {
		faults = append(faults, err)
	}
	byRole := make(map[string]string, 2)
	for role, own := range map[string]string{AppRole: s.AppURL, SystemRole: s.SystemURL} {
		if own == "" {
			continue
		}
		t, err := parseTarget(s.settingOf(role), own)
		if err == nil {
			byRole[role] = own
			err = t.enough(map[string]int32{AppRole: minApp, SystemRole: minSystem}[role])
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if owner != nil {
		if err := owner.enough(owner.share(s, byRole)); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	plain := owner.with(nil)
	return func(role string) string {
		if own, ok := byRole[role]; ok {
			return own
		}
		return plain
	}, nil
}

// target is a connection string that was read.
type target struct {
	setting, text string
	cfg           *pgx.ConnConfig
	bound         int32 // pool_max_conns; 0: not said
}

// parseTarget reads a connection string. What the driver says of one that it
// can't read may hold parts of the password, so only what is known not to is
// repeated.
func parseTarget(setting, text string) (*target, error) {
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %s", setting, unreadable(err))
	}
	switch cfg.ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol: // lists of ids have no form in it
		return nil, fmt.Errorf("%s: default_query_exec_mode=%s is not supported: use cache_describe, which prepares nothing either", setting, cfg.ConnConfig.DefaultQueryExecMode)
	}
	t := &target{setting: setting, text: text, cfg: cfg.ConnConfig}
	// The pool's configuration doesn't tell a default from what was said.
	if raw, err := pgconn.ParseConfig(text); err == nil && raw.RuntimeParams["pool_max_conns"] != "" {
		t.bound = cfg.MaxConns
	}
	return t, nil
}

// unreadable says why a connection string can't be read, without showing it.
func unreadable(err error) string {
	const form = "it has to look like postgres://user:password@host:5432/database?sslmode=verify-full, with %-escapes for special characters in the password"
	_, why, found := strings.Cut(err.Error(), "`: ")
	if !found || strings.Contains(why, "failed to parse as") || strings.Contains(why, "invalid port") {
		return form // a password with a slash leaves half of it where a port is expected
	}
	return strings.ReplaceAll(why, "\n", " ")
}

// enough is a fault where fewer connections are allowed than all of it needs.
func (t *target) enough(need int32) error {
	if t.bound == 0 || t.bound >= need {
		return nil
	}
	return fmt.Errorf("%s: pool_max_conns=%d is too few, a process needs at least %d connections through it", t.setting, t.bound, need)
}

// share derives the strings of the roles that have none of their own from the
// owner's, shares its connections out among them, and says how many they need.
func (t *target) share(s Settings, byRole map[string]string) (need int32) {
	switch {
	case s.AppURL == "" && s.SystemURL == "":
		app := t.bound * appConns / (appConns + systemConns + ledgerConns)
		byRole[AppRole] = t.with(map[string]string{"role": AppRole, "bound": bound(app)})
		byRole[SystemRole] = t.with(map[string]string{"role": SystemRole, "bound": bound(t.bound - app)})
		return minBoth
	case s.AppURL == "":
		byRole[AppRole] = t.with(map[string]string{"role": AppRole, "bound": bound(t.bound)})
		return minApp
	case s.SystemURL == "":
		byRole[SystemRole] = t.with(map[string]string{"role": SystemRole, "bound": bound(t.bound)})
		return minSystem
	default:
		return 0
	}
}

func bound(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

// with gives the connection string of a role that the login acts as, or that
// of the login itself, which psql understands, too.
func (t *target) with(as map[string]string) string {
	options := t.cfg.RuntimeParams["options"]
	if role := as["role"]; role != "" {
		options = strings.TrimSpace(options + " -c role=" + role)
	}
	if !strings.HasPrefix(t.text, "postgres://") && !strings.HasPrefix(t.text, "postgresql://") {
		text := t.text // of two values for one key, the later counts
		if options != "" {
			text += " options='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(options) + "'"
		}
		if n := as["bound"]; n != "" {
			text += " pool_max_conns=" + n
		}
		return text
	}
	// Put together by hand, as libpq takes such an address apart: net/url knows
	// neither several hosts nor a socket's folder in the host's place.
	base, query := cutQuery(t.text)
	set := map[string]string{"options": options}
	if as != nil {
		set["pool_max_conns"] = as["bound"]
	}
	var params []string
	for param := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(param, "=")
		if plain, err := url.PathUnescape(key); err == nil {
			key = plain
		}
		if param == "" || set[key] != "" || as == nil && (strings.HasPrefix(key, "pool_") || driversOwn[key]) {
			continue
		}
		params = append(params, param)
	}
	for _, key := range []string{"options", "pool_max_conns"} {
		if set[key] != "" {
			// Spaces as %20: other readers of such addresses don't know the plus.
			params = append(params, key+"="+strings.ReplaceAll(url.QueryEscape(set[key]), "+", "%20"))
		}
	}
	if len(params) == 0 {
		return base
	}
	return base + "?" + strings.Join(params, "&")
}

// cutQuery parts an address from its parameters. A password that was not
// escaped may hold a question mark.
func cutQuery(address string) (base, query string) {
	from := strings.Index(address, "://") + len("://")
	if i := strings.IndexAny(address[from:], "@/"); i >= 0 && address[from+i] == '@' {
		from += i
	}
	if i := strings.IndexByte(address[from:], '?'); i >= 0 {
		return address[:from+i], address[from+i+1:]
	}
	return address, ""
}

// driversOwn are the parameters of an address that only our driver knows.
var driversOwn = map[string]bool{
	"default_query_exec_mode": true, "statement_cache_capacity": true, "description_cache_capacity": true,
}

// poolConfig reads a role's connection string; share says how many of the
// connections that it allows are this pool's, 0 standing for no bound.
func poolConfig(connString, application string, share func(bound int32) int32) (*pgxpool.Config, error) {
	t, err := parseTarget("the connection string", connString)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	cfg, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, errors.New("postgres: the connection string can't be read: " + unreadable(err))
	}
	raw, err := pgconn.ParseConfig(connString)
	if err != nil {
		return nil, errors.New("postgres: the connection string can't be read: " + unreadable(err))
	}
	cfg.MaxConns = share(t.bound)
	cfg.MinConns = min(cfg.MinConns, cfg.MaxConns)
	cfg.MinIdleConns = min(cfg.MinIdleConns, cfg.MaxConns)
	if raw.RuntimeParams["pool_max_conn_idle_time"] == "" {
		cfg.MaxConnIdleTime = connIdle
	}
	prepareConn(cfg.ConnConfig, application)
	return cfg, nil
}

// prepareConn sets what all our connections have in common.
func prepareConn(cfg *pgx.ConnConfig, application string) {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = application
	}
}

// The shares of the pools. The system role's connections are those of its pool
// and of the ledger.
func appShare(bound int32) int32 {
	if bound == 0 {
		return appConns
	}
	return max(bound, 1)
}

func ledgerShare(bound int32) int32 {
	if bound == 0 {
		return ledgerConns
	}
	return min(ledgerConns, max(minLedger, bound/3))
}

func systemShare(bound int32) int32 {
	if bound == 0 {
		return systemConns
	}
	return max(bound-ledgerShare(bound), 1)
}

// keepsStatements says whether statements that were prepared on a connection
// are there the next time, which they are not behind a pooler that gives every
// transaction another connection.
func keepsStatements(cfg *pgx.ConnConfig) bool {
	return cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
}
