package mminfer

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
)

// gunzip opens a compressed file of testdata.
func gunzip(t *testing.T, name string) io.Reader {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// samplingOf returns the parameters of a golden: absent is off, and a top-p of 0, which is off
// here, keeps one token there.
func samplingOf(order string, p golden.SamplingParams) Sampling {
	s := Sampling{
		Temperature: 1, TopK: p.TopK, MinP: p.MinP, Typical: p.Typical, Order: Order(order),
		RepetitionPenalty: p.Repetition, FrequencyPenalty: p.Frequency, PresencePenalty: p.Presence,
	}
	if p.Temperature != nil {
		s.Temperature = *p.Temperature
	}
	if p.TopP != nil {
		s.TopP = max(*p.TopP, math.SmallestNonzeroFloat64)
	}
	if p.LogitBias != nil {
		s.LogitBias = map[int32]float64{}
		for _, b := range p.LogitBias {
			s.LogitBias[int32(b[0])] = b[1]
		}
	}
	return s
}

// TestSamplingGoldens compares every stage of every order.
func TestSamplingGoldens(t *testing.T) {
	cases, err := golden.SamplingCases(gunzip(t, "sampling.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, c := range cases {
		for order, stages := range c.Stages() {
			for _, want := range stages {
				params, history, err := c.Through(order, want.Stage)
				if err != nil {
					t.Fatal(err)
				}
				p := samplingOf(order, params)
				kept, probs, err := p.Distribution(golden.Logits(c.Logits), history)
				if err == nil {
					err = want.Compare(kept, probs)
				}
				if err != nil {
					t.Errorf("case %d, %s %s: %v", c.ID, order, want.Stage, err)
				}
				compared[order]++
			}
		}
	}
	if compared["transformers"] != 495 || compared["llama.cpp"] != 563 || compared["mamba"] != 100 {
		t.Errorf("compared %v, which is not all there is", compared)
	}
}

// TestTopPThreshold: what makes up exactly 1-p is dropped, the higher ids first.
func TestTopPThreshold(t *testing.T) {
	for p, want := range map[float64]int{0.25: 1, 0.5: 2, 0.625: 3, 0.75: 3, 0.9: 4} {
		var s sampler
		s.penalise(make([]float32, 4), nil, &Sampling{})
		s.filter(&Sampling{Temperature: 1, TopP: p}, 0)
		if len(s.kept) != want || s.kept[want-1].id != int32(want-1) {
			t.Errorf("top-p %v of four equal tokens keeps %v, want the first %d", p, s.kept, want)
		}
	}
}

// TestLogProbGoldens compares argmax, log-probabilities, the most probable tokens and divergences.
func TestLogProbGoldens(t *testing.T) {
	var g golden.LogProbs
	raw, err := io.ReadAll(gunzip(t, "logprobs.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	var s sampler
	for i, c := range g.Greedy {
		biased := Sampling{LogitBias: map[int32]float64{0: 0}} // the other path to the argmax
		for _, p := range []Sampling{{}, biased} {
			if got, err := s.next(golden.Logits(c.Logits), nil, &p); err != nil || got != c.ArgMax {
				t.Errorf("greedy %d: token %d, %v, want %d", i, got, err, c.ArgMax)
			}
		}
	}
	for i, c := range g.Perplexity {
		for j, row := range c.Logits {
			logits := golden.Logits(row)
			if got, want := LogProbOf(logits, c.Targets[j]), float64(c.LogProbs[j]); !golden.Close(got, want) {
				t.Errorf("perplexity %d, row %d: %v, want %v", i, j, got, want)
			}
			if len(c.Top) == 0 {
				continue
			}
			top := TopLogProbs(logits, len(c.Top[j]))
			for k, want := range c.Top[j] {
				if top[k].ID != int32(want[0]) || !golden.Close(top[k].LogProb, float64(want[1])) {
					t.Errorf("perplexity %d, row %d: %v is the most probable but %d, want %v", i, j, top[k], k, want)
				}
			}
		}
	}
	for i, c := range g.KLD {
		if got := Divergence(golden.Logits(c.Ref), golden.Logits(c.Logits)); !golden.Close(got, c.KLD) {
			t.Errorf("divergence %d: %v, want %v", i, got, c.KLD)
		}
	}
}

// TestTopLogProbs checks the edges: none, more than there are, ties.
func TestTopLogProbs(t *testing.T) {
	logits := []float32{1, 3, 3, float32(math.Inf(-1)), 2}
	for n, want := range [][]int32{{}, {1}, {1, 2}, {1, 2, 4}, {1, 2, 4, 0}, {1, 2, 4, 0, 3}, {1, 2, 4, 0, 3}} {
		var got []int32
		for _, lp := range topLogProbs(logits, n, 0) {
			got = append(got, lp.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d most probable: %v, want %v", n, got, want)
		}
	}
}

// TestDraw compares frequencies with probabilities by the chi-squared statistic, whose mean is the
// degrees of freedom and whose variance twice that; five deviations are beyond chance.
func TestDraw(t *testing.T) {
	logits := []float32{0, 1, 2, float32(math.Inf(-1)), 3, -1, 2.5, 0.5}
	for _, p := range []Sampling{{Temperature: 1}, {Temperature: 0.5}, {Temperature: 3, MinP: 0.2}, {Temperature: 1, TopP: 0.8}, {Temperature: 2, TopK: 3}} {
		const draws = 20_000
		var s sampler
		count := map[int32]int{}
		for range draws {
			id, err := s.next(logits, nil, &p)
			if err != nil {
				t.Fatal(err)
			}
			count[id]++
		}
		chi, sum := 0.0, 0.0
		for _, c := range s.kept {
			expected := draws * c.p
			chi += math.Pow(float64(count[c.id])-expected, 2) / expected
			sum += c.p
			delete(count, c.id)
		}
		freedom := float64(len(s.kept) - 1)
		if !(chi <= freedom+5*math.Sqrt(2*freedom)) || len(count) != 0 || math.Abs(sum-1) > 1e-12 {
			t.Errorf("%+v: χ² = %.1f of %v, sum %v, drawn beyond what is kept: %v", p, chi, freedom, sum, count)
		}
	}
}

// TestDrawWalk: the token drawn is the first by id whose cumulative probability exceeds the
// generator's number.
func TestDrawWalk(t *testing.T) {
	logits := []float32{2, 0, 1, 2}
	var s sampler
	s.rng.Seed(3, 4)
	rng := rand.NewPCG(3, 4)
	for range 1000 {
		got, err := s.next(logits, nil, &Sampling{Temperature: 1})
		if err != nil {
			t.Fatal(err)
		}
		u, want, sum := float64(rng.Uint64()>>11)/(1<<53), 0, 0.0
		total := 2*math.Exp(2) + 1 + math.E
		for want = range logits {
			if sum += math.Exp(float64(logits[want])) / total; sum > u {
				break
			}
		}
		if int(got) != want {
			t.Fatalf("drew %d at %v, want %d", got, u, want)
		}
	}
}

func TestSamplerNotANumber(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	every := map[int32]float64{}
	for i := range int32(40) {
		every[i] = math.Inf(-1)
	}
	var s sampler
	for name, p := range map[string]Sampling{
		"greedy": {}, "drawn": {Temperature: 1}, "penalised": {RepetitionPenalty: 1.2, Temperature: 0.7, TopK: 3, TopP: 0.9, MinP: 0.1},
	} {
		for at := range 40 {
			logits := make([]float32, 40)
			logits[at] = nan
			if _, err := s.next(logits, []int32{1, 2}, &p); !errors.Is(err, ErrNaN) || !strings.Contains(err.Error(), "at token 2") {
				t.Fatalf("%s: a NaN at %d gives %v", name, at, err)
			}
			logits[at] = inf
			if got, err := s.next(logits, []int32{1, 2}, &p); err != nil || int(got) != at {
				t.Fatalf("%s: +Inf at %d gives %d, %v", name, at, got, err)
			}
			for i := range logits {
				logits[i] = -inf
			}
			if _, err := s.next(logits, []int32{1, 2}, &p); !errors.Is(err, ErrNaN) {
				t.Fatalf("%s: nothing but -Inf gives %v", name, err)
			}
			logits[at] = -1e30
			if got, err := s.next(logits, []int32{1, 2}, &p); err != nil || int(got) != at {
				t.Fatalf("%s: the only token is %d, got %d, %v", name, at, got, err)
			}
		}
		p.LogitBias = every
		if _, err := s.next(make([]float32, 40), nil, &p); err == nil || !strings.Contains(err.Error(), "excludes every token") {
			t.Errorf("%s: a bias that excludes every token gives %v", name, err)
		}
	}
}

// TestSamplerExtremes gives numbers that are legal and absurd: some token must come out, and none
// that is excluded.
func TestSamplerExtremes(t *testing.T) {
	tiny, huge := math.SmallestNonzeroFloat64, math.MaxFloat64
	logits := []float32{5, 4, 3, float32(math.Inf(-1)), -2}
	for _, p := range []Sampling{
		{Temperature: tiny}, {Temperature: 1e-300, TopP: 0.5}, {Temperature: huge}, {Temperature: huge, MinP: 1},
		{Temperature: 1, TopP: tiny}, {Temperature: 1, MinP: 1}, {Temperature: 1, TopK: math.MaxInt},
		{Temperature: 1, RepetitionPenalty: tiny}, {Temperature: 1, RepetitionPenalty: huge},
		{Temperature: 1, FrequencyPenalty: huge}, {Temperature: 1, FrequencyPenalty: -huge},
		{Temperature: 1, RepetitionPenalty: tiny, FrequencyPenalty: huge, PresencePenalty: huge},
		{Temperature: 1, LogitBias: map[int32]float64{2: huge}}, {Temperature: 1, LogitBias: map[int32]float64{0: -huge, 1: math.Inf(-1)}},
		{LogitBias: map[int32]float64{0: math.Inf(-1)}},
	} {
		if err := p.check(len(logits)); err != nil {
			t.Fatal(err)
		}
		var s sampler
		for range 50 {
			id, err := s.next(logits, []int32{0, 0, 1, 4}, &p)
			if err != nil || id == 3 || math.IsInf(p.LogitBias[id], -1) {
				t.Fatalf("%+v: token %d, %v", p, id, err)
			}
			if z, ok := p.LogitBias[2]; ok && z == huge && id != 2 || p.Temperature == tiny && p.TopP == 0 && id != 0 {
				t.Fatalf("%+v: token %d", p, id)
			}
		}
	}
}

func TestSamplingCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for want, bad := range map[string][]Sampling{
		"temperature":        {{Temperature: -1}, {Temperature: nan}, {Temperature: inf}},
		"top-k":              {{TopK: -1}},
		"top-p":              {{TopP: -0.1}, {TopP: 1.1}, {TopP: nan}},
		"min-p":              {{MinP: -0.1}, {MinP: 1.1}, {MinP: nan}},
		"typical":            {{Typical: -0.1}, {Typical: 1.1}, {Typical: nan}},
		"order":              {{Order: "vllm"}},
		"min-p and typical":  {{Order: OrderMamba, MinP: 0.1}, {Order: OrderMamba, Typical: 0.1}},
		"repetition penalty": {{RepetitionPenalty: -1}, {RepetitionPenalty: nan}, {RepetitionPenalty: inf}},
		"frequency penalty":  {{FrequencyPenalty: nan}, {FrequencyPenalty: -inf}},
		"presence penalty":   {{PresencePenalty: nan}, {PresencePenalty: inf}},
		"penalty window":     {{PenaltyLast: -1}},
		"logit bias of token": {
			{LogitBias: map[int32]float64{-1: 1}}, {LogitBias: map[int32]float64{10: 1}},
			{LogitBias: map[int32]float64{1: nan}}, {LogitBias: map[int32]float64{1: inf}},
		},
	} {
		for _, p := range bad {
			if err := p.check(10); err == nil || !strings.HasPrefix(err.Error(), "mminfer: "+want+": ") && !strings.HasPrefix(err.Error(), "mminfer: "+want+" ") {
				t.Errorf("%+v: %v, want an error about %s", p, err, want)
			}
		}
	}
	full := Sampling{1, 40, 1, 1, 0.9, "", 1.1, -2, 2, 64, map[int32]float64{0: -inf, 9: 100}}
	if err := full.check(10); err != nil {
		t.Error(err)
	}
}

// TestSamplerAllocations: after the first token nothing is allocated, whatever the stages.
func TestSamplerAllocations(t *testing.T) {
	logits, rng := make([]float32, 5000), rand.New(rand.NewPCG(1, 1))
	for i := range logits {
		logits[i] = float32(rng.NormFloat64())
	}
	history := []int32{1, 2, 3, 1}
	for _, p := range []Sampling{
		{}, {Temperature: 0.8}, {Temperature: 0.8, TopK: 40, TopP: 0.9, MinP: 0.05, Typical: 0.9, RepetitionPenalty: 1.1, FrequencyPenalty: 0.1, LogitBias: map[int32]float64{7: 1}},
		{Temperature: 0.8, TopK: 40, TopP: 0.9, Typical: 0.9, Order: OrderLlamaCPP},
	} {
		var s sampler
		n := testing.AllocsPerRun(1, func() {
			for range 20 {
				if _, err := s.next(logits, history, &p); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("%+v: %v allocations in 20 tokens", p, n)
		}
	}
}

// TestExp compares with the library over the whole range, denormal results included.
func TestExp(t *testing.T) {
	for x := 0.0; x > -760; x -= 0.0137 {
		got, want := exp(x), math.Exp(x)
		if !(math.Abs(got-want) <= 4*0x1p-53*want+math.SmallestNonzeroFloat64) {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if exp(0) != 1 || exp(math.Inf(-1)) != 0 || exp(-1e308) != 0 {
		t.Error("exp is wrong at its ends")
	}
}
