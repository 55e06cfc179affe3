package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Mode is how a Redis is run.
type Mode int

// The modes.
const (
	Single Mode = iota
	Cluster
	Sentinel
)

// String names the mode for people.
func (m Mode) String() string {
	return [...]string{"single server", "cluster", "Sentinel"}[m]
}

// Settings say where a Redis is and how to sign in there.
type Settings struct {
	Mode      Mode
	Addresses []string // host:port; those of the sentinels where Mode is Sentinel
	MasterSet string   // the name that the sentinels watch
	User      string
	Password  string
	DB        int
	TLS       *tls.Config // nil: plain
	// The sentinels' own credentials; they often have none.
	SentinelUser, SentinelPassword string
}

const (
	defaultPort         = "6379"
	defaultSentinelPort = "26379"
	// dialTimeout bounds a connect with its greeting.
	dialTimeout = time.Second
	// answerTimeout is after how long without an answer a connection counts
	// as dead; calls give up earlier, by their own patience.
	answerTimeout = time.Second
	// pingEvery is how often a silent connection is asked.
	pingEvery = 500 * time.Millisecond
	// refreshEvery is how often a cluster's layout is read.
	refreshEvery = 10 * time.Second
)

// ParseURL reads REDIS_URL: redis:// or rediss:// (TLS), USER:PASSWORD@ with
// both URL-encoded, one or several addresses, /DB, and ?master_set=NAME for
// sentinels (sentinel_user, sentinel_password: theirs). Several addresses
// without a master set are a cluster, as is one with ?cluster=true. All faults
// are told, each in a line, without the password.
func ParseURL(text string) (Settings, error) {
	var s Settings
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
	switch {
	case !ok || scheme != "redis" && scheme != "rediss":
		return s, errors.New("REDIS_URL: begins with neither redis:// nor rediss://")
	case scheme == "rediss":
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("REDIS_URL: "+format, args...)) }
	// A password may hold an @, and so may one that stands as an option.
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, both := strings.Cut(rest[:at], ":")
		var e1, e2 error
		s.User, e1 = url.PathUnescape(user)
		s.Password, e2 = url.PathUnescape(password)
		switch {
		case strings.Contains(rest[:at], "://"):
			fault("user and password stand once, before the first of several addresses")
		case !both:
			fault("what stands before the @ has no colon; write USER:PASSWORD@, or :PASSWORD@ for the default user")
		case e1 != nil || e2 != nil:
			fault("user or password is not URL-encoded; write %% as %%25, @ as %%40, : as %%3A, / as %%2F, ? as %%3F")
		}
		rest = rest[at+1:]
	}
	hosts, db, _ := strings.Cut(rest, "/")
	values, err := url.ParseQuery(query)
	if err != nil {
		fault("what stands after the ? can't be read")
	}
	cluster := false
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch value := values.Get(name); name {
		case "master_set":
			s.MasterSet = value
		case "sentinel_user":
			s.SentinelUser = value
		case "sentinel_password":
			s.SentinelPassword = value
		case "cluster":
			if cluster, err = strconv.ParseBool(value); err != nil {
				fault("cluster is neither true nor false")
			}
		default:
			fault("%s is no option; there are master_set, sentinel_user, sentinel_password and cluster (a ? in a password is written %%3F)", optionOf(name, query))
		}
	}
	port := defaultPort
	if s.MasterSet != "" {
		port = defaultSentinelPort
	}
	// What is no address is not told: it may be part of a password that is not
	// URL-encoded.
	for i, host := range strings.Split(hosts, ",") {
		address, err := addressOf(strings.TrimSpace(host), port)
		if err != nil {
			fault("address %d %v", i+1, err)
			continue
		}
		s.Addresses = append(s.Addresses, address)
	}
	switch {
	case s.MasterSet != "":
		s.Mode = Sentinel
	case cluster || len(s.Addresses) > 1:
		s.Mode = Cluster
	}
	if db != "" {
		if s.DB, err = strconv.Atoi(db); err != nil || s.DB < 0 {
			fault("what stands after the / is no number of a database")
		}
	}
	if s.Mode == Cluster && s.DB != 0 {
		fault("a cluster has database 0 only")
	}
	if s.Mode == Sentinel && cluster {
		fault("cluster and master_set exclude each other")
	}
	return s, errors.Join(faults...)
}

// optionOf tells people which option is meant, unless it may be part of a
// password that is not URL-encoded.
func optionOf(name, query string) string {
	if strings.Contains(query, "@") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "what stands after the ?"
	}
	return strconv.Quote(name)
}

var errNoAddress = errors.New("is not of the form HOST:PORT")

func addressOf(host, port string) (string, error) {
	if host == "" {
		return "", errors.New("is missing; write redis://HOST:PORT")
	}
	if name, given, err := net.SplitHostPort(host); err == nil {
		number, err := strconv.Atoi(given)
		if err != nil || number < 1 || number > 65535 || name == "" {
			return "", errNoAddress
		}
		return host, nil
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.ContainsAny(bare, "[]/ ") || strings.Contains(bare, ":") && net.ParseIP(bare) == nil {
		return "", errNoAddress
	}
	return net.JoinHostPort(bare, port), nil
}

// String tells people where the Redis is, without credentials.
func (s Settings) String() string {
	text := strings.Join(s.Addresses, ",")
	if s.MasterSet != "" {
		text += " (" + s.MasterSet + ")"
	}
	return text
}

// GoString keeps the password out of %#v.
func (s Settings) GoString() string { return "redis.Settings{" + s.String() + "}" }

// options are the library's. Pipelining is always on, because a call that gives
// up would close a connection that is used without it. Calls are never sent
// again by the library: which of them may be is decided here.
func (s Settings) options() rueidis.ClientOption {
	o := rueidis.ClientOption{
		InitAddress: s.Addresses, Username: s.User, Password: s.Password, SelectDB: s.DB, TLSConfig: s.TLS,
		ClientName: "happening", DisableCache: true, AlwaysPipelining: true, DisableRetry: true,
		ForceSingleClient: s.Mode == Single, ConnWriteTimeout: answerTimeout,
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: refreshEvery},
	}
	o.Dialer.Timeout, o.Dialer.KeepAlive = dialTimeout, pingEvery
	if s.Mode == Sentinel {
		o.Sentinel = rueidis.SentinelOption{
			Dialer: o.Dialer, TLSConfig: s.TLS, MasterSet: s.MasterSet,
			Username: s.SentinelUser, Password: s.SentinelPassword, ClientName: o.ClientName,
		}
	}
	return o
}
