package subnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// Adapter is an open low-rank adapter in peft's layout: plain, or a mixture of experts whose gates
// depend on the shape alone. Close releases it.
type Adapter struct {
	Experts int       // 1 for a plain one
	TopK    int       // experts that are mixed
	Widths  []float64 // that the gates know, in their order; nil for a plain one
	Scale   float32   // of the product of the two factors

	ck     *loader.Checkpoint
	router *router
	ranks  map[place]int
}

// adapterConfig is adapter_config.json.
type adapterConfig struct {
	Type        string          `json:"peft_type"`
	Rank        int             `json:"r"`
	Alpha       float64         `json:"lora_alpha"`
	Bias        string          `json:"bias"`
	Targets     json.RawMessage `json:"target_modules"`
	RSLoRA      bool            `json:"use_rslora"`
	DoRA        bool            `json:"use_dora"`
	FanInOut    bool            `json:"fan_in_fan_out"`
	RankPattern map[string]any  `json:"rank_pattern"`
	AlphaMap    map[string]any  `json:"alpha_pattern"`
	Mixture     bool            `json:"use_moe_lora"`
	Experts     int             `json:"num_experts"`
	TopK        int             `json:"top_k"`
	Widths      string          `json:"width_choice"`
}

const (
	maxRank    = 1 << 14
	maxExperts = 1 << 10
)

func (c *adapterConfig) validate() error {
	var errs []error
	that := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	that(c.Type == "LORA", "peft_type: found %.40q, expected LORA", c.Type)
	that(c.Rank >= 1 && c.Rank <= maxRank, "r: found %d, expected 1 to %d", c.Rank, maxRank)
	that(c.Alpha > 0 && c.Alpha < 1e9, "lora_alpha: found %v, expected a positive number", c.Alpha)
	that(c.Bias == "" || c.Bias == "none", "bias: found %.40q, expected none", c.Bias)
	that(!c.DoRA && !c.FanInOut, "use_dora and fan_in_fan_out: expected neither")
	that(len(c.RankPattern)+len(c.AlphaMap) == 0, "rank_pattern and alpha_pattern: expected neither")
	if c.Mixture {
		that(c.Experts >= 1 && c.Experts <= maxExperts, "num_experts: found %d, expected 1 to %d", c.Experts, maxExperts)
		that(c.TopK >= 1 && c.TopK <= c.Experts, "top_k: found %d, expected 1 to %d", c.TopK, c.Experts)
	}
	return errors.Join(errs...)
}

// OpenAdapter opens the adapter of a directory, of adapter_model in it, or of that in the newest
// checkpoint-N in it.
func OpenAdapter(dir string) (*Adapter, error) {
	dir, err := adapterDir(dir)
	if err != nil {
		return nil, fmt.Errorf("subnet: adapter: %w", err)
	}
	ck, err := loader.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("subnet: adapter: %w", err)
	}
	a := &Adapter{ck: ck}
	if err := a.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("subnet: adapter: %s: %w", dir, err), ck.Close())
	}
	return a, nil
}

// Close releases the adapter's file.
func (a *Adapter) Close() error { return a.ck.Close() }

const (
	adapterConfigName = "adapter_config.json"
	adapterSub        = "adapter_model"
)

// adapterDir finds where in a directory the adapter is.
func adapterDir(dir string) (string, error) {
	if _, err := os.Stat(dir); err != nil {
		return "", err
	}
	for _, sub := range []string{dir, filepath.Join(dir, adapterSub)} {
		if exists(filepath.Join(sub, adapterConfigName)) {
			return sub, nil
		}
	}
	newest, found := -1, ""
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		n, ok := strings.CutPrefix(e.Name(), "checkpoint-")
		step, err := strconv.Atoi(n)
		sub := filepath.Join(dir, e.Name(), adapterSub)
		if ok && err == nil && step > newest && exists(filepath.Join(sub, adapterConfigName)) {
			newest, found = step, sub
		}
	}
	if found == "" {
		return "", errors.Join(fmt.Errorf("%s: found no %s in it, in %s or in checkpoint-N/%s", dir, adapterConfigName, adapterSub, adapterSub), err)
	}
	return found, nil
}

