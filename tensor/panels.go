package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// panels are rows of one format and of one number of columns in panels.
type panels struct {
	format     Format
	skip       int // rows of the first panel that are not among them
	room       int // columns that a panel has room for, cols if 0
	rows, cols int
	data       []byte
}

// PackedRows says how some rows of a [Packed] tensor are stored.
type PackedRows struct {
	Format Format // not FormatAuto
	Rows   int    // at least 1
}

// packedAlignment is the alignment of each of a packed tensor's runs of rows, and of its length.
const packedAlignment = 64

// PackedSize returns the bytes of rows of cols columns in a packed tensor. It panics if the format is
// FormatAuto.
func PackedSize(f Format, rows, cols int) int {
	n := gemm.Panels(rows) * formats[f].panel(cols)
	return (n + packedAlignment - 1) &^ (packedAlignment - 1)
}

// PackedTensor returns a tensor whose rows, its elements by its last axis, lie in panels, as
// [Weight] has them: runs of rows one after the other, each [PackedSize] bytes of data. Floats of 16
// and 32 bits are little-endian. The error tells what does not fit.
func PackedTensor(name string, shape []int, rows []PackedRows, data []byte) (Tensor, error) {
	t := Tensor{Name: name, Type: Packed, Shape: shape, Data: data, in: new(inside)}
	if len(shape) < 2 {
		return t, fmt.Errorf("shape: found %v, expected rows and columns", shape)
	}
	cols, count := int64(t.columns()), int64(1)
	for _, d := range shape {
		if d < 1 || count > math.MaxInt32/int64(d)*1024 {
			return t, fmt.Errorf("shape: found %v, expected dimensions of at least 1 and fewer than %d elements", shape, int64(math.MaxInt32)*1024)
		}
		count *= int64(d)
	}
	left, at := count/cols, 0
	for _, r := range rows {
		if int(r.Format) >= len(formats) || r.Format == FormatAuto || r.Rows < 1 || int64(r.Rows) > left {
			return t, fmt.Errorf("rows: found %d in %v, expected 1 to the %d that are left, in a format", r.Rows, r.Format, left)
		}
		size := PackedSize(r.Format, r.Rows, int(cols))
		if size > len(data)-at {
			return t, fmt.Errorf("data: found %d bytes, expected %d more for %d rows of %d columns in %v", len(data)-at, size, r.Rows, cols, r.Format)
		}
		exact := gemm.Panels(r.Rows) * formats[r.Format].panel(int(cols))
		t.in.panels = append(t.in.panels, panels{format: r.Format, rows: r.Rows, cols: int(cols), data: data[at : at+exact : at+exact]})
		at, left = at+size, left-int64(r.Rows)
	}
	if left != 0 || at != len(data) {
		return t, fmt.Errorf("found %d bytes and %d rows more, expected none", len(data)-at, left)
	}
	return t, nil
}

// PackedRows returns how the rows of a [Packed] tensor are stored, nil for others.
func (t Tensor) PackedRows() (rows []PackedRows) {
	for _, p := range t.rows().panels {
		rows = append(rows, PackedRows{p.format, p.rows})
	}
	return rows
}

// columns is the length of the last axis.
func (t Tensor) columns() int { return t.Shape[len(t.Shape)-1] }

// rowsOf returns the panels of rows from to to-1, and their bytes: those of the first where the rows
// are of several.
func rowsOf(all []panels, from, to int) (data []byte, some []panels) {
	for _, p := range all {
		a, b := max(from, 0), min(to, p.rows)
		if from, to = from-p.rows, to-p.rows; a >= b {
			continue
		}
		a, b = a+p.skip, b+p.skip
		size := p.size()
		p.data = p.data[a/gemm.Rows*size : gemm.Panels(b)*size]
		p.skip, p.rows = a%gemm.Rows, b-a
		if some = append(some, p); data == nil {
			data = p.data
		}
	}
	return data, some
}

// packedFloats decodes elements of a packed tensor.
func (t Tensor) packedFloats(dst []float32, from int) {
	cols := t.columns()
	if from < 0 || from+len(dst) > t.Elements() {
		panic(fmt.Sprintf("tensor.Floats: elements %d to %d of %v", from, from+len(dst), t))
	}
	for len(dst) > 0 {
		r, c := from/cols, from%cols
		n := min(cols-c, len(dst))
		for _, p := range t.rows().panels {
			if r < p.rows {
				p.row(dst[:n], r, c)
				break
			}
			r -= p.rows
		}
		dst, from = dst[n:], from+n
	}
}

// size is the bytes from one panel to the next.
func (p *panels) size() int {
	if p.room == 0 {
		return formats[p.format].panel(p.cols)
	}
	return formats[p.format].panel(p.room)
}

// panel returns the panel of row r and the row's number in it.
func (p panels) panel(r int) (panel []byte, row int) {
	size := p.size()
	r += p.skip
	return p.data[r/gemm.Rows*size : (r/gemm.Rows+1)*size], r % gemm.Rows
}

// row decodes row r of panels in little-endian order, from a column on.
func (p panels) row(dst []float32, r, from int) {
	panel, r := p.panel(r)
	at := from*gemm.Rows + r // of the first element, the others 16 apart
	switch p.format {
	case FormatQ8:
		for i := range dst {
			dst[i] = quant.Q8At(panel, p.cols, r, from+i)
		}
	case FormatF32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(panel[4*(i*gemm.Rows+at):]))
		}
	case FormatBF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(panel[2*(i*gemm.Rows+at):])) << 16)
		}
	case FormatF16:
		for i := range dst {
			dst[i] = float16.Frombits(binary.LittleEndian.Uint16(panel[2*(i*gemm.Rows+at):])).Float32()
		}
	case FormatBF16Dot:
		for i := range dst {
			c := from + i
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(panel[4*(c/2*gemm.Rows+r)+c%2*2:])) << 16)
		}
	default:
		formats[p.format].code.Row(dst, panel, p.cols, r, from)
	}
}

// usable reports whether products can read the panels where they lie.
func (p panels) usable() bool {
	if p.skip != 0 {
		return false
	}
	return formats[p.format].eight || !bigEndian() && uintptr(unsafe.Pointer(unsafe.SliceData(p.data)))%4 == 0
}

// bigEndian reports the machine's byte order.
func bigEndian() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 0
}
