package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"happening/internal/app"
)

// attached runs fn on the database of a running server, or on one that runs
// as long as the command does.
func attached(ctx context.Context, s *settings, fn func(a *app.App) error) error {
	a, err := app.Attach(ctx, s.options())
	if err != nil {
		return err
	}
	err = fn(a)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.StopLimit())
	defer cancel()
	if stopErr := a.Stop(stop); err == nil {
		err = stopErr
	}
	return err
}

type migrateCmd struct{}

// Help gives the examples of the command's help.
func (migrateCmd) Help() string {
	return `Examples:
  happening migrate --data /srv/happening
  DATABASE_URL=postgres://owner:…@db.example.org/happening happening migrate`
}

// Run migrates.
func (migrateCmd) Run(ctx context.Context, s *settings) error {
	if err := app.Migrate(ctx, s.options()); err != nil {
		return err
	}
	fmt.Println("The schema is up to date.")
	return nil
}

type demoCmd struct {
	ResetPassword bool `help:"Give the demo's people a new password."`
}

// Help gives the examples of the command's help.
func (demoCmd) Help() string {
	return "Examples:\n  happening demo\n  happening demo --reset-password"
}

// Run fills the demo in and tells how to sign in.
func (c demoCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		if err := a.FillDemo(ctx, c.ResetPassword); err != nil {
			return err
		}
		fmt.Println(strings.Join(app.DemoPeople(), "\n"))
		if password := a.DemoPassword(); password != "" {
			fmt.Println("password:", password)
		} else {
			fmt.Println(a.DemoSignIn())
		}
		return nil
	})
}

type checkCmd struct {
	Quiet bool `short:"q" help:"Tell breaches only."`
}

// Help gives the examples of the command's help.
func (checkCmd) Help() string {
	return `Also in the middle of a sale: it reads one snapshot. The exit status is 1 if anything is wrong.
Example:
  happening check --data /srv/happening`
}

// Run checks and tells every breach.
func (c checkCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		begin, rules := time.Now(), 0
		breaches, err := a.Check(ctx, func(rule, what string) {
			rules++
			if !c.Quiet {
				fmt.Fprintf(os.Stderr, "checking %s: no %s\n", rule, what)
			}
		})
		for _, b := range breaches {
			fmt.Println(b)
		}
		if err != nil {
			return err
		}
		if len(breaches) > 0 {
			fmt.Printf("%d of %d rules are broken.\n", len(breaches), rules)
			return errSilent
		}
		if !c.Quiet {
			fmt.Printf("All %d rules hold (%s).\n", rules, time.Since(begin).Round(time.Millisecond))
		}
		return nil
	})
}

type tokenCmd struct {
	User  string        `required:"" placeholder:"EMAIL" help:"The person's address; with --count, %%d in it is counted from 1."`
	Count int           `default:"1" help:"How many people."`
	TTL   time.Duration `default:"1h" help:"How long the tokens live."`
}

// Help gives the examples of the command's help.
func (tokenCmd) Help() string {
	return `Prints USER_ID ACCESS_TOKEN, a line for each person. People are made where they are missing: verified, members of nothing.
Examples:
  happening token --user me@example.org
  happening token --user 'load%d@example.org' --count 30000 --ttl 2h`
}

// tokenBatch is how many people are made at once.
const tokenBatch = 2000

// Run prints the tokens.
func (c tokenCmd) Run(ctx context.Context, s *settings) error {
	if c.Count < 1 || c.Count > 1 && !strings.Contains(c.User, "%d") {
		return fmt.Errorf("--count %d needs a %%d in --user", c.Count)
	}
	return attached(ctx, s, func(a *app.App) error {
		out := bufio.NewWriter(os.Stdout)
		for from := 1; from <= c.Count; from += tokenBatch {
			var addresses []string
			for i := from; i <= min(c.Count, from+tokenBatch-1); i++ {
				addresses = append(addresses, strings.ReplaceAll(c.User, "%d", fmt.Sprint(i)))
			}
			issued, err := a.Tokens(ctx, addresses, c.TTL)
			if err != nil {
				return err
			}
			for _, t := range issued {
				fmt.Fprintln(out, t.UserID, t.AccessToken)
			}
			if c.Count > tokenBatch {
				fmt.Fprintf(os.Stderr, "%d of %d\n", min(c.Count, from+tokenBatch-1), c.Count)
			}
		}
		return out.Flush()
	})
}

