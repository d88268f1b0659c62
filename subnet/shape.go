package subnet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Shape is the size of a subnet: layers that are kept, and the share of heads and neurons, a budget
// over all layers.
type Shape struct {
	Depth int
	Width float64 // 1 for all; see the package's notes on what a file's masks make of that
}

// ParseShape reads a shape such as 24x0.75 or 24x7/8; 24 alone means the width 1.
func ParseShape(s string) (Shape, error) {
	depth, width, wide := strings.Cut(s, "x")
	d, err := strconv.Atoi(depth)
	w := 1.0
	if err == nil && wide {
		w, err = parseRatio(width)
	}
	if err != nil || d < 1 || !(w > 0 && w <= 1) {
		return Shape{}, fmt.Errorf("subnet: shape %.40q: expected DEPTHxWIDTH, such as 24x0.75 or 24x7/8", s)
	}
	return Shape{d, w}, nil
}

// String returns the form that [ParseShape] reads.
func (s Shape) String() string {
	return fmt.Sprintf("%dx%s", s.Depth, ratioText(s.Width))
}

func ratioText(w float64) string { return strconv.FormatFloat(w, 'g', -1, 64) }

// parseRatio reads a number or a fraction of whole numbers.
func parseRatio(s string) (float64, error) {
	top, bottom, fraction := strings.Cut(strings.TrimSpace(s), "/")
	w, err := strconv.ParseFloat(top, 64)
	if err == nil && fraction {
		var a, b int
		if a, err = strconv.Atoi(strings.TrimSpace(top)); err == nil {
			b, err = strconv.Atoi(strings.TrimSpace(bottom))
		}
		w = float64(a) / float64(b)
	}
	if err != nil || math.IsNaN(w) || math.IsInf(w, 0) {
		return 0, fmt.Errorf("%.40q: expected a number or a fraction", s)
	}
	return w, nil
}

// parseRatios reads a list in brackets, what width_choice of an adapter is.
func parseRatios(s string) (ratios []float64, err error) {
	inner, ok1 := strings.CutPrefix(strings.TrimSpace(s), "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%.80q: expected ratios in brackets", s)
	}
	for word := range strings.SplitSeq(inner, ",") {
		w, err := parseRatio(word)
		if err != nil || !(w > 0 && w <= 1) {
			return nil, fmt.Errorf("%.80q: expected numbers or fractions in (0, 1]", s)
		}
		ratios = append(ratios, w)
	}
	return ratios, nil
}

// indexOf finds a ratio, -1 if it is not there. Ratios written in decimals may be a rounding apart.
func indexOf(ratios []float64, w float64) int {
	for i, r := range ratios {
		if math.Abs(r-w) <= 1e-6 {
			return i
		}
	}
	return -1
}

// ratiosText lists ratios.
func ratiosText(ratios []float64) string {
	var words []string
	for _, w := range ratios {
		words = append(words, ratioText(w))
	}
	return strings.Join(words, ", ")
}

// ParseWidths reads widths such as 1,7/8,0.75, in brackets or without.
func ParseWidths(s string) ([]float64, error) {
	if !strings.HasPrefix(strings.TrimSpace(s), "[") {
		s = "[" + s + "]"
	}
	return parseRatios(s)
}
