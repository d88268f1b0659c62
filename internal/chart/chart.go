// Package chart draws measurements as SVG: lines over a common axis.
package chart

import (
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Series is one line. X and Y have the same length; points are joined in ascending order of X.
type Series struct {
	Name   string
	X, Y   []float64
	Points bool // points alone, without a line between them
}

// Chart is a picture of some series. Its vertical axis begins at zero.
type Chart struct {
	Title, X, Y string // with units
	LogX        bool   // powers of two on the horizontal axis; every X must be positive
	Series      []Series
}

// The picture in pixels: the axes' rectangle, and right of it the names of the series.
const (
	width, height            = 860, 440
	left, top, right, bottom = 70, 45, 640, 380
)

// colours differ in lightness too, so that they can be told apart in grey.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"}

// SVG writes the chart. It fails where there is nothing to draw, or a number that has no place.
func (c Chart) SVG(w io.Writer) error {
	if len(c.Series) == 0 {
		return errors.New("chart: there is nothing to draw")
	}
	low, high, highest := math.Inf(1), math.Inf(-1), 0.0
	for _, s := range c.Series {
		if err := c.check(s); err != nil {
			return err
		}
		low, high, highest = min(low, slices.Min(s.X)), max(high, slices.Max(s.X)), max(highest, slices.Max(s.Y))
	}
	d := drawing{x: axis{from: left, to: right}, y: axis{from: bottom, to: top}}
	d.x.ticks, d.x.log = ticks(min(low, 0), high), c.LogX
	if c.LogX {
		d.x.ticks = powers(low, high)
	}
	d.y.ticks = ticks(0, highest)
	d.addf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, width, height)
	d.addf(`<rect width="%d" height="%d" fill="white"/>`, width, height)
	d.text((left+right)/2, 25, `text-anchor="middle" font-size="16"`, c.Title)
	d.axes(c)
	for i, s := range c.Series {
		d.series(s, i)
	}
	d.addf("</svg>")
	_, err := io.WriteString(w, d.String())
	return err
}

// check refuses a series that has no place on the axes.
func (c Chart) check(s Series) error {
	if len(s.X) == 0 || len(s.X) != len(s.Y) {
		return fmt.Errorf("chart: %s: found %d and %d coordinates, expected as many and at least one", s.Name, len(s.X), len(s.Y))
	}
	for i, x := range s.X {
		if y := s.Y[i]; !(math.Abs(x) <= math.MaxFloat64 && y >= 0 && y <= math.MaxFloat64) || c.LogX && x <= 0 {
			return fmt.Errorf("chart: %s: (%v, %v) has no place on the axes", s.Name, x, y)
		}
	}
	return nil
}

// axis maps numbers from its first tick to its last to pixels.
type axis struct {
	ticks    []float64
	log      bool
	from, to float64
}

func (a axis) at(v float64) float64 {
	low, high := a.ticks[0], a.ticks[len(a.ticks)-1]
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return a.from + (a.to-a.from)*(v-low)/(high-low)
}

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	x, y axis
}

func (d *drawing) addf(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y float64, style, text string) {
	d.addf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, style, html.EscapeString(text))
}

// axes draws the grid, its numbers and the names of the axes.
func (d *drawing) axes(c Chart) {
	const line = `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`
	for _, v := range d.x.ticks {
		x := d.x.at(v)
		d.addf(line, x, float64(top), x, float64(bottom))
		d.text(x, bottom+18, `text-anchor="middle"`, number(v))
	}
	for _, v := range d.y.ticks {
		y := d.y.at(v)
		d.addf(line, float64(left), y, float64(right), y)
		d.text(left-8, y+4, `text-anchor="end"`, number(v))
	}
	d.text((left+right)/2, bottom+42, `text-anchor="middle"`, c.X)
	d.text(18, (top+bottom)/2, fmt.Sprintf(`text-anchor="middle" transform="rotate(-90 18 %d)"`, (top+bottom)/2), c.Y)
}

// series draws series i and its name.
func (d *drawing) series(s Series, i int) {
	colour := colours[i%len(colours)]
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return int(math.Copysign(1, s.X[i]-s.X[j])) })
	var path []string
	for _, i := range order {
		x, y := d.x.at(s.X[i]), d.y.at(s.Y[i])
		path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
		d.addf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, colour)
	}
	if !s.Points {
		d.addf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(path, " "), colour)
	}
	at := float64(top + 8 + 20*i)
	d.addf(`<rect x="%d" y="%.1f" width="14" height="4" fill="%s"/>`, right+20, at-2, colour)
	d.text(right+42, at+4, "", s.Name)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// powers returns the powers of two from at most low to at least high.
func powers(low, high float64) (t []float64) {
	from, to := math.Floor(math.Log2(low)), math.Ceil(math.Log2(high))
	step := math.Ceil((max(to, from+1) - from) / 10) // at most 11 of them
	for at := from; ; at += step {
		t = append(t, math.Exp2(at))
		if at >= to && len(t) > 1 {
			return t
		}
	}
}

// ticks returns multiples of 1, 2 or 5 times a power of ten from at most low to at least high.
func ticks(low, high float64) (t []float64) {
	span := high - low
	if span <= 0 {
		span = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(span)))
	switch {
	case span < 2*step:
		step /= 5
	case span < 5*step:
		step /= 2
	}
	for i := math.Floor(low / step); ; i++ {
		t = append(t, i*step)
		if i*step >= high && len(t) > 1 {
			return t
		}
	}
}
