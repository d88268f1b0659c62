package golden

import (
	"math"
	"strings"

	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/scan"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// exp returns eˣ.
func exp(x []float32) []float32 {
	y := make([]float32, len(x))
	vec.Exp(y, x)
	return y
}

func invSqrt(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }

// diagonal is how heads of linear attention decay: one number for each head and token, or
// constant, or one for each key.
type diagonal struct {
	decay []float32
	width int // decays of a head
	fixed bool
	first bool // read before the update
	scale float32
}

// diag runs the heads of a linear attention with the given inputs, and returns outputs and state.
func (c *bare) diag(q, k, v, s []float32, shape dims, d diagonal) (o, state []float32) {
	T, H, K, V := shape[0], shape[1], shape[2], shape[3]
	o = make([]float32, T*H*V)
	for h := range H {
		a := linattn.Recurrence{
			O: o[h*V:], Q: q[h*K:], K: k[h*K:], V: v[h*V:], OStride: H * V, QStride: H * K, KStride: H * K, VStride: H * V,
			Decay: d.decay[h*d.width:], DecayStride: H * d.width, ReadFirst: d.first,
			S: s[h*K*V:], SStride: V, Tokens: T, KDim: K, VDim: V, Scale: d.scale,
		}
		if d.fixed {
			a.DecayStride = 0
		} else if d.width > 1 {
			a.Axis = linattn.PerKey
		}
		linattn.Recur(&a)
	}
	return o, s
}

// sizes returns the sizes of a case whose queries have the given name.
func (c *bare) sizes(q string) dims {
	k, v := c.shape(q), c.shape("v")
	return dims{k[0], k[1], k[2], v[2]}
}

// dims are T, H, K and V of a case.
type dims [4]int

// state is the size of its states.
func (s dims) state() int { return s[1] * s[2] * s[3] }

func (c *bare) linearAttn() {
	s := c.sizes("q")
	T, H, K, V := s[0], s[1], s[2], s[3]
	// The sum of the keys is one more column of the state, whose values are 1.
	v, wide := c.in("v"), make([]float32, T*H*(V+1))
	s0, z0, state := c.initial("S0", s.state()), c.initial("z0", H*K), make([]float32, H*K*(V+1))
	for i := range T * H {
		copy(wide[i*(V+1):], v[i*V:(i+1)*V])
		wide[(i+1)*(V+1)-1] = 1
	}
	for i := range H * K {
		copy(state[i*(V+1):], s0[i*V:(i+1)*V])
		state[(i+1)*(V+1)-1] = z0[i]
	}
	ones := make([]float32, H)
	vec.Shift(ones, ones, 1)
	o, state := c.diag(c.in("q"), c.in("k"), wide, state, dims{T, H, K, V + 1}, diagonal{ones, 1, true, false, invSqrt(K)})
	for i := range T * H {
		row := o[i*(V+1) : (i+1)*(V+1)]
		c.out["o"] = append(c.out["o"], row[:V]...)
		for _, x := range row[:V] {
			c.out["o_normalised"] = append(c.out["o_normalised"], x/(row[V]+1e-10))
		}
	}
	for i := range H * K {
		c.out["S"] = append(c.out["S"], state[i*(V+1):(i+1)*(V+1)-1]...)
		c.out["z"] = append(c.out["z"], state[(i+1)*(V+1)-1])
	}
}

// constant runs a case with a constant decay for each head.
func (c *bare) constant(of string, decay []float32, scale float32) {
	s := c.sizes("q")
	o, state := c.diag(c.in("q"), c.in("k"), c.in("v"), c.initial("S0", s.state()), s, diagonal{decay, 1, true, false, scale})
	logs := make([]float32, len(decay))
	for i, d := range decay {
		logs[i] = float32(math.Log(float64(d)))
	}
	c.out["o"+of], c.out["S"+of], c.out["log_decay"+of] = o, state, logs
}

func (c *bare) retention() {
	s := c.sizes("q")
	c.constant("", nn.RetentionDecays(s[1]), invSqrt(s[2]))
}

// lightning takes the three rules for layer 3 of 12.
func (c *bare) lightning() {
	const layer, layers = 3, 12
	s := c.sizes("q")
	fla := make([]float32, s[1])
	for h := range fla {
		fla[h] = float32(-8 / float64(s[1]) * (1 - float64(layer)/layers) * float64(h))
	}
	c.constant(".fla", exp(fla), invSqrt(s[2]))
	c.constant(".alibi", nn.LightningDecays(s[1], 1), 1)
	c.constant(".minimax", nn.LightningDecays(s[1], 1-layer/(layers-1+1e-5)+1e-5), 1)
}

func (c *bare) gla() { c.gated("q", "g", c.sizes("q")[2], false, invSqrt(c.sizes("q")[2])) }

func (c *bare) simpleGLA() { c.gated("q", "g", 1, false, invSqrt(c.sizes("q")[2])) }

// gated runs a case with decays of its own.
func (c *bare) gated(q, g string, width int, first bool, scale float32) {
	s := c.sizes(q)
	c.out["o"], c.out["S"] = c.diag(c.in(q), c.in("k"), c.in("v"), c.initial("S0", s.state()), s, diagonal{exp(c.in(g)), width, false, first, scale})
}

func (c *bare) rwkv6() {
	s := c.sizes("r")
	T, H, K, V := s[0], s[1], s[2], s[3]
	c.gated("r", "w", K, true, 1)
	r, k, v, u, ru := c.in("r"), c.in("k"), c.in("v"), c.in("u"), make([]float32, K)
	for i := range T * H {
		h := i % H
		vec.Mul(ru, r[i*K:(i+1)*K], u[h*K:(h+1)*K])
		vec.Axpy(c.out["o"][i*V:(i+1)*V], vec.Dot(ru, k[i*K:(i+1)*K]), v[i*V:(i+1)*V])
	}
}

func (c *bare) gsa() {
	s, f := c.sizes("q"), c.in("f")
	T, H, K, V, M := s[0], s[1], s[2], s[3], c.shape("f")[2]
	q, k, v, a := c.in("q"), c.in("k"), c.in("v"), exp(f)
	slots := make([]float32, len(a))
	for i, x := range a {
		slots[i] = 1 - x
	}
	hk, hv := c.initial("Hk0", H*K*M), c.initial("Hv0", H*M*V)
	p, o := make([]float32, T*H*M), make([]float32, T*H*V)
	for h := range H {
		linattn.Recur(&linattn.Recurrence{
			O: p[h*M:], Q: q[h*K:], K: k[h*K:], V: slots[h*M:], OStride: H * M, QStride: H * K, KStride: H * K, VStride: H * M,
			Decay: a[h*M:], DecayStride: H * M, Axis: linattn.PerValue, S: hk[h*K*M:], SStride: M, Tokens: T, KDim: K, VDim: M, Scale: 1,
		})
	}
	for i := range T * H {
		row := p[i*M : (i+1)*M]
		vec.Scale(row, 1/vec.ExpSum(row, row, 1, vec.Max(row)), row)
	}
	for h := range H {
		linattn.Recur(&linattn.Recurrence{
			O: o[h*V:], Q: p[h*M:], K: slots[h*M:], V: v[h*V:], OStride: H * V, QStride: H * M, KStride: H * M, VStride: H * V,
			Decay: a[h*M:], DecayStride: H * M, Axis: linattn.PerKey, S: hv[h*M*V:], SStride: V, Tokens: T, KDim: M, VDim: V, Scale: 1,
		})
	}
	c.out["o"], c.out["Hk"], c.out["Hv"] = o, hk, hv
}

func (c *bare) hgrn() {
	T, d := c.shape("x")[0], c.shape("x")[1]
	g := linattn.Gate{
		O: make([]float32, T*d), F: exp(c.in("g")), X: c.in("x"), OStride: d, FStride: d, XStride: d,
		H: c.initial("h0", d), Tokens: T, Channels: d,
	}
	linattn.Scan(&g)
	c.out["o"], c.out["h"] = g.O, g.H
}

// call returns the gated rule's call for value head j, without decay, and the number of the head
// with its key.
func (c *bare) call(q string, j int, o, s []float32) (delta.Gated, int) {
	k, v := c.shape(q), c.shape("v")
	T, H, K, HV, V := k[0], k[1], k[2], v[1], v[2]
	h := j * H / HV
	return delta.Gated{
		O: o[j*V:], Q: c.in(q)[h*K:], K: c.in("k")[h*K:], V: c.in("v")[j*V:],
		OStride: HV * V, QStride: H * K, KStride: H * K, VStride: HV * V,
		S: s[j*K*V:], SStride: V, Tokens: T, KDim: K, VDim: V, Scale: invSqrt(K),
	}, h
}

// outputs makes room for the outputs and the state of a delta rule.
func (c *bare) outputs(q string) (o, s []float32, heads int) {
	k, v := c.shape(q), c.shape("v")
	c.out["o"], c.out["S"] = make([]float32, len(c.in("v"))), c.initial("S0", v[1]*k[2]*v[2])
	return c.out["o"], c.out["S"], v[1]
}

func (c *bare) deltaRule() {
	o, s, heads := c.outputs("q")
	decay := exp(c.in("g"))
	for j := range heads {
		a, _ := c.call("q", j, o, s)
		a.Beta, a.BetaStride, a.Decay = c.in("beta")[j:], heads, []float32{1}
		if len(decay) > 0 {
			a.Decay, a.DecayStride = decay[j:], heads
		}
		delta.GatedRule(&a)
	}
}

func (c *bare) kda() {
	o, s, heads := c.outputs("q")
	decay := exp(c.in("g"))
	for j := range heads {
		g, _ := c.call("q", j, o, s)
		K := g.KDim
		g.Beta, g.BetaStride, g.Decay, g.DecayStride = c.in("beta")[j:], heads, decay[j*K:], heads*K
		a := delta.Diagonal{Gated: g, P: make([]float32, g.Tokens*K), PStride: K}
		for t := range g.Tokens {
			vec.Mul(a.P[t*K:(t+1)*K], g.K[t*g.KStride:][:K], g.Decay[t*g.DecayStride:][:K])
		}
		delta.DiagonalRule(&a)
	}
}

func (c *bare) rwkv7() {
	o, s, heads := c.outputs("r")
	decay, kappa, write := exp(c.in("w")), c.in("kappa"), c.in("a")
	vec.Mul(write, write, kappa)
	for j := range heads {
		g, _ := c.call("r", j, o, s)
		K := g.KDim
		g.Scale, g.Decay, g.DecayStride = 1, decay[j*K:], heads*K
		delta.LowRankRule(&delta.Diagonal{Gated: g, P: kappa[j*K:], PStride: heads * K, W: write[j*K:], WStride: heads * K})
	}
}

// panels reorders rows of n entries to the panels of a scan's state, and unpanels back.
func panels(rows []float32, n int) []float32 {
	p := make([]float32, scan.StateLen(len(rows)/n, n))
	for i, x := range rows {
		p[(i/n/scan.Lanes*n+i%n)*scan.Lanes+i/n%scan.Lanes] = x
	}
	return p
}

func unpanels(p []float32, channels, n int) []float32 {
	rows := make([]float32, channels*n)
	for i := range rows {
		rows[i] = p[(i/n/scan.Lanes*n+i%n)*scan.Lanes+i/n%scan.Lanes]
	}
	return rows
}

func (c *bare) ssd() {
	x, b := c.shape("x"), c.shape("B")
	T, H, P, G, N := x[0], x[1], x[2], b[1], b[2]
	o, s0 := make([]float32, T*H*P), c.initial("S0", H*P*N)
	for h := range H {
		decay, skip := make([]float32, T), make([]float32, P)
		for t := range decay {
			decay[t] = c.in("dt")[t*H+h] * c.in("A")[h]
		}
		vec.Shift(skip, skip, c.in("D")[h])
		a := scan.SSD{
			Y: o[h*P:], YStride: H * P, X: c.in("x")[h*P:], XStride: H * P, B: c.in("B")[h*G/H*N:], BStride: G * N, C: c.in("C")[h*G/H*N:], CStride: G * N,
			Dt: c.in("dt")[h:], DtStride: H, Decay: exp(decay), DecayStride: 1, D: skip, S: panels(s0[h*P*N:(h+1)*P*N], N), Tokens: T, P: P, N: N,
		}
		scan.SSDScan(&a)
		c.out["S"] = append(c.out["S"], unpanels(a.S, P, N)...)
	}
	c.out["o"] = o
}

func (c *bare) mamba1() {
	T, d, N := c.shape("x")[0], c.shape("A")[0], c.shape("A")[1]
	rates := c.in("A")
	for i := range rates {
		rates[i] = float32(float64(rates[i]) * math.Log2E)
	}
	a := scan.Selective{
		Y: make([]float32, T*d), YStride: d, X: c.in("x"), XStride: d, Dt: c.in("dt"), DtStride: d, B: c.in("B"), BStride: N, C: c.in("C"), CStride: N,
		A: panels(rates, N), D: c.in("D"), S: panels(c.initial("h0", d*N), N), Tokens: T, Channels: d, N: N,
	}
	scan.SelectiveScan(&a)
	c.out["o"], c.out["h"] = a.Y, unpanels(a.S, d, N)
}

func (c *bare) featureMaps() {
	shape, ws, arena := c.shape("x"), new(tensor.Workspace), new(tensor.Arena)
	defer arena.Free()
	K := shape[2]
	x := tensor.Mat{Rows: shape[0], Cols: shape[1] * K, Stride: shape[1] * K, Data: c.in("x")}
	proj := func(names ...string) *nn.Linear {
		var parts []tensor.Tensor
		for _, n := range names {
			t, _ := c.ck.Tensor(c.name + "in." + n + ".weight")
			parts = append(parts, t)
		}
		return &nn.Linear{W: tensor.Pack(arena, nil, tensor.FormatAuto, parts...)}
	}
	for of, f := range map[string]*nn.FeatureMap{
		"identity": nil, "relu": {Act: nn.ReLU}, "elu": {Act: nn.ELUPlusOne}, "silu": {Act: nn.SiLU},
		"t2r":      {Kind: nn.MapT2R, Proj: proj("t2r.layer")},
		"hedgehog": {Kind: nn.MapHedgehog, Proj: proj("hedgehog.layer"), Bias: c.in("hedgehog.layer.bias")},
		"elementwise_product": {
			Kind: nn.MapProduct, Proj: proj("elementwise_product.layer1", "elementwise_product.layer2"),
			Bias: append(c.in("elementwise_product.layer1.bias"), c.in("elementwise_product.layer2.bias")...),
		},
		"dpfp": {Kind: nn.MapDPFP},
	} {
		y := f.Features(x, K, ws)
		for i := range y.Rows {
			c.out[of] = append(c.out[of], y.Row(i)...)
		}
	}
}

func (c *bare) shortConv() {
	T, channels, taps := c.shape("x")[0], c.shape("x")[1], c.shape("weight")[2]
	w := nn.NewShortConv(c.in("weight"), channels, taps)
	y, tail := make([]float32, T*channels), c.initial("tail", (taps-1)*channels)
	conv.Causal(y, channels, c.in("x"), channels, w.Weights, c.in("bias"), tail, T, channels)
	c.out["tail"] = tail
	for _, n := range c.ck.Names() {
		switch strings.TrimPrefix(n, c.name+"want.") {
		case "y":
			c.out["y"] = y
		case "y_silu":
			c.out["y_silu"] = make([]float32, len(y))
			vec.SiLU(c.out["y_silu"], y)
		}
	}
}
