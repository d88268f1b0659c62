// Plots draws what `mminfer bench --json` wrote: tokens per second against depth, a line for each model
// and format. Lines of the same model, format and test are repetitions: their median is drawn.
//
//	mminfer bench -m DIR --tests tg32,tg32@1024,tg32@16384 --json >> results.jsonl
//	go run ./bench/plots -title "Decode against depth" -o decode.svg results.jsonl...
//
// With a table of what formats cost, quant,bits,kld, it draws speed against bits a weight or against the
// divergence from float32, a line for each model and test:
//
//	mminfer bench -m DIR --tests tg64 --quant f32,bf16,q8,q6,q5,q4l,q4 --json >> results.jsonl
//	go run ./bench/plots -quality quality.csv -x kld -o quality.svg results.jsonl...
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/internal/chart"
)

func main() {
	p := plot{}
	flag.StringVar(&p.title, "title", "Speed of decode", "title of the plot")
	output := flag.String("o", "decode.svg", "file to write")
	flag.BoolVar(&p.log, "log", false, "logarithmic speeds")
	flag.StringVar(&p.x, "x", "depth", "what speed is drawn against: depth, bits or kld")
	flag.StringVar(&p.quality, "quality", "", "table of formats: quant,bits,kld")
	flag.Parse()
	p.results = flag.Args()
	if err := p.create(*output); err != nil {
		fmt.Fprintln(os.Stderr, "plots:", err)
		os.Exit(1)
	}
}

// result is a line of `mminfer bench --json`, as far as it is drawn.
type result struct {
	Model    string  `json:"model"`
	Shape    string  `json:"shape"`
	Quant    string  `json:"quant"`
	Threads  int     `json:"threads"`
	Test     string  `json:"test"`
	Sessions int     `json:"sessions"`
	Rate     float64 `json:"tok_s"`
}

// plot is a picture to draw.
type plot struct {
	title   string
	log     bool
	x       string   // depth, bits or kld
	quality string   // file
	results []string // files
}

// create writes the picture to a file.
func (p plot) create(output string) error {
	var picture bytes.Buffer
	if err := p.draw(&picture); err != nil {
		return err
	}
	return os.WriteFile(output, picture.Bytes(), 0o644)
}

func (p plot) draw(w io.Writer) error {
	rows, err := readAll(p.results)
	if err != nil {
		return err
	}
	var table map[string]quality
	if p.x != "depth" {
		if table, err = readQuality(p.quality); err != nil {
			return err
		}
	}
	c := chart.Chart{Title: p.title}
	if p.log {
		c.ScaleY = chart.Octaves
	}
	switch p.x {
	case "depth":
		err = againstDepth(&c, rows)
	case "bits":
		err = againstBits(&c, rows, table)
	case "kld":
		err = againstKLD(&c, rows, table)
	default:
		err = fmt.Errorf("-x %s: expected depth, bits or kld", p.x)
	}
	if err != nil {
		return err
	}
	return c.SVG(w)
}

// readAll returns the decode tests in the files, one result for each test.
func readAll(files []string) ([]result, error) {
	var rows []result
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		more, err := read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, more...)
	}
	if len(rows) == 0 {
		return nil, errors.New("found no decode test, expected JSON lines of mminfer bench --json")
	}
	return medians(rows), nil
}

// read returns the decode tests of a file. Other lines are passed over.
func read(from io.Reader) (rows []result, err error) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) == nil && strings.HasPrefix(r.Test, "tg") {
			rows = append(rows, r)
		}
	}
	return rows, lines.Err()
}

// medians returns one result for those that differ in nothing but speed, in the order of the first of each.
func medians(rows []result) (out []result) {
	rates := map[result][]float64{}
	for _, r := range rows {
		rate := r.Rate
		r.Rate = 0
		if rates[r] == nil {
			out = append(out, r)
		}
		rates[r] = append(rates[r], rate)
	}
	for i, r := range out {
		v := rates[r]
		slices.Sort(v)
		out[i].Rate = (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	return out
}

// family is what is measured, without its format: threads and sessions are told where they are not the same everywhere.
func family(r result, rows []result) string {
	differ := func(f func(result) int) bool {
		return slices.ContainsFunc(rows, func(other result) bool { return f(other) != f(r) })
	}
	name := r.Model
	if r.Shape != "" {
		name += " " + r.Shape
	}
	if differ(func(r result) int { return r.Threads }) {
		name += fmt.Sprintf(", -t %d", r.Threads)
	}
	if differ(func(r result) int { return r.Sessions }) {
		name += fmt.Sprintf(", %d sessions", r.Sessions)
	}
	return name
}

// againstDepth draws a line for each model and format.
func againstDepth(c *chart.Chart, rows []result) error {
	c.X, c.Y, c.ScaleX = "tokens of context", "tokens per second", chart.Octaves
	for _, r := range rows {
		depth := 1.0
		if _, at, ok := strings.Cut(r.Test, "@"); ok {
			d, err := strconv.ParseFloat(at, 64)
			if err != nil {
				return fmt.Errorf("test %q: expected tgN or tgN@D", r.Test)
			}
			depth = max(depth, d)
		}
		if depth == 1 {
			c.X = "tokens of context (0 drawn at 1)"
		}
		f := family(r, rows)
		s := series(c, f, f+" "+r.Quant)
		s.X, s.Y = append(s.X, depth), append(s.Y, r.Rate)
	}
	return nil
}

// series returns that of the name, a new one if there is none.
func series(c *chart.Chart, family, name string) *chart.Series {
	i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
	if i < 0 {
		i = len(c.Series)
		c.Series = append(c.Series, chart.Series{Name: name, Family: family})
	}
	return &c.Series[i]
}
