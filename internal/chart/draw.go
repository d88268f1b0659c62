package chart

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
)

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	x, y  axis
	boxes []box // what labels may not cover
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
func (d *drawing) series(s Series, k stroke, i int) {
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.X[i], s.X[j]) })
	var path []string
	for _, i := range order {
		x, y := d.x.at(s.X[i]), d.y.at(s.Y[i])
		path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
		d.addf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, k.colour)
		d.boxes = append(d.boxes, box{x - 4, y - 4, x + 4, y + 4})
	}
	at := float64(top + 8 + 20*i)
	if !s.Points {
		const line = `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`
		d.addf(line, strings.Join(path, " "), k.colour, k.dashes)
		d.addf(line, fmt.Sprintf("%d,%.1f %d,%.1f", right+16, at, right+46, at), k.colour, k.dashes)
	}
	d.addf(`<circle cx="%d" cy="%.1f" r="3.5" fill="%s"/>`, right+31, at, k.colour)
	d.text(right+54, at+4, "", s.Name)
}

// box is a rectangle of the picture.
type box struct{ left, top, right, bottom float64 }

func (b box) covers(c box) bool {
	return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom
}

// labels writes the labels of a series where they cover no point and no other label; those for which there
// is no such place are left out.
func (d *drawing) labels(s Series, k stroke) {
	for i, label := range s.Labels {
		x, y := d.x.at(s.X[i]), d.y.at(s.Y[i])
		wide := 7 * float64(len(label)) // about the width of letters of this size
		places := []box{}
		for _, gap := range []float64{5, 14, 23} {
			places = append(places, box{x + 5, y - gap - 11, x + 5 + wide, y - gap},
				box{x + 5, y + gap, x + 5 + wide, y + gap + 11},
				box{x - 5 - wide, y - gap - 11, x - 5, y - gap},
				box{x - 5 - wide, y + gap, x - 5, y + gap + 11})
		}
		free := slices.IndexFunc(places, func(p box) bool {
			return p.right <= right && p.bottom <= bottom && !slices.ContainsFunc(d.boxes, p.covers)
		})
		if free < 0 {
			continue
		}
		p := places[free]
		d.boxes = append(d.boxes, p)
		d.text(p.left, p.bottom-2, fmt.Sprintf(`font-size="11" fill="%s"`, k.colour), label)
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
