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

	gochart "github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"
)

// Series is one line. X and Y have the same length; points are drawn in ascending order of X.
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

// colours differ in lightness too, so that they can be told apart in grey.
var colours = []string{"0072b2", "d55e00", "009e73", "cc79a7", "e69f00", "56b4e9", "000000", "7f7f7f"}

// SVG writes the chart; go-chart leaves escaping to its callers. It fails where there is nothing to draw, or a number that has no place.
func (c Chart) SVG(w io.Writer) error {
	g := gochart.Chart{
		Title: html.EscapeString(c.Title), TitleStyle: gochart.Style{FontSize: 13},
		Width: 860, Height: 460,
		Background:     gochart.Style{Padding: gochart.Box{Top: 50, Left: 160, Right: 20, Bottom: 10}},
		XAxis:          gochart.XAxis{Name: html.EscapeString(c.X)},
		YAxis:          gochart.YAxis{Name: html.EscapeString(c.Y)},
		YAxisSecondary: gochart.YAxis{Ticks: []gochart.Tick{{}}}, // else it is labelled without having a series
	}
	low, high, top := math.Inf(1), math.Inf(-1), 0.0
	for i, s := range c.Series {
		line, err := c.line(s, colours[i%len(colours)])
		if err != nil {
			return err
		}
		low, high, top = min(low, slices.Min(line.XValues)), max(high, slices.Max(line.XValues)), max(top, slices.Max(line.YValues))
		g.Series = append(g.Series, line)
	}
	if len(c.Series) == 0 {
		return errors.New("chart: there is nothing to draw")
	}
	g.XAxis.Ticks, g.XAxis.Range = c.xTicks(low, high)
	g.YAxis.Ticks = ticks(0, top)
	g.YAxis.Range = &gochart.ContinuousRange{Min: 0, Max: g.YAxis.Ticks[len(g.YAxis.Ticks)-1].Value}
	g.Elements = []gochart.Renderable{gochart.LegendLeft(&g)}
	return g.Render(gochart.SVG, w)
}

// line returns a series in ascending order.
func (c Chart) line(s Series, colour string) (gochart.ContinuousSeries, error) {
	// Spaces leave room for a viewer's font, wider than the one that the legend is measured with.
	line := gochart.ContinuousSeries{Name: html.EscapeString(s.Name) + "       ", Style: gochart.Style{StrokeColor: drawing.ColorFromHex(colour), DotColor: drawing.ColorFromHex(colour), StrokeWidth: 2, DotWidth: 3.5}}
	if len(s.X) == 0 || len(s.X) != len(s.Y) {
		return line, fmt.Errorf("chart: %s: found %d and %d coordinates, expected as many and at least one", s.Name, len(s.X), len(s.Y))
	}
	if s.Points {
		line.Style.StrokeWidth = gochart.Disabled
	}
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return int(math.Copysign(1, s.X[i]-s.X[j])) })
	for _, i := range order {
		x, y := s.X[i], s.Y[i]
		if !(math.Abs(x) <= math.MaxFloat64 && y >= 0 && y <= math.MaxFloat64) || c.LogX && x <= 0 {
			return line, fmt.Errorf("chart: %s: (%v, %v) has no place on the axes", s.Name, x, y)
		}
		if c.LogX {
			x = math.Log2(x)
		}
		line.XValues, line.YValues = append(line.XValues, x), append(line.YValues, y)
	}
	return line, nil
}

// xTicks returns the horizontal axis for coordinates from low to high.
func (c Chart) xTicks(low, high float64) ([]gochart.Tick, gochart.Range) {
	if !c.LogX {
		t := ticks(min(low, 0), high)
		return t, &gochart.ContinuousRange{Min: t[0].Value, Max: t[len(t)-1].Value}
	}
	low, high = math.Floor(low), math.Ceil(high)
	var t []gochart.Tick
	for at := low; at <= max(high, low+1); at++ {
		t = append(t, gochart.Tick{Value: at, Label: strconv.FormatFloat(math.Exp2(at), 'g', -1, 64)})
	}
	return t, &gochart.ContinuousRange{Min: low, Max: t[len(t)-1].Value}
}

// ticks returns multiples of 1, 2 or 5 times a power of ten from at most low to at least high.
func ticks(low, high float64) (t []gochart.Tick) {
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
		v := i * step
		t = append(t, gochart.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 6, 64)})
		if v >= high && len(t) > 1 {
			return t
		}
	}
}
