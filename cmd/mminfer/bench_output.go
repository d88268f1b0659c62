package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// benchRow is the result of one test.
type benchRow struct {
	Model         string   `json:"model"`
	Type          string   `json:"type"`
	Shape         string   `json:"shape,omitempty"` // of a subnet
	Quant         string   `json:"quant"`
	Threads       int      `json:"threads"`
	Test          string   `json:"test"`
	Skipped       bool     `json:"skipped,omitempty"` // the depth was not computed
	Sessions      int      `json:"sessions"`
	Rate          float64  `json:"tok_s"`
	Deviation     float64  `json:"tok_s_sd"`
	CPU           *float64 `json:"cpu_s,omitempty"` // of all repetitions
	Reps          int      `json:"reps"`
	Bytes         int64    `json:"size_bytes"`
	Params        int64    `json:"params"`
	BytesPerToken int64    `json:"bytes_per_token,omitempty"` // tg of one session
	StateBytes    int64    `json:"state_bytes"`               // of a session at the depth of the test
	Peak          float64  `json:"peak,omitempty"`            // GB/s for tg, billions of operations a second for pp
	Share         float64  `json:"share,omitempty"`           // of the peak
	ISA           string   `json:"isa"`
}

// benchWriter writes rows as they come.
type benchWriter interface {
	row(r benchRow) error
	end() error
}

// newBenchWriter returns a writer of a form; model is the widest name that rows will have.
func newBenchWriter(form string, w io.Writer, model string) benchWriter {
	switch form {
	case "csv":
		return &csvRows{w: csv.NewWriter(w)}
	case "json":
		return &jsonRows{w: w, rows: []benchRow{}}
	case "jsonl":
		return jsonLines{json.NewEncoder(w)}
	}
	return &mdRows{w: w, columns: []mdColumn{
		{"model", max(5, len(model)), false}, {"size", 8, true}, {"params", 7, true}, {"format", 6, false}, {"threads", 7, true}, {"test", 12, false},
		{"t/s", 18, true}, {"bytes/token", 11, true}, {"share", 24, true}, {"ISA", 10, false},
	}}
}

// jsonLines writes one object a line.
type jsonLines struct{ e *json.Encoder }

func (w jsonLines) row(r benchRow) error { return w.e.Encode(r) }
func (w jsonLines) end() error           { return nil }

// jsonRows writes one array at the end.
type jsonRows struct {
	w    io.Writer
	rows []benchRow
}

func (w *jsonRows) row(r benchRow) error { w.rows = append(w.rows, r); return nil }
func (w *jsonRows) end() error           { return writeJSON(w.w, w.rows) }

// csvRows writes a heading and a record for each row.
type csvRows struct {
	w      *csv.Writer
	headed bool
}

func (w *csvRows) row(r benchRow) error {
	if !w.headed {
		w.headed = true
		_ = w.w.Write([]string{"model", "type", "quant", "threads", "test", "sessions", "tok_s", "tok_s_sd", "cpu_s", "reps", "size_bytes",
			"params", "bytes_per_token", "peak", "share", "isa", "shape"}) // Error tells
	}
	cpu := ""
	if r.CPU != nil {
		cpu = strconv.FormatFloat(*r.CPU, 'f', 6, 64)
	}
	float := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	_ = w.w.Write([]string{r.Model, r.Type, r.Quant, strconv.Itoa(r.Threads), r.Test, strconv.Itoa(r.Sessions), float(r.Rate), float(r.Deviation), cpu,
		strconv.Itoa(r.Reps), strconv.FormatInt(r.Bytes, 10), strconv.FormatInt(r.Params, 10), strconv.FormatInt(r.BytesPerToken, 10), float(r.Peak),
		float(r.Share), r.ISA, r.Shape})
	w.w.Flush()
	return w.w.Error()
}

func (w *csvRows) end() error { return nil }

// mdRows writes a table in Markdown.
type mdRows struct {
	w       io.Writer
	columns []mdColumn
	headed  bool
}

type mdColumn struct {
	title string
	width int
	right bool
}

func (w *mdRows) row(r benchRow) error {
	if !w.headed {
		w.headed = true
		titles, rules := make([]string, len(w.columns)), make([]string, len(w.columns))
		for i, c := range w.columns {
			titles[i], rules[i] = c.title, strings.Repeat("-", c.width)
			if c.right {
				rules[i] = rules[i][1:] + ":"
			}
		}
		w.line(titles)
		w.line(rules)
	}
	test := r.Test
	if r.Sessions > 1 {
		test += fmt.Sprintf(" x%d", r.Sessions)
	}
	perToken := ""
	if r.BytesPerToken > 0 {
		perToken = bytesText(r.BytesPerToken)
	}
	return w.line([]string{strings.TrimSpace(r.Model + " " + r.Shape), bytesText(r.Bytes), countText(r.Params), r.Quant, strconv.Itoa(r.Threads), test,
		fmt.Sprintf("%.2f ± %.2f", r.Rate, r.Deviation), perToken, r.shareText(), r.ISA})
}

func (r benchRow) shareText() string {
	switch {
	case r.Share == 0:
		return ""
	case r.BytesPerToken > 0:
		return fmt.Sprintf("%.0f %% of %.1f GB/s", 100*r.Share, r.Peak)
	case strings.HasPrefix(r.Quant, "q"):
		return fmt.Sprintf("%.0f %% of %.0f GOP/s", 100*r.Share, r.Peak)
	}
	return fmt.Sprintf("%.0f %% of %.0f GFLOP/s", 100*r.Share, r.Peak)
}

func (w *mdRows) line(cells []string) error {
	var b strings.Builder
	for i, c := range w.columns {
		pad := strings.Repeat(" ", max(0, c.width-len([]rune(cells[i]))))
		if c.right {
			b.WriteString("| " + pad + cells[i] + " ")
		} else {
			b.WriteString("| " + cells[i] + pad + " ")
		}
	}
	_, err := io.WriteString(w.w, b.String()+"|\n")
	return err
}

func (w *mdRows) end() error { return nil }
