// Command happening is the whole product: client, API, realtime and workers
// in one process, and the commands that run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"happening/internal/app"
	"happening/internal/pgserver"
)

// version is set when a release is built; other builds tell their commit.
var version = ""

// settings are the contract's, by flag or by environment.
type settings struct {
	ClientAddr     string   `env:"HAPPENING_CLIENT_ADDR" default:"${client_addr}" help:"Where the client answers, with the API under /api."`
	APIAddr        string   `env:"HAPPENING_API_ADDR" default:"${api_addr}" help:"Where the API answers."`
	OpsAddr        string   `env:"HAPPENING_OPS_ADDR" default:"${ops_addr}" help:"Metrics, profiles and the development mailbox; for operators only."`
	PublicURL      string   `env:"HAPPENING_PUBLIC_URL" default:"${public_url}" help:"The address that people type."`
	TrustedProxies []string `env:"HAPPENING_TRUSTED_PROXIES" help:"Proxies whose forwarded addresses count, by address or prefix."`
	Data           string   `env:"HAPPENING_DATA" help:"Where the embedded parts keep everything (default ./data)." type:"path"`
	PostgresBin    string   `env:"HAPPENING_POSTGRES_BIN" help:"The directory of the postgres program to use." type:"path"`
	HoldTTL        string   `env:"HAPPENING_HOLD_TTL" default:"2m" help:"How long a hold lives unrenewed."`
	LimitPerson    string   `env:"HAPPENING_LIMIT_PERSON" default:"50" help:"Requests a second for one signed-in person; 0: no limit."`
	LimitAddress   string   `env:"HAPPENING_LIMIT_ADDRESS" default:"100" help:"Requests a second for one address without sign-in; 0: no limit."`
	SMTPURL        string   `name:"smtp-url" env:"SMTP_URL" help:"Where mails go: smtp://user:pass@host:port or smtps://…; without it the development mailbox keeps them."`
	DatabaseURL    string   `name:"database-url" env:"DATABASE_URL" help:"A PostgreSQL 15 or newer instead of the embedded one, as the owner of the tables."`
	DatabaseApp    string   `name:"database-app-url" env:"DATABASE_APP_URL" help:"The same database as the role happening_app; needed behind a pooler (default: DATABASE_URL, stepping down)."`
	DatabaseSystem string   `name:"database-system-url" env:"DATABASE_SYSTEM_URL" help:"The same database as the role happening_system."`
	RedisURL       string   `name:"redis-url" env:"REDIS_URL" help:"A Redis 7 or newer, for several processes; several addresses, separated by commas: a cluster; ?master_set=NAME: Sentinel."`
	AMQPURL        string   `name:"amqp-url" env:"AMQP_URL" help:"A RabbitMQ 3.10 or newer that spreads the notifications."`
	OIDCIssuer     string   `name:"oidc-issuer-url" env:"OIDC_ISSUER_URL" help:"An OpenID provider such as Keycloak instead of the embedded one."`
	OIDCClient     string   `name:"oidc-client-id" env:"OIDC_CLIENT_ID" help:"Our client id there."`
	OIDCSecret     string   `name:"oidc-client-secret" env:"OIDC_CLIENT_SECRET" help:"Our client secret there."`
	OIDCLink       string   `name:"oidc-link-verified-email" env:"OIDC_LINK_VERIFIED_EMAIL" help:"\"once\": people who move from another provider keep their account, known by their verified address, once each."`
	Drain          string   `env:"HAPPENING_DRAIN" help:"How long a stopping process serves on after /readyz says that it drains (default 5s with REDIS_URL, else 0s)."`
	InsecureLAN    bool     `help:"Allow plain http beyond this machine."`
	Verbose        bool     `short:"v" help:"Log more."`
}

