package nn

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/tensor"
)

// OnPacked has f called by Load with every weight and the tensors that it was packed of.
func (p Params) OnPacked(f func(w *tensor.Weight, parts []tensor.Tensor)) { p.b.packed = f }

// run is rows of a tensor that a projection takes.
type run struct {
	from, rows int
	format     tensor.Format
}

// Packing returns, for every tensor of which projections take rows as they are, in which formats Load
// would pack which of them. Rows that nothing takes are put to those before them, or to the first.
func (p Params) Packing() map[string][]tensor.PackedRows {
	runs := map[string][]run{}
	whole := map[string]bool{} // false if something takes it in another form
	for _, j := range p.b.jobs {
		for _, t := range j.parts {
			name, row := t.Origin()
			cols := t.Shape[len(t.Shape)-1]
			if name == "" || j.as != asMatrix || cols == 0 || t.Elements()/t.Shape[0] != cols || t.Elements() == 0 {
				made, _, _ := strings.Cut(t.Name, "[") // the name of rows ends in which they are
				whole[made] = false
				continue
			}
			if _, ok := whole[name]; !ok {
				whole[name] = true
			}
			runs[name] = append(runs[name], run{row, t.Shape[0], j.format.For(t.Type)})
		}
	}
	plan := map[string][]tensor.PackedRows{}
	for name, r := range runs {
		t, ok := p.b.src.Tensor(name)
		if !ok || !whole[name] || len(t.Shape) < 2 || t.Type == tensor.Packed {
			continue
		}
		if rows := layOut(r, t.Elements()/t.Shape[len(t.Shape)-1]); rows != nil {
			plan[name] = rows
		}
	}
	return plan
}

// layOut puts runs one after the other so that they cover n rows; nil if some overlap. Rows that
// several projections take have the widest of their formats.
func layOut(runs []run, n int) (rows []tensor.PackedRows) {
	slices.SortFunc(runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.rows, b.rows), cmp.Compare(a.format, b.format))
	})
	runs = slices.CompactFunc(runs, func(a, b run) bool { return a.from == b.from && a.rows == b.rows })
	at := 0
	for _, r := range runs {
		if r.from < at {
			return nil
		}
		if gap := r.from - at; gap > 0 {
			rows = push(rows, gap, r.format)
		}
		rows = push(rows, r.rows, r.format)
		at = r.from + r.rows
	}
	if at < n {
		rows = push(rows, n-at, rows[len(rows)-1].Format)
	}
	return rows
}

// push appends rows, to the run before where they begin a panel of it.
func push(rows []tensor.PackedRows, n int, f tensor.Format) []tensor.PackedRows {
	if last := len(rows) - 1; last >= 0 && rows[last].Format == f && rows[last].Rows%tensor.PanelRows == 0 {
		rows[last].Rows += n
		return rows
	}
	return append(rows, tensor.PackedRows{Format: f, Rows: n})
}
