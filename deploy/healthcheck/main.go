// Command healthcheck asks one address whether it is well and exits with 0 if
// it answers 200. The image of Happening holds nothing else that could ask.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// patience is shorter than the interval at which containers are asked.
const patience = 3 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: healthcheck URL")
		os.Exit(2)
	}
	if err := ask(os.Args[1], patience); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(url string, patience time.Duration) error {
	client := http.Client{Timeout: patience}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