type dbURLCmd struct{}

// Help gives the examples of the command's help.
func (dbURLCmd) Help() string { return "Example:\n  psql \"$(happening db-url)\"" }

// Run prints the URL.
func (dbURLCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		fmt.Println(a.OwnerURL())
		return nil
	})
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say everything that is wrong with the settings."`
}

type configCheckCmd struct{}

// Help gives the examples of the command's help.
func (configCheckCmd) Help() string {
	return `Engines outside that the settings name are asked, too; nothing is changed.
Examples:
  HAPPENING_PUBLIC_URL=https://events.example.org happening config check
  DATABASE_URL=postgres://happening@db.example.org/happening?sslmode=verify-full happening config check`
}

// Run checks the settings and the engines that they name, without starting
// anything.
func (configCheckCmd) Run(ctx context.Context, s *settings) error {
	if err := app.CheckSettings(ctx, s.options()); err != nil {
		return err
	}
	fmt.Println("The settings are valid.")
	return nil
}

type reconcileCmd struct{}

// Help gives the examples of the command's help.
func (reconcileCmd) Help() string {
	return `Prints what Redis had instead of PostgreSQL's counters and waitlists, and repairs it. May run in the middle of a sale.
Example:
  happening reconcile`
}

// Run repairs and tells what differed.
func (reconcileCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		differed := 0
		err := a.Reconcile(ctx, func(event, had, has string) {
			differed++
			fmt.Printf("event %s: Redis had %s; PostgreSQL has %s\n", event, had, has)
		})
		if err != nil {
			return err
		}
		fmt.Printf("%d events differed and are repaired.\n", differed)
		return nil
	})
}

type resendCmd struct {
	Org   string        `placeholder:"ID" help:"Of this organization only."`
	Since time.Duration `placeholder:"24h" help:"Made within this time only (default: all that is kept)."`
}

// Help gives the examples of the command's help.
func (resendCmd) Help() string {
	return `Puts messages that were given up as failed back, each with a fresh count of tries, once what made them fail is mended.
Examples:
  happening resend
  happening resend --since 24h`
}

// Run puts failed messages back.
func (c resendCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		facts, mails, err := a.Resend(ctx, c.Org, c.Since)
		if err != nil {
			return err
		}
		fmt.Printf("%d facts and %d mails will be sent again.\n", facts, mails)
		return nil
	})
}

type orgCmd struct {
	Suspend suspendCmd `cmd:"" help:"Close an organization until it is resumed."`
	Resume  resumeCmd  `cmd:"" help:"Open a suspended organization again."`
}

type suspendCmd struct {
	ID string `arg:"" help:"The organization's id, as its address in the client has it."`
}

// Help gives the examples of the command's help.
func (suspendCmd) Help() string {
	return `Its events and its page are there for its members alone, who read; nobody books, holds seats, invites or creates events there, and nobody is promoted. Who has booked may still cancel. Running servers follow within five seconds; nothing is lost, and "resume" undoes it.
Example:
  happening org suspend 0190a000-0000-7000-8000-000000000001`
}

// Run suspends and says so.
func (c suspendCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		name, changed, err := a.Suspend(ctx, c.ID)
		if err == nil {
			sayStanding(name, changed, "suspended")
		}
		return err
	})
}

type resumeCmd struct {
	ID string `arg:"" help:"The organization's id."`
}

// Help gives the examples of the command's help.
func (resumeCmd) Help() string {
	return `Its public events are there for everybody again; who waits is promoted within ten seconds where seats became free meanwhile.
Example:
  happening org resume 0190a000-0000-7000-8000-000000000001`
}

// Run resumes and says so.
func (c resumeCmd) Run(ctx context.Context, s *settings) error {
	return attached(ctx, s, func(a *app.App) error {
		name, changed, err := a.Resume(ctx, c.ID)
		if err == nil {
			sayStanding(name, changed, "open")
		}
		return err
	})
}

// sayStanding prints what an organization is now, or was already.
func sayStanding(name string, changed bool, standing string) {
	if !changed {
		standing += " already"
	}
	fmt.Printf("%q is %s.\n", name, standing)
}

type versionCmd struct{}

// Help gives the examples of the command's help.
func (versionCmd) Help() string { return "Example:\n  happening version" }

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println(versionText())
	return nil
}