// read reads the configuration and looks at the tensors.
func (a *Adapter) read() error {
	b, err := a.ck.File(adapterConfigName)
	if err != nil {
		return err
	}
	var c adapterConfig
	if err = json.Unmarshal(loader.StandardJSON(b), &c); err == nil {
		err = c.validate()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", adapterConfigName, err)
	}
	a.Experts, a.TopK = 1, 1
	a.Scale = float32(c.Alpha / float64(c.Rank))
	if c.RSLoRA {
		a.Scale = float32(c.Alpha / math.Sqrt(float64(c.Rank)))
	}
	if c.Mixture {
		a.Experts, a.TopK = c.Experts, c.TopK
		if a.Widths, err = parseRatios(c.Widths); err != nil {
			return fmt.Errorf("%s: width_choice: %w", adapterConfigName, err)
		}
		if a.router, err = newRouter(a.ck, a.Experts); err != nil {
			return err
		}
	}
	return a.index(c.Rank, c.Mixture)
}

// loraPrefix begins the names of an adapter's factors, and of the matrices that it replaces.
const loraPrefix = "base_model.model."

// index finds the projections that have factors. Their shapes are checked against the base's.
func (a *Adapter) index(rank int, mixture bool) error {
	a.ranks = map[place]int{}
	for _, name := range a.ck.Names() {
		body, ok := strings.CutPrefix(name, loraPrefix)
		module, rest, lora := strings.Cut(body, ".lora_")
		switch {
		case strings.HasPrefix(name, routerPrefix) && mixture, slices.Contains(replaced, body):
		case ok && lora && (strings.HasPrefix(rest, "A.") || strings.HasPrefix(rest, "B.")):
			m := projectionName.FindStringSubmatch(module)
			if m == nil {
				return fmt.Errorf("%.120s: expected the factor of a projection of a layer", name)
			}
			layer, _ := strconv.Atoi(m[1])
			a.ranks[place{layer, m[2]}] = rank
		default:
			return fmt.Errorf("%.120s: not part of an adapter of low-rank factors", name)
		}
	}
	if len(a.ranks) == 0 {
		return errors.New("found no low-rank factors")
	}
	return nil
}

// replaced are the matrices of the base that an adapter may bring anew, with rows for added tokens.
var replaced = []string{"model.embed_tokens.weight", "lm_head.weight"}

// factorName is the name of a factor, "A" or "B".
func (a *Adapter) factorName(at place, factor string, expert int) string {
	if a.router == nil {
		return fmt.Sprintf("%smodel.layers.%d.%s.lora_%s.weight", loraPrefix, at.layer, at.name, factor)
	}
	return fmt.Sprintf("%smodel.layers.%d.%s.lora_%s.%d.weight", loraPrefix, at.layer, at.name, factor, expert)
}

// has reports whether a projection has a correction.
func (a *Adapter) has(at place) bool {
	return a != nil && a.ranks[at] > 0
}

// check tells whether all factors of a projection [out, in] are there and of the right shape.
func (a *Adapter) check(at place, out, in int) error {
	r := a.ranks[at]
	for e := range a.Experts {
		for _, f := range []struct {
			factor string
			shape  []int
		}{{"A", []int{r, in}}, {"B", []int{out, r}}} {
			name := a.factorName(at, f.factor, e)
			t, ok := a.ck.Tensor(name)
			if !ok {
				return fmt.Errorf("adapter: %s: missing, want %v", name, f.shape)
			}
			if !slices.Equal(t.Shape, f.shape) || !t.Type.Float() {
				return fmt.Errorf("adapter: %s: found %v %v, want floats %v", name, t.Type, t.Shape, f.shape)
			}
		}
	}
	return nil
}

// places returns the projections that have a correction, in order.
func (a *Adapter) places() []place {
	return slices.SortedFunc(maps.Keys(a.ranks), func(x, y place) int {
		return (x.layer-y.layer)*2 + strings.Compare(x.name, y.name)
	})
}

// factor returns expert e's factor of a projection.
func (a *Adapter) factor(at place, factor string, e int) tensor.Tensor {
	t, _ := a.ck.Tensor(a.factorName(at, factor, e))
	return t
}
