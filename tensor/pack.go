package tensor

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// panelsPerPart is how many panels a thread packs at a time.
const panelsPerPart = 8

// packing is the task of packing some tensors' rows in one format.
type packing struct {
	panels
	parts      []Tensor
	importance []float32 // of the columns, nil if all are alike
}

// pack packs tensors, which it does not keep, in memory of the arena.
func pack(arena *Arena, pool *Pool, f Format, cols int, parts []Tensor) panels {
	p := &packing{panels: panels{format: f, cols: cols}, parts: parts}
	for _, t := range parts {
		p.rows += t.Shape[0]
	}
	p.data = arena.Bytes(gemm.Panels(p.rows) * formats[f].panel(cols))
	pool.Run((gemm.Panels(p.rows)+panelsPerPart-1)/panelsPerPart, p)
	return p.panels
}

// Do packs some panels.
func (p *packing) Do(part int) {
	var floats []float32
	for i := part * panelsPerPart; i < min((part+1)*panelsPerPart, gemm.Panels(p.rows)); i++ {
		size := formats[p.format].panel(p.cols)
		dst := p.data[i*size : (i+1)*size]
		n := min(gemm.Rows, p.rows-i*gemm.Rows)
		if p.raw() {
			p.interleave(dst, i*gemm.Rows, n)
			continue
		}
		if p.moved(dst, i*gemm.Rows, n) {
			continue
		}
		if floats == nil {
			floats = make([]float32, gemm.Rows*p.cols)
		}
		for r := range n {
			t, row := p.source(i*gemm.Rows + r)
			t.Floats(floats[r*p.cols:(r+1)*p.cols], row*p.cols)
		}
		packFloats(p.format, dst, floats, n, p.cols, p.importance)
	}
}

// raw reports whether all parts are stored in the panels' own type.
func (p *packing) raw() bool {
	for _, t := range p.parts {
		switch {
		case p.format == FormatF32 && t.Type == F32, p.format == FormatBF16 && t.Type == BF16, p.format == FormatF16 && t.Type == F16:
		default:
			return false
		}
	}
	return true
}

// source returns the tensor that holds row r of the stack, and the row's number there.
func (p *packing) source(r int) (Tensor, int) {
	i := 0
	for r >= p.parts[i].Shape[0] {
		r -= p.parts[i].Shape[0]
		i++
	}
	return p.parts[i], r
}

// interleave packs n rows whose type is the panel's own.
func (p *packing) interleave(dst []byte, first, n int) {
	var rows [gemm.Rows][]byte
	for r := range n {
		t, row := p.source(first + r)
		width := p.cols * t.Type.Size()
		rows[r] = t.Data[row*width : (row+1)*width]
	}
	if p.format == FormatF32 {
		interleave32(view[uint32](dst), rows[:n])
	} else {
		interleave16(view[uint16](dst), rows[:n])
	}
}

// moved packs n rows whose codes and scales the format can hold as they are, and reports whether it
// did.
func (p *packing) moved(dst []byte, first, n int) bool {
	if !formats[p.format].eight {
		return false
	}
	for r := range n {
		t, _ := p.source(first + r)
		if t.Type == Packed && t.rows().panels[0].format != p.format || t.Type != Packed && !moves(t.Type, p.format, p.cols) {
			return false
		}
	}
	for r := range n {
		t, row := p.source(first + r)
		if t.Type == Packed {
			t.rows().panels[0].store(dst, r, row)
		} else {
			moveRow(p.format, dst, r, t, row, p.cols)
		}
	}
	return true
}

// interleave16 writes rows of little-endian 16-bit elements as columns, four at a time.
func interleave16(dst []uint16, rows [][]byte) {
	for r, row := range rows {
		i := 0
		for ; i+8 <= len(row); i += 8 {
			v := binary.LittleEndian.Uint64(row[i:])
			d := dst[i/2*gemm.Rows+r:]
			_ = d[3*gemm.Rows]
			d[0], d[gemm.Rows], d[2*gemm.Rows], d[3*gemm.Rows] = uint16(v), uint16(v>>16), uint16(v>>32), uint16(v>>48)
		}
		for ; i < len(row); i += 2 {
			dst[i/2*gemm.Rows+r] = binary.LittleEndian.Uint16(row[i:])
		}
	}
}

// interleave32 does the same for 32-bit elements.
func interleave32(dst []uint32, rows [][]byte) {
	for r, row := range rows {
		for i := 0; i < len(row); i += 4 {
			dst[i/4*gemm.Rows+r] = binary.LittleEndian.Uint32(row[i:])
		}
	}
}

// packFloats stores n rows of k elements as one panel, which is zero where rows are missing.
func packFloats(f Format, panel []byte, rows []float32, n, k int, importance []float32) {
	switch {
	case f == FormatQ8:
		quant.Q8Panel(panel, rows[:n*k], n, k)
		return
	case f.coded():
		formats[f].code.Panel(panel, rows[:n*k], n, k, importance)
		return
	}
	for r := range n {
		switch row := rows[r*k : (r+1)*k]; f {
		case FormatF32:
			dst := view[float32](panel)[r:]
			for i, v := range row {
				dst[i*gemm.Rows] = v
			}
		case FormatBF16:
			dst := view[uint16](panel)[r:]
			for i, v := range row {
				dst[i*gemm.Rows] = BFloat16(v)
			}
		case FormatF16:
			dst := view[uint16](panel)[r:]
			for i, v := range row {
				dst[i*gemm.Rows] = float16.Fromfloat32(v).Bits()
			}
		}
	}
}

// nativeRow decodes row r of a panel of floats in the machine's byte order.
func nativeRow(f Format, dst []float32, panel []byte, r int) {
	for i := range dst {
		switch at := i*gemm.Rows + r; f {
		case FormatF32:
			dst[i] = view[float32](panel)[at]
		case FormatBF16:
			dst[i] = math.Float32frombits(uint32(view[uint16](panel)[at]) << 16)
		case FormatF16:
			dst[i] = float16.Frombits(view[uint16](panel)[at]).Float32()
		}
	}
}
