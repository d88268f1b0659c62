package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/subnet"
)

// selectionState is what subnet select has measured, in files of its directory.
type selectionState struct {
	s     *selection
	file  selectionFile
	known map[subnet.Cell]float64
}

// selectionFile is the file of measured depths. A key identifies what a measurement depends on.
type selectionFile struct {
	Kind  string            `json:"kind"`
	Key   string            `json:"key"`
	Cells []measuredSubnets `json:"cells"`
}

// measuredSubnets is a cell of the table.
type measuredSubnets struct {
	Considered int     `json:"considered"`
	Removed    int     `json:"removed"`
	Metric     float64 `json:"metric"`
}

const (
	selectionKind    = "mminfer selection 1"
	selectionName    = "selection.json"
	fluctuationsName = "fluctuations.safetensors"
)

// openState reads what there is. Without --resume there must be nothing.
func (s *selection) openState() (*selectionState, error) {
	state := &selectionState{s: s, known: map[subnet.Cell]float64{}}
	if !s.resume {
		for _, name := range []string{selectionName, fluctuationsName} {
			if _, err := os.Stat(filepath.Join(s.out, name)); err == nil {
				return nil, fmt.Errorf("%s holds a selection already: go on with it by --resume, or choose another directory", s.out)
			}
		}
		return state, nil
	}
	path := filepath.Join(s.out, selectionName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &state.file)
	}
	if err == nil && state.file.Kind != selectionKind {
		err = fmt.Errorf("found kind %.40q, expected %q", state.file.Kind, selectionKind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return state, nil
}

// key identifies model, format and what is read.
func (st *selectionState) key(about string, windows [][]int32, questions []subnet.Question) string {
	h := sha256.New()
	fmt.Fprintf(h, "%x %v %s %v %v", st.s.selector.Fingerprint(), st.s.quant.Format, about, windows, questions)
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// cells returns the cells that are known of a calibration. A search adds to them, and save stores them.
// Those of another one are not given up for it.
func (st *selectionState) cells(cal subnet.Calibration, keep int) (map[subnet.Cell]float64, error) {
	key := st.key(fmt.Sprint(cal.Metric, keep), cal.Windows, cal.Questions)
	if st.file.Key != key && st.file.Key != "" {
		return nil, fmt.Errorf("the depths in %s were measured on another model, text, metric or format, or with another --keep-last: choose another directory, or remove %s in it", st.s.out, selectionName)
	}
	for _, c := range st.file.Cells {
		st.known[subnet.Cell{Considered: c.Considered, Removed: c.Removed}] = c.Metric
	}
	st.file = selectionFile{selectionKind, key, nil}
	return st.known, nil
}

// save stores the cells that are known.
func (st *selectionState) save() error {
	st.file.Cells = st.file.Cells[:0]
	cells := slices.SortedFunc(maps.Keys(st.known), func(a, b subnet.Cell) int {
		return (a.Considered-b.Considered)<<20 + a.Removed - b.Removed
	})
	for _, c := range cells {
		st.file.Cells = append(st.file.Cells, measuredSubnets{c.Considered, c.Removed, st.known[c]})
	}
	return st.s.replaceFile(filepath.Join(st.s.out, selectionName), func(w io.Writer) error { return json.NewEncoder(w).Encode(st.file) })
}

// fluctuations returns the statistics that are stored of the first of these windows, or none.
func (st *selectionState) fluctuations(windows [][]int32, layers int) (*subnet.Fluctuations, error) {
	if !st.s.resume {
		return new(subnet.Fluctuations), nil
	}
	path := filepath.Join(st.s.out, fluctuationsName)
	ck, err := loader.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(subnet.Fluctuations), nil
	}
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	count, _ := ck.Metadata("windows")
	key, _ := ck.Metadata("key")
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > len(windows) || key != st.key("widths", windows[:n], nil) {
		fmt.Fprintf(st.s.stderr, "the statistics in %s are of another model, text or format: they are gathered anew\n", st.s.out)
		return new(subnet.Fluctuations), nil
	}
	f, err := subnet.ReadFluctuations(ck, layers, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// saveFluctuations stores statistics.
func (st *selectionState) saveFluctuations(f *subnet.Fluctuations) error {
	windows := st.s.windows[:f.Windows]
	metadata := map[string]string{"windows": strconv.Itoa(f.Windows), "key": st.key("widths", windows, nil)}
	return st.s.replaceFile(filepath.Join(st.s.out, fluctuationsName), func(w io.Writer) error { return loader.Write(w, f.Tensors(), metadata) })
}
