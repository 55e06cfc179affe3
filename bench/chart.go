package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 980
	chartTop    = 64
	chartBottom = 56
	chartRow    = 30
	chartBar    = 14
	chartLeft   = 300 // of the bars; names stand before it
	chartRight  = 230 // behind the bars; figures stand there
	// chartSpan is how far the scale goes either way from what is to be
	// reached, in doublings.
	chartSpan = 3
)

// chartStyle follows the reader's colours. Outcomes differ in their sign, too.
const chartStyle = `
  .paper { fill: #ffffff } .ink { fill: #1c1f23 } .faint { fill: #5b636d } .line { stroke: #c4cad1 } .mark { stroke: #1c1f23 }
  .aim { fill: #1f7a4d } .reached { fill: #2f6fb2 } .missed { fill: #b4552d }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif } .small { font-size: 11px } .title { font-size: 16px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14171a } .ink { fill: #e8ebee } .faint { fill: #9aa3ad } .line { stroke: #3a424b } .mark { stroke: #e8ebee }
    .aim { fill: #3fae78 } .reached { fill: #5a9ee0 } .missed { fill: #e08a5f }
  }
`

// signs tell outcomes without colour.
var signs = map[outcome]struct{ class, sign string }{
	asAimed: {"aim", "✓✓"}, reached: {"reached", "✓"}, missed: {"missed", "✗"},
}

// share is how much of what is to be reached a figure is, more being better.
func (f figure) share(of float64) float64 {
	switch {
	case f.AtMost && f.Value > 0:
		return of / f.Value
	case f.AtMost || of == 0:
		return math.Inf(1)
	default:
		return f.Value / of
	}
}

// along places a share on the scale, which doubles with every step.
func along(share float64) float64 {
	at := (math.Log2(share) + chartSpan) / (2 * chartSpan)
	return chartLeft + min(max(at, 0), 1)*(chartWidth-chartLeft-chartRight)
}

// aimAt is the share at which the aim is.
func (f figure) aimAt() float64 {
	if f.AtMost {
		return f.Reach / f.Aim
	}
	return f.Aim / f.Reach
}

func escaped(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err) // a builder takes everything
	}
	return b.String()
}

// chart draws the figures that have something to reach: a bar each on one
// scale, on which what is to be reached is a line.
func (r *report) chart() string {
	var bars []figure
	for _, f := range r.Figures {
		if f.Outcome != told {
			bars = append(bars, f)
		}
	}
	height := chartTop + chartRow*len(bars) + chartBottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprint(&b, `<title id="title">Speed against what is to be reached</title>`+"\n<desc id=\"desc\">")
	for _, f := range bars {
		fmt.Fprintf(&b, "%s: %s, %s. ", escaped(f.Work), escaped(f.value()), f.Outcome)
	}
	fmt.Fprintf(&b, "</desc>\n<style>%s</style>\n", chartStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="8"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text class="ink title" x="20" y="30">Speed against what is to be reached</text>`+"\n")
	bottom := chartTop + chartRow*len(bars)
	for step := -chartSpan; step <= chartSpan; step++ {
		x := along(math.Exp2(float64(step)))
		class, label := "line", fmt.Sprintf("× %g", math.Exp2(float64(step)))
		if step == 0 {
			class, label = "mark", "reach"
		}
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="faint small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			class, x, chartTop-8, x, bottom, x, chartTop-14, label)
	}
	for i, f := range bars {
		y := chartTop + chartRow*i
		middle, end, s := y+chartRow/2, along(f.share(f.Reach)), signs[f.Outcome]
		fmt.Fprintf(&b, `<text class="ink" x="%d" y="%d" text-anchor="end">%s</text>`, chartLeft-12, middle+4, escaped(f.Work))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, s.class, chartLeft, middle-chartBar/2, max(end-chartLeft, 1), chartBar)
		if f.Aim != 0 {
			x := along(f.aimAt())
			fmt.Fprintf(&b, `<line class="mark" stroke-width="2" stroke-dasharray="3 2" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, x, middle-chartBar/2-3, x, middle+chartBar/2+3)
		}
		fmt.Fprintf(&b, `<text class="ink" x="%d" y="%d">%s %s</text>`+"\n", chartWidth-chartRight+12, middle+4, s.sign, escaped(f.value()))
	}
	c := &r.Conditions
	fmt.Fprintf(&b, `<text class="faint small" x="20" y="%d">Longer is better; each step is a doubling. Line: reach. Dashes: aim. ✓✓ aim reached, ✓ reached, ✗ not reached.</text>`+"\n", bottom+24)
	fmt.Fprintf(&b, `<text class="faint small" x="20" y="%d">%s</text>`+"\n</svg>\n", bottom+42,
		escaped(fmt.Sprintf("%s, %d cores shared with PostgreSQL and the generator, PostgreSQL %s, %s, %s", c.CPU, c.Cores, c.PostgreSQL, c.Revision, r.Started.Format("2006-01-02"))))
	return b.String()
}

// saveChart keeps the chart.
func (r *report) saveChart(path string) error { return os.WriteFile(path, []byte(r.chart()), 0o644) }
