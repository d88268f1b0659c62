package subnet

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// NPY returns the strategy, of a model of so many layers, as the file dp_selection_strategy.npy of the
// reference: a pickle of protocol 3 in npy format 1.0, which numpy and [ReadStrategy] load.
func (s *Strategy) NPY(layers int) []byte {
	p := &pickler{memo: map[string]int{}}
	p.op(0x80, 3)
	p.array("O8", nil, nil, func() {
		p.op(']')
		p.strategy(s, layers)
		p.op('a')
	})
	p.op('.')
	header := "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
	for (len(header)+11)%64 != 0 {
		header += " "
	}
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)+1))
	return append(append(append(out, header...), '\n'), p.data...)
}

// strategy writes the dictionary.
func (p *pickler) strategy(s *Strategy, layers int) {
	removed := slices.Sorted(maps.Keys(s.Depths))
	p.dict(func() {
		p.text("strategy")
		p.dict(func() {
			for _, m := range removed {
				p.whole(m)
				kept := make([]float64, layers)
				for l := range kept {
					if l >= len(s.Depths[m].Kept) || s.Depths[m].Kept[l] {
						kept[l] = 1
					}
				}
				p.array("f8", []int{layers}, doubles(kept), nil)
			}
		})
		p.text("metric")
		p.dict(func() {
			for _, m := range removed {
				p.whole(m)
				p.double(s.Depths[m].Metric)
			}
		})
		if s.Layers == nil {
			return
		}
		p.text("width_mask")
		p.dict(func() { p.projections(s, true) })
		p.text("bias")
		p.dict(func() { p.projections(s, false) })
	})
}

// projections writes the masks of all projections, or their biases.
func (p *pickler) projections(s *Strategy, masks bool) {
	for l, m := range s.Layers {
		for _, name := range projections {
			p.text(fmt.Sprintf("base_model.model.model.layers.%d.%s", l, name))
			if isMask(name) != masks || !masks && m.bias(name) == nil {
				p.op('N')
				continue
			}
			p.dict(func() {
				for i, w := range s.Widths {
					if w == 1 {
						p.whole(1)
					} else {
						p.double(w)
					}
					if masks {
						mask := m.mask(name, s.Group)[i]
						p.array("b1", []int{len(mask)}, truthBytes(mask), nil)
					} else {
						bias := m.bias(name)[i]
						p.array("f4", []int{len(bias)}, floatBytes(bias), nil)
					}
				}
			})
		}
	}
}

// mask returns the masks of a projection.
func (m *Masks) mask(name string, group int) [][]bool {
	switch name {
	case "mlp.gate_proj", "mlp.up_proj":
		return m.MLP
	case "self_attn.k_proj", "self_attn.v_proj":
		return keyMasks(m.Attention, group)
	}
	return m.Attention
}

// keyMasks returns the masks of keys from those of queries of which so many heads share one's.
func keyMasks(queries [][]bool, group int) [][]bool {
	if group <= 1 {
		return queries
	}
	keys := make([][]bool, len(queries))
	for i, mask := range queries {
		for c := 0; c < len(mask); c += group { // a unit's channels are all alike
			keys[i] = append(keys[i], mask[c])
		}
	}
	return keys
}

// bias returns the biases of a projection.
func (m *Masks) bias(name string) [][]float32 {
	switch name {
	case "self_attn.o_proj":
		return m.Out
	case "mlp.down_proj":
		return m.Down
	}
	return nil
}

// pickler writes a pickle.
type pickler struct {
	data []byte
	memo map[string]int // of what is written once
}

func (p *pickler) op(b ...byte) { p.data = append(p.data, b...) }

// once writes what a key stands for, or a reference to where it was written.
func (p *pickler) once(key string, write func()) {
	if at, ok := p.memo[key]; ok {
		p.op('h', byte(at))
		return
	}
	write()
	p.op('q', byte(len(p.memo)))
	p.memo[key] = len(p.memo)
}

func (p *pickler) global(module, name string) {
	p.once(module+" "+name, func() { p.data = fmt.Appendf(p.data, "c%s\n%s\n", module, name) })
}

func (p *pickler) text(s string) {
	p.op('X')
	p.data = append(binary.LittleEndian.AppendUint32(p.data, uint32(len(s))), s...)
}

func (p *pickler) bytes(b []byte) {
	p.op('B')
	p.data = append(binary.LittleEndian.AppendUint32(p.data, uint32(len(b))), b...)
}

func (p *pickler) whole(n int) {
	p.op('J')
	p.data = binary.LittleEndian.AppendUint32(p.data, uint32(int32(n)))
}

func (p *pickler) double(x float64) {
	p.op('G')
	p.data = binary.BigEndian.AppendUint64(p.data, math.Float64bits(x))
}

func (p *pickler) dict(entries func()) {
	p.op('}', '(')
	entries()
	p.op('u')
}

// dtype writes an element type.
func (p *pickler) dtype(name string) {
	p.once("dtype "+name, func() {
		p.global("numpy", "dtype")
		p.text(name)
		p.op(0x89, 0x88, 0x87, 'R') // False, True; called
		order, flags := "<", 0
		switch name {
		case "O8":
			order, flags = "|", 63
		case "b1":
			order = "|"
		}
		p.op('(')
		p.whole(3)
		p.text(order)
		p.op('N', 'N', 'N')
		p.whole(-1)
		p.whole(-1)
		p.whole(flags)
		p.op('t', 'b')
	})
}

// array writes an array of elements, or of what list writes.
func (p *pickler) array(dtype string, shape []int, data []byte, list func()) {
	p.global("numpy.core.multiarray", "_reconstruct")
	p.global("numpy", "ndarray")
	p.whole(0)
	p.op(0x85) // a tuple of one
	p.bytes([]byte("b"))
	p.op(0x87, 'R', '(')
	p.whole(1)
	p.op('(')
	for _, n := range shape {
		p.whole(n)
	}
	p.op('t')
	p.dtype(dtype)
	p.op(0x89)
	if list != nil {
		list()
	} else {
		p.bytes(data)
	}
	p.op('t', 'b')
}

func doubles(v []float64) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func fromDoubles(b []byte) []float64 {
	v := make([]float64, len(b)/8)
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return v
}

func truthBytes(mask []bool) []byte {
	b := make([]byte, len(mask))
	for i, kept := range mask {
		if kept {
			b[i] = 1
		}
	}
	return b
}
