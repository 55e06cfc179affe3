package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"happening/internal/booking"
)

// metrics is what operators see of the front door.
type metrics struct {
	registry  *prometheus.Registry
	durations *prometheus.HistogramVec
	bookings  *prometheus.CounterVec
	turned    *prometheus.CounterVec
}

func newMetrics(queueLength func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "happening_http_request_duration_seconds", Help: "How long requests to the API took, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "status"}),
		bookings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "happening_bookings_total", Help: "Requests to book, by what became of them.",
		}, []string{"outcome"}),
		turned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "happening_turned_away_total", Help: "Requests to book and to cancel that were turned away unread because too many waited, by route.",
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.durations, m.bookings, m.turned, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if queueLength != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "happening_booking_queue_length", Help: "Bookings that wait to be decided.",
		}, func() float64 { return float64(queueLength()) }))
	}
	return m
}

// answered notes a request. Routes are few and known; what matches none is one
// route, so that nobody fills the memory by making paths up.
func (m *metrics) answered(r *http.Request, status int, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	m.durations.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) booked(status booking.Status, err error) {
	m.bookings.WithLabelValues(outcome(status, err)).Inc()
}

// turnedAway notes a request that the door turned away. One to book counts
// among the bookings, too, as one that the queue turns away does.
func (m *metrics) turnedAway(pattern string) {
	m.turned.WithLabelValues(pattern).Inc()
	if pattern == bookPath {
		m.booked("", booking.ErrBusy)
	}
}
