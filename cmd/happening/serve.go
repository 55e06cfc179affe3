package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"happening/internal/app"
)

type serveCmd struct {
	Demo bool     `help:"Fill an empty database with the demo."`
	Only []string `placeholder:"api,web,worker" help:"Run these parts only; needs REDIS_URL."`
}

// Help gives the examples of the command's help.
func (serveCmd) Help() string {
	return `Examples:
  happening                                  run on this machine, data in ./data
  happening serve --demo                     the same with demo events and people
  happening serve --data /srv/happening      keep the data elsewhere
  SMTP_URL=smtps://u:p@mail.example.org HAPPENING_PUBLIC_URL=https://events.example.org happening serve`
}

// Run serves until the context ends.
func (c *serveCmd) Run(ctx context.Context, s *settings) error {
	begin := time.Now()
	o := s.options()
	o.Demo, o.Only = c.Demo, c.Only
	a, err := app.New(o)
	if err != nil {
		return app.CheckSettings(ctx, o) // which tells of the engines, too
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	announce(a, c.Demo, time.Since(begin))
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-a.Failed():
	}
	fmt.Fprintln(os.Stderr, "happening: stopping")
	stopAtOnceOnInterrupt()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.StopLimit())
	defer cancel()
	if err := a.Stop(stop); err != nil && failure == nil {
		failure = err
	}
	return failure
}

// patientFor is how long after a Ctrl-C another one is taken for the same:
// whatever stands between terminal and process may pass it on once more.
const patientFor = time.Second

// stopAtOnceOnInterrupt lets a second Ctrl-C end the process as it is: nothing
// that was acknowledged is lost by that. A second SIGTERM does not, for some
// send it twice.
func stopAtOnceOnInterrupt() {
	go func() {
		time.Sleep(patientFor)
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt)
		<-again
		fmt.Fprintln(os.Stderr, "happening: stopped in the midst of stopping")
		os.Exit(1)
	}()
}

// announce says where everything is.
func announce(a *app.App, demo bool, took time.Duration) {
	client, api, ops := a.Addrs()
	fmt.Printf("Happening is ready after %s\n", took.Round(time.Millisecond))
	if client != "" {
		fmt.Printf("  client   %s   (listens on %s)\n", a.PublicURL, client)
	}
	if api != "" {
		fmt.Printf("  API      http://%s   (documentation at /docs)\n", api)
	}
	fmt.Printf("  ops      http://%s   (metrics)\n", ops)
	if a.SMTPURL == "" {
		fmt.Printf("  mailbox  http://%s/mailbox   (every mail ends here; set SMTP_URL to send them)\n", ops)
	}
	if how := a.DemoSignIn(); demo && how != "" {
		fmt.Println("Sign in to the demo as")
		for _, p := range app.DemoPeople() {
			fmt.Printf("  %s\n", p)
		}
		fmt.Println(how)
	}
}
