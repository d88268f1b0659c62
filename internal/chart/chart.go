// Package chart draws measurements as SVG: lines over a common axis.
package chart

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Series is one line. X and Y have the same length; points are joined in ascending order of X.
type Series struct {
	Name   string
	Family string // series of one family share a colour and differ in dashes; "" is no family
	X, Y   []float64
	Labels []string // of the points, beside them where there is room; none, or one for each
	Points bool     // points alone, without a line between them
}

// Scale says how an axis places numbers.
type Scale int

// The scales. Logarithmic ones place positive numbers only.
const (
	Linear  Scale = iota // from zero, or the least number if that is less
	Octaves              // logarithmic, marked at powers of two
	Decades              // logarithmic, marked at powers of ten
	Near                 // linear, from the least number to the greatest
)

func (s Scale) log() bool { return s == Octaves || s == Decades }

// Chart is a picture of some series. A linear vertical axis begins at zero and has no place for less.
type Chart struct {
	Title, X, Y    string // with units
	ScaleX, ScaleY Scale
	Series         []Series
}

// The picture in pixels: the axes' rectangle, and right of it the names of the series.
const (
	width, height            = 900, 440
	left, top, right, bottom = 70, 45, 640, 380
)

// SVG writes the chart. It fails where there is nothing to draw, or a number that has no place.
func (c Chart) SVG(w io.Writer) error {
	if len(c.Series) == 0 {
		return errors.New("chart: there is nothing to draw")
	}
	var x, y []float64
	for _, s := range c.Series {
		if err := c.check(s); err != nil {
			return err
		}
		x, y = append(x, s.X...), append(y, s.Y...)
	}
	d := drawing{x: newAxis(c.ScaleX, x, left, right), y: newAxis(c.ScaleY, y, bottom, top)}
	d.addf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, width, height)
	d.addf(`<rect width="%d" height="%d" fill="white"/>`, width, height)
	d.text((left+right)/2, 25, `text-anchor="middle" font-size="16"`, c.Title)
	d.axes(c)
	k := strokes(c.Series)
	for i, s := range c.Series {
		d.series(s, k[i], i)
	}
	for i, s := range c.Series {
		d.labels(s, k[i])
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
	if s.Labels != nil && len(s.Labels) != len(s.X) {
		return fmt.Errorf("chart: %s: found %d labels, expected one for each of %d points", s.Name, len(s.Labels), len(s.X))
	}
	for i, x := range s.X {
		y := s.Y[i]
		outside := !(math.Abs(x) <= math.MaxFloat64 && y >= 0 && y <= math.MaxFloat64)
		if outside || c.ScaleX.log() && x <= 0 || c.ScaleY.log() && y <= 0 {
			return fmt.Errorf("chart: %s: (%v, %v) has no place on the axes", s.Name, x, y)
		}
	}
	return nil
}

// stroke is how a series is drawn.
type stroke struct{ colour, dashes string }

// Colours differ in lightness too, so that they can be told apart in grey.
var (
	colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"}
	dashes  = []string{"none", "7 4", "2 3", "9 3 2 3"}
)

// strokes returns one for each series: a colour for each family, dashes for each series in it.
func strokes(series []Series) []stroke {
	type family struct {
		colour  string
		members int
	}
	families := map[string]*family{}
	all, colour := make([]stroke, len(series)), 0
	for i, s := range series {
		f := families[s.Family]
		if f == nil || s.Family == "" {
			f = &family{colour: colours[colour%len(colours)]}
			families[s.Family] = f
			colour++
		}
		all[i] = stroke{f.colour, dashes[f.members%len(dashes)]}
		f.members++
	}
	return all
}
