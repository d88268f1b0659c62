package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mminfer/mminfer/subnet"
)

// shapeRow is what the commands of subnet tell of a shape. What is nil was not asked for.
type shapeRow struct {
	Shape     string   `json:"shape"`
	Layers    int      `json:"layers"`
	Params    int64    `json:"params"`
	Bytes     int64    `json:"bytes"` // in memory, by itself
	Trained   *bool    `json:"trained,omitempty"`
	Predicted *float64 `json:"predicted_ms,omitempty"` // a token
	Measured  *float64 `json:"measured_ms,omitempty"`
	CPU       *float64 `json:"cpu_ms,omitempty"`
	Prompt    *float64 `json:"prompt_ms,omitempty"` // of promptTokens tokens
	Switch    *float64 `json:"switch_ms,omitempty"` // from another shape in memory to this one

	NLL        *float64 `json:"nll,omitempty"`
	Perplexity *float64 `json:"perplexity,omitempty"`
	Accuracy   *float64 `json:"acc,omitempty"`
	Normalised *float64 `json:"acc_norm,omitempty"`

	shape subnet.Shape
	step  int64 // bytes that a token reads
}

// shapeColumn is a column of a table of shapes: its title, and a cell, "" for none.
type shapeColumn struct {
	title string
	cell  func(r *shapeRow) string
}

// number writes a number that may not be there.
func numberCell(x *float64, format string, factor float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(format, factor**x)
}

// shapeColumns are all columns; those that are empty are left out.
var shapeColumns = []shapeColumn{
	{"shape", func(r *shapeRow) string { return r.Shape }},
	{"layers", func(r *shapeRow) string { return strconv.Itoa(r.Layers) }},
	{"params", func(r *shapeRow) string { return countText(r.Params) }},
	{"memory", func(r *shapeRow) string { return bytesText(r.Bytes) }},
	{"trained", func(r *shapeRow) string {
		if r.Trained == nil {
			return ""
		}
		return map[bool]string{true: "yes", false: "no"}[*r.Trained]
	}},
	{"predicted t/s", func(r *shapeRow) string { return rateCell(r.Predicted) }},
	{"measured t/s", func(r *shapeRow) string { return rateCell(r.Measured) }},
	{"ms/token", func(r *shapeRow) string { return numberCell(r.Measured, "%.2f", 1) }},
	{"processor ms", func(r *shapeRow) string { return numberCell(r.CPU, "%.2f", 1) }},
	{"prompt ms", func(r *shapeRow) string { return numberCell(r.Prompt, "%.1f", 1) }},
	{"switch ms", func(r *shapeRow) string { return numberCell(r.Switch, "%.1f", 1) }},
	{"nll", func(r *shapeRow) string { return numberCell(r.NLL, "%.4f", 1) }},
	{"perplexity", func(r *shapeRow) string { return numberCell(r.Perplexity, "%.2f", 1) }},
	{"acc %", func(r *shapeRow) string { return numberCell(r.Accuracy, "%.1f", 100) }},
	{"acc_norm %", func(r *shapeRow) string { return numberCell(r.Normalised, "%.1f", 100) }},
}

// rateCell writes tokens a second of milliseconds a token.
func rateCell(ms *float64) string {
	if ms == nil || *ms <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", 1000 / *ms)
}

// writeShapes writes rows as md, csv or json.
func writeShapes(w io.Writer, form string, rows []shapeRow) error {
	if form == "json" {
		return writeJSON(w, rows)
	}
	table := make([][]string, len(rows)+1)
	for _, c := range shapeColumns {
		column, filled := []string{c.title}, false
		for i := range rows {
			cell := c.cell(&rows[i])
			column, filled = append(column, cell), filled || cell != ""
		}
		if filled {
			for i := range column {
				table[i] = append(table[i], column[i])
			}
		}
	}
	if form == "csv" {
		out := csv.NewWriter(w)
		return out.WriteAll(table)
	}
	return writeMarkdown(w, table)
}

// writeMarkdown writes a table whose first row is its heading. All columns but the first are numbers.
func writeMarkdown(w io.Writer, table [][]string) error {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 2)
		}
	}
	line := func(row []string) error {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad + " ")
			} else {
				b.WriteString("| " + pad + cell + " ")
			}
		}
		_, err := io.WriteString(w, b.String()+"|\n")
		return err
	}
	for n, row := range table {
		if err := line(row); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		rule := make([]string, len(row))
		for i := range rule {
			if rule[i] = strings.Repeat("-", widths[i]); i > 0 {
				rule[i] = rule[i][1:] + ":"
			}
		}
		if err := line(rule); err != nil {
			return err
		}
	}
	return nil
}

// formFlag is a flag that takes the form of a table.
func formFlag() choice { return choice{"md", []string{"md", "csv", "json"}} }
