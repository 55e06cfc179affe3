package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
)

// Engine is one of the engines that the process stands on, as operators see
// it.
type Engine struct {
	Name    string // PostgreSQL, Redis, …
	Outside bool   // false: embedded
	OK      bool
	Detail  string // for people, such as a version or what ails it; no secret
}

// showEngines tells operators, and nobody else, which engine ails.
func (s *Server) showEngines(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 1, 2, ' ', 0)
	for _, e := range s.deps.Engines(r.Context()) {
		where, state := "embedded", "ok"
		if e.Outside {
			where = "outside"
		}
		if !e.OK {
			state = "ails"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", e.Name, where, state, e.Detail)
	}
	_ = t.Flush() // a strings.Builder takes everything
	plain(w, http.StatusOK, strings.TrimSuffix(b.String(), "\n"))
}

// engineGauge tells of each engine whether it is well, when it is asked.
type engineGauge struct {
	engines func(context.Context) []Engine
	up      *prometheus.Desc
}

func newEngineGauge(engines func(context.Context) []Engine) *engineGauge {
	return &engineGauge{engines: engines, up: prometheus.NewDesc(
		"happening_engine_up", "1 where the engine is well.", []string{"engine"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *engineGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.up }

// Collect implements prometheus.Collector.
func (g *engineGauge) Collect(ch chan<- prometheus.Metric) {
	well := map[string]float64{} // of several with one name, such as processes, all
	for _, e := range g.engines(context.Background()) {
		name := strings.ToLower(e.Name)
		if _, known := well[name]; !known {
			well[name] = 1
		}
		if !e.OK {
			well[name] = 0
		}
	}
	for name, up := range well {
		ch <- prometheus.MustNewConstMetric(g.up, prometheus.GaugeValue, up, name)
	}
}
