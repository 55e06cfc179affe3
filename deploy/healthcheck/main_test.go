package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestOnly200IsWell(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	if err := ask(server.URL, time.Minute); err != nil {
		t.Errorf("200: %v", err)
	}
	status = http.StatusServiceUnavailable
	if ask(server.URL, time.Minute) == nil {
		t.Error("503 passed for well")
	}
	server.Close()
	if ask(server.URL, time.Minute) == nil {
		t.Error("a server that is gone passed for well")
	}
}
