// Ratios prints what interleaved rounds beside another engine gave, as a table in Markdown: medians of ours and
// of the peer's tokens per second, and the median, least and largest of the rounds' ratios.
//
//	go run ./bench/ratios -models qwen3-0.6b,gdn-0.8b -quants bf16,q8_0 llama.cpp.jsonl...
//
// A file has one JSON object per line: engine, model, quant, threads, test, round, tok_s, and foreign, the share of
// the machine that other programs used meanwhile; an object with the key header starts a run, whose rounds are its
// own. A measurement with more than a tenth of the machine used by others is left out, and with it its partner.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	var t table
	flag.StringVar(&t.peer, "peer", "llama.cpp", "engine to compare with")
	flag.IntVar(&t.threads, "t", 2, "threads")
	models := flag.String("models", "", "models, in this order; all if empty")
	quants := flag.String("quants", "", "formats, in this order; all if empty")
	tests := flag.String("tests", "pp512,tg64", "tests, in this order")
	flag.Parse()
	t.models, t.quants, t.tests = list(*models), list(*quants), list(*tests)
	if err := run(os.Stdout, t, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func run(w io.Writer, t table, files []string) error {
	if len(files) == 0 {
		return errors.New("no file: name those that hold the measurements")
	}
	var all []measurement
	runs := 0
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		rows, n, err := read(f, runs)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all, runs = append(all, rows...), n
	}
	return t.print(w, all)
}

// measurement is one engine's speed in one round.
type measurement struct {
	Engine  string  `json:"engine"`
	Model   string  `json:"model"`
	Quant   string  `json:"quant"`
	Threads int     `json:"threads"`
	Test    string  `json:"test"`
	Round   int     `json:"round"`
	Rate    float64 `json:"tok_s"`
	Foreign float64 `json:"foreign"`

	run int // of all files: rounds of the same number in two runs have nothing in common
}

// read returns the measurements of a file, whose runs are numbered after the given one, and the last run's number.
func read(r io.Reader, run int) ([]measurement, int, error) {
	var rows []measurement
	lines := bufio.NewScanner(r)
	run++
	n := 1
	for ; lines.Scan(); n++ {
		var line struct {
			Header json.RawMessage `json:"header"`
			measurement
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if line.Header != nil {
			run++
			continue
		}
		if !(line.Rate > 0) {
			return nil, 0, fmt.Errorf("line %d: found tok_s %v, expected a number above 0", n, line.Rate)
		}
		line.run = run
		rows = append(rows, line.measurement)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("line %d: %w", n, err)
	}
	return rows, run, nil
}

// busy is the share of the machine used by others from which a measurement says nothing.
const busy = 0.1

// table says what is compared.
type table struct {
	peer                  string
	threads               int
	models, quants, tests []string // all that are measured if nil
}

// cell holds the rounds of one model, format and test, in which both engines were measured.
type cell struct{ ours, peer, ratios []float64 }

func (t table) print(w io.Writer, rows []measurement) error {
	rows = slices.DeleteFunc(slices.Clone(rows), func(m measurement) bool {
		return m.Threads != t.threads || m.Foreign > busy || m.Engine != "ours" && m.Engine != t.peer
	})
	if t.models == nil {
		t.models = t.names(rows, func(m measurement) string { return m.Model })
	}
	if t.quants == nil {
		t.quants = t.names(rows, func(m measurement) string { return m.Quant })
	}
	fmt.Fprintf(w, "| model | test | %s |\n|---|---%s|\n", strings.Join(t.quants, " | "), strings.Repeat("|---", len(t.quants)))
	var rounds []int
	medians := map[string][]float64{}
	for _, model := range t.models {
		for _, test := range t.tests {
			kind := "decode"
			if strings.HasPrefix(test, "pp") {
				kind = "prefill"
			}
			line, found := fmt.Sprintf("| %s | %s |", model, test), len(rounds)
			for _, quant := range t.quants {
				c := t.pair(rows, model, quant, test)
				if c.ratios == nil {
					line += " |"
					continue
				}
				line += " " + c.String() + " |"
				rounds = append(rounds, len(c.ratios))
				medians[kind] = append(medians[kind], median(c.ratios))
			}
			if len(rounds) > found {
				fmt.Fprintln(w, line)
			}
		}
	}
	if rounds == nil {
		return fmt.Errorf("found no round of ours beside %s with %d threads, expected one at least", t.peer, t.threads)
	}
	var spans []string
	for _, kind := range []string{"prefill", "decode"} {
		if r := medians[kind]; r != nil {
			spans = append(spans, fmt.Sprintf("%s %.2f / %.2f / %.2f", kind, slices.Min(r), median(r), slices.Max(r)))
		}
	}
	fmt.Fprintf(w, "\nRounds: %d-%d. Least / median / largest median ratio: %s\n", slices.Min(rounds), slices.Max(rounds), strings.Join(spans, ", "))
	return nil
}

// names returns what the peer's rows have, in the order of their appearance.
func (t table) names(rows []measurement, of func(measurement) string) []string {
	var all []string
	for _, m := range rows {
		if m.Engine == t.peer && !slices.Contains(all, of(m)) {
			all = append(all, of(m))
		}
	}
	return all
}

// pair finds the rounds of a cell that have both engines.
func (t table) pair(rows []measurement, model, quant, test string) cell {
	type round struct{ run, round int }
	peer := map[round]float64{}
	var ours []measurement
	for _, m := range rows {
		switch {
		case m.Model != model || m.Quant != quant || m.Test != test:
		case m.Engine == "ours":
			ours = append(ours, m)
		default:
			peer[round{m.run, m.Round}] = m.Rate
		}
	}
	var c cell
	for _, m := range ours {
		if rate, ok := peer[round{m.run, m.Round}]; ok {
			c.ours, c.peer, c.ratios = append(c.ours, m.Rate), append(c.peer, rate), append(c.ratios, m.Rate/rate)
		}
	}
	return c
}

func (c cell) String() string {
	return fmt.Sprintf("%s : %s, **%.2f** (%.2f-%.2f)", rate(median(c.ours)), rate(median(c.peer)), median(c.ratios), slices.Min(c.ratios), slices.Max(c.ratios))
}

func rate(x float64) string {
	if x < 20 {
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
