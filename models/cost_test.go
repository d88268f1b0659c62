package models_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
)

// A token multiplies with every matrix of the layers, except that it visits only some memories or
// experts.
func TestMulAddsPerStep(t *testing.T) {
	vectors := regexp.MustCompile(`\.(bonus|r_k|x_bias|A_log)$`) // no matrices that multiply
	perMemory := regexp.MustCompile(`\.(?:(?:[kvfab]|gk)_proj|experts)\.(\d+)\.`)
	goldens(t, func(t *testing.T, dir string) {
		ck, err := loader.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer ck.Close()
		var c struct {
			TopK      int  `json:"topk"`
			PerTok    int  `json:"num_experts_per_tok"`
			PerTokens int  `json:"num_experts_per_token"`
			Heads     int  `json:"num_heads"`
			KVHeads   int  `json:"num_kv_heads"`
			Shared    bool `json:"shared_mem"`
		}
		if err := json.Unmarshal(ck.Config(), &c); err != nil {
			t.Fatal(err)
		}
		chosen := max(c.TopK, c.PerTok, c.PerTokens)
		if chosen == 0 {
			chosen = 2 // the default of mixtures of memories
		}
		var always, visited int64
		memories := map[string]bool{}
		for _, name := range ck.Names() {
			w, _ := ck.Tensor(name)
			memory := perMemory.FindStringSubmatch(name)
			router, _ := ck.Tensor(regexp.MustCompile(`attn\..*`).ReplaceAllString(name, "attn.gate.weight"))
			switch shared := strings.Index(name, "shared_transformer."); {
			case strings.Contains(name, "block_sparse_moe") && len(w.Shape) == 3: // all experts in one tensor
				always += int64(w.Elements() * chosen / w.Shape[0])
			case shared >= 0 && len(w.Shape) == 2 && !strings.Contains(name, "_adapter_list"): // an adapter for each use
				for _, n := range ck.Names() {
					if strings.HasPrefix(n, name[:shared]) && strings.Contains(n, "gate_up_proj_adapter_list") && strings.HasSuffix(n, ".0.weight") {
						always += int64(w.Elements())
					}
				}
			case !strings.Contains(name, ".layers.") && !strings.Contains(name, ".encoder.") || len(w.Shape) != 2 || vectors.MatchString(name):
			case strings.Contains(name, ".feature_map"): // of every head, in every memory visited
				heads, keys := c.Heads, c.KVHeads
				if keys == 0 {
					keys = heads
				}
				if strings.Contains(name, ".feature_map_k") {
					heads = keys
				} else if strings.Contains(name, ".feature_map.") {
					heads += keys
				}
				visits := 1
				if router.Data != nil {
					visits = chosen
					if c.Shared {
						visits++
					}
				}
				always += int64(heads*visits) * int64(w.Elements())
			case memory != nil && router.Data != nil && memory[1] == strconv.Itoa(router.Shape[0]): // the shared memory
				always += int64(w.Elements())
			case memory != nil:
				memories[memory[1]] = true
				visited += int64(w.Elements())
			default:
				always += int64(w.Elements())
			}
		}
		if visited > 0 {
			always += visited * int64(chosen) / int64(len(memories))
		}
		m := open(t, dir, models.Options{})
		layers, head := m.MulAddsPerStep()
		if layers != always || head != int64(m.Vocab*m.Width) {
			t.Errorf("found %d and %d in the head, expected %d and %d", layers, head, always, m.Vocab*m.Width)
		}
	})
}