func (s *settings) options() app.Options {
	level := slog.LevelInfo
	if s.Verbose {
		level = slog.LevelDebug
	}
	o := app.Options{
		ClientAddr: s.ClientAddr, APIAddr: s.APIAddr, OpsAddr: s.OpsAddr,
		PublicURL: strings.TrimSuffix(s.PublicURL, "/"), TrustedProxies: s.TrustedProxies,
		DataDir: s.Data, DataDirSet: s.Data != "", PostgresBin: s.PostgresBin,
		Engines: app.Engines{
			DatabaseURL: s.DatabaseURL, DatabaseAppURL: s.DatabaseApp, DatabaseSystemURL: s.DatabaseSystem,
			RedisURL: s.RedisURL, AMQPURL: s.AMQPURL, OIDCIssuerURL: strings.TrimSpace(s.OIDCIssuer),
			OIDCClientID: s.OIDCClient, OIDCClientSecret: s.OIDCSecret, OIDCLink: s.OIDCLink,
		},
		SMTPURL: s.SMTPURL, InsecureLAN: s.InsecureLAN, Version: versionText(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	o.HoldTTL = read(&o, "HAPPENING_HOLD_TTL", s.HoldTTL, "a duration such as 2m", app.DefaultHoldTTL, time.ParseDuration)
	o.Drain = app.DrainDefault
	if s.Drain != "" {
		o.Drain = read(&o, "HAPPENING_DRAIN", s.Drain, "a duration such as 5s, 0s or more", app.DrainDefault, func(text string) (time.Duration, error) {
			d, err := time.ParseDuration(text)
			if err == nil && d < 0 {
				err = strconv.ErrRange
			}
			return d, err
		})
	}
	o.LimitPerson = read(&o, "HAPPENING_LIMIT_PERSON", s.LimitPerson, "a whole number", app.DefaultLimitPerson, strconv.Atoi)
	o.LimitAddress = read(&o, "HAPPENING_LIMIT_ADDRESS", s.LimitAddress, "a whole number", app.DefaultLimitAddress, strconv.Atoi)
	return o
}

// read parses a setting. One that can't be read is told with all other faults,
// which a parser that stops at the first one would hide.
func read[T any](o *app.Options, setting, text, kind string, otherwise T, parse func(string) (T, error)) T {
	value, err := parse(text)
	if err != nil {
		o.Unread = append(o.Unread, fmt.Errorf("%s: %q is not %s", setting, text, kind))
		return otherwise
	}
	return value
}

type commands struct {
	settings
	Serve     serveCmd     `cmd:"" default:"withargs" help:"Run Happening (the default)."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database's schema up to this version."`
	Demo      demoCmd      `cmd:"" help:"Fill an empty database with the demo."`
	Check     checkCmd     `cmd:"" help:"Read one snapshot of the database and report every breach of the booking rules."`
	Token     tokenCmd     `cmd:"" help:"Make people and print an access token for each."`
	DBURL     dbURLCmd     `cmd:"" name:"db-url" help:"Print the URL of the database in use as its owner, for psql."`
	Reconcile reconcileCmd `cmd:"" help:"Repair Redis from PostgreSQL and print what differed."`
	Resend    resendCmd    `cmd:"" help:"Send again what was given up as failed."`
	Org       orgCmd       `cmd:"" help:"Suspend and resume organizations."`
	Config    configCmd    `cmd:"" help:"About the configuration."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// gcPercent trades memory for processor time: the heap is mostly inventories,
// which are long-lived, and requests, which are not. GOGC overrides it.
const gcPercent = 300

func main() {
	pgserver.MaybeSupervise()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	var c commands
	parser, err := kong.New(&c,
		kong.Name("happening"),
		kong.Description("Event booking: events, live seat maps, fair waitlists. Without a command it serves."),
		kong.Vars{
			"client_addr": app.DefaultClientAddr, "api_addr": app.DefaultAPIAddr,
			"ops_addr": app.DefaultOpsAddr, "public_url": app.DefaultPublicURL,
		},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the grammar above is wrong, which any start shows
	}
	run, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run.BindTo(ctx, (*context.Context)(nil))
	if err := run.Run(&c.settings); err != nil {
		fatal(err)
	}
}

// errSilent ends the process with status 1 after everything was said.
var errSilent = errors.New("")

// fatal tells every fault in a line of its own and ends the process.
func fatal(err error) {
	if text := strings.TrimSpace(err.Error()); text != "" {
		for _, line := range strings.Split(text, "\n") {
			fmt.Fprintln(os.Stderr, "happening:", line)
		}
	}
	os.Exit(1)
}

func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "development"
}
