package scan

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// cases of testdata: inputs in bfloat16, outputs computed in float64 by the recurrence, in chunks
// and by the official code, which agree to 5e-16.
var cases = []string{"a", "b", "c", "d"}

// TestGoldenSSD runs every head j of a case, which has B and C of group j/(H/G).
func TestGoldenSSD(t *testing.T) {
	tensors := readSafetensors(t, "testdata/ssd.safetensors")
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		for _, name := range cases {
			in := func(n string) []float32 { return narrow(tensors[name+".in."+n].data) }
			x, b := tensors[name+".in.x"].shape, tensors[name+".in.B"].shape
			tokens, heads, p, groups, n := x[0], x[1], x[2], b[1], b[2]
			wantY, wantS := tensors[name+".want.o"].data, tensors[name+".want.S"].data
			for j := range heads {
				decays := make([]float64, tokens)
				for t := range decays {
					decays[t] = math.Exp(tensors[name+".in.dt"].data[t*heads+j] * tensors[name+".in.A"].data[j])
				}
				group := j / (heads / groups) * n
				a := &SSD{
					Y: make([]float32, tokens*p), YStride: p, X: in("x")[j*p:], XStride: heads * p,
					B: in("B")[group:], BStride: groups * n, C: in("C")[group:], CStride: groups * n,
					Dt: in("dt")[j:], DtStride: heads, Decay: narrow(decays), DecayStride: 1,
					D: make([]float32, p), S: packed(tensors[name+".in.S0"].data, j*p, p, n), Tokens: tokens, P: p, N: n,
				}
				for i := range a.D {
					a.D[i] = in("D")[j]
				}
				y, s := a.reference(decays)
				SSDScan(a)
				for i := range y { // the bounds hold for the true values
					y[i].value = wantY[(i/p*heads+j)*p+i%p]
				}
				replace(s, wantS[j*p*n:])
				check(h, a.Y, p, y, a.S, s)
				h.Check("%s head %d", name, j)
			}
		}
	})
}

func TestGoldenSelective(t *testing.T) {
	tensors := readSafetensors(t, "testdata/mamba1.safetensors")
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		for _, name := range cases {
			in := func(n string) []float32 { return narrow(tensors[name+".in."+n].data) }
			rates := tensors[name+".in.A"].data
			tokens, channels, n := tensors[name+".in.x"].shape[0], tensors[name+".in.A"].shape[0], tensors[name+".in.A"].shape[1]
			log2 := make([]float64, len(rates))
			for i, r := range rates {
				log2[i] = r * math.Log2E
			}
			a := &Selective{
				Y: make([]float32, tokens*channels), YStride: channels, X: in("x"), XStride: channels, Dt: in("dt"), DtStride: channels,
				B: in("B"), BStride: n, C: in("C"), CStride: n, D: in("D"), A: packed(log2, 0, channels, n),
				S: packed(tensors[name+".in.h0"].data, 0, channels, n), Tokens: tokens, Channels: channels, N: n,
			}
			y, s := a.reference(rates)
			SelectiveScan(a)
			for i := range y {
				y[i].value = tensors[name+".want.o"].data[i]
			}
			replace(s, tensors[name+".want.h"].data)
			check(h, a.Y, channels, y, a.S, s)
			h.Check("%s", name)
		}
	})
}

// packed lays rows of x [?, n], zeros if there is none, out in panels.
func packed(x []float64, from, channels, n int) []float32 {
	s := make([]float32, StateLen(channels, n))
	if x == nil {
		return s
	}
	for c := range channels {
		for i := range n {
			s[place(c, i, n)] = float32(x[(from+c)*n+i])
		}
	}
	return s
}

// replace puts the values wanted, [channels, n], in the place of the reference's own.
func replace(s [][]bounded, want []float64) {
	for c := range s {
		for n := range s[c] {
			s[c][n].value = want[c*len(s[c])+n]
		}
	}
}

type tensor struct {
	shape []int
	data  []float64
}

// readSafetensors reads a file of BF16 and F64 tensors.
func readSafetensors(t *testing.T, path string) map[string]tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	var header map[string]struct {
		Dtype   string
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	tensors := make(map[string]tensor)
	for name, e := range header {
		raw := b[8+n:][e.Offsets[0]:e.Offsets[1]]
		var data []float64
		switch e.Dtype {
		case "BF16":
			for i := 0; i < len(raw); i += 2 {
				data = append(data, float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[i:]))<<16)))
			}
		case "F64":
			for i := 0; i < len(raw); i += 8 {
				data = append(data, math.Float64frombits(binary.LittleEndian.Uint64(raw[i:])))
			}
		default:
			t.Fatalf("%s: %s: unexpected type %s", path, name, e.Dtype)
		}
		tensors[name] = tensor{e.Shape, data}
	}
	return tensors
}

func narrow(x []float64) []float32 {
	var y []float32
	for _, v := range x {
		y = append(y, float32(v))
	}
	return y
}
