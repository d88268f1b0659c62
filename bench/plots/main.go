// Plots draws what `mminfer bench --json` wrote: tokens per second against depth, a line for each
// model and format.
//
//	mminfer bench -m DIR --tests tg32,tg32@1024,tg32@16384 --json >> results.jsonl
//	go run ./bench/plots -title "Decode against depth" -o decode.svg results.jsonl...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
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
	title := flag.String("title", "Decode against depth", "title of the plot")
	output := flag.String("o", "decode.svg", "file to write")
	flag.Parse()
	if err := plot(*title, *output, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "plots:", err)
		os.Exit(1)
	}
}

// result is a line of `mminfer bench --json`, as far as it is drawn.
type result struct {
	Model   string  `json:"model"`
	Quant   string  `json:"quant"`
	Threads int     `json:"threads"`
	Test    string  `json:"test"`
	Rate    float64 `json:"tok_s"`
}

// plot draws the results in the files.
func plot(title, output string, files []string) error {
	c := chart.Chart{Title: title, X: "tokens of context (0 drawn at 1)", Y: "tokens per second", LogX: true}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = read(&c, f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	f, err := os.Create(output)
	if err != nil {
		return err
	}
	return cmp.Or(c.SVG(f), f.Close())
}

// read adds the decode tests of a file to the chart. Other lines are passed over.
func read(c *chart.Chart, from io.Reader) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) != nil || !strings.HasPrefix(r.Test, "tg") {
			continue
		}
		depth := 1.0
		if _, at, ok := strings.Cut(r.Test, "@"); ok {
			d, err := strconv.ParseFloat(at, 64)
			if err != nil {
				return fmt.Errorf("test %q: expected tgN or tgN@D", r.Test)
			}
			depth = max(depth, d)
		}
		add(c, fmt.Sprintf("%s %s", r.Model, r.Quant), depth, r.Rate)
	}
	return lines.Err()
}

// add adds a point to the series of that name.
func add(c *chart.Chart, name string, x, y float64) {
	i := slices.IndexFunc(c.Series, func(s chart.Series) bool { return s.Name == name })
	if i < 0 {
		i = len(c.Series)
		c.Series = append(c.Series, chart.Series{Name: name})
	}
	c.Series[i].X, c.Series[i].Y = append(c.Series[i].X, x), append(c.Series[i].Y, y)
}
