package models_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

const (
	mmMamba       = "testdata/golden/mmmamba_linear"
	mmMambaHybrid = "testdata/golden/mmmamba_hybrid"
)

// under returns the checkpoint with a key of a part of its configuration set.
func (c checkpoint) under(t testing.TB, part, key, value string) checkpoint {
	t.Helper()
	if part == "" {
		return c.set(t, map[string]string{key: value})
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(c.config, &object); err != nil {
		t.Fatal(err)
	}
	inner := checkpoint{config: object[part]}.set(t, map[string]string{key: value})
	return c.set(t, map[string]string{part: string(inner.config)})
}

func TestMMMambaRefused(t *testing.T) {
	const first, then = "embedding_config", "llm_config"
	good := load(t, mmMambaHybrid)
	for _, c := range []struct{ part, key, value, want string }{
		{"", first, ``, "embedding_config and llm_config: expected both"},
		{"", first, `7`, "embedding_config: found number, expected an object"},
		{"", then, `null`, "embedding_config and llm_config: expected both"},
		{"", "downsample_ratio", `0.25`, "downsample_ratio: found 0.25, expected 0.5"},
		{"", "force_image_size", `35`, "force_image_size: 35 pixels are an odd number of patches of 7"},
		{"", "force_image_size", `7`, "force_image_size: found 7, expected 14 to"},
		{"", "tie_word_embeddings", `true`, "tie_word_embeddings: found true"},
		{"", "max_dynamic_patch", `0`, "max_dynamic_patch: found 0, expected 1 to"},
		{first, "use_ls", ``, "use_ls: found true, or nothing; expected false"},
		{first, "use_pixel_shuffle_proj", ``, "use_pixel_shuffle_proj: found false, or nothing; expected true"},
		{first, "pixel_shuffle_loc", `"post"`, `pixel_shuffle_loc: found "post", expected "pre"`},
		{first, "special_token_maps", `{"<x>": 200}`, "special_token_maps: found 1 entries, expected none"},
		{first, "num_channels", `1`, "num_channels: found 1, expected 3"},
		{first, "llm_vocab_size", `130`, "llm_vocab_size: found 130, expected llm_config.vocab_size, 131"},
		{first, "hidden_size", `30`, "hidden_size: the modules have 30 and 36"},
		{first, "img_context_token_id", `131`, "img_context_token_id: found 131, expected 0 to 130"},
		{first, "patch_size", `0`, "patch_size: found 0, expected 1 to"},
		{first, "image_size", `9000`, "image_size: found 9000, expected 7 to 8192"},
		{first, "num_attention_heads", `5`, "embedding_config: num_attention_heads: 5 does not divide hidden_size 36"},
		{first, "attention_bias", `true`, "embedding_config: attention_bias: found true; this architecture is not known to have that"},
		{first, "layers_block_type", `["mha"]`, "embedding_config: layers_block_type: found 1, expected 8"},
		{then, "layers_block_type", `["rwkv", "mha", "mha", "mha", "mha"]`, `llm_config: layers_block_type: block 0 is "rwkv", expected mamba2 or mha`},
		{then, "num_attention_heads", `12`, "llm_config: partial_rotary_factor: 3 of 3 dimensions are rotated"},
		{then, "rope_theta", `0`, "llm_config: rope_theta: found 0, expected a number above 1"},
		{then, "rms_norm_eps", `0`, "llm_config: rms_norm_eps: found 0, expected a positive number"},
		{then, "hidden_act", `"gelu"`, `llm_config: hidden_act: found "gelu", expected silu`},
		{then, "tie_word_embeddings", `true`, "tie_word_embeddings: found true"},
		{then, "num_hidden_layers", `0`, "llm_config: num_hidden_layers: found 0"},
		// Legal on their own, but not what the tensors are.
		{first, "image_size", `35`, "position_embedding: shape [1 17 36], want [1 26 36]"},
		{then, "num_hidden_layers", ``, "layers_block_type: found 5, expected 32"},
	} {
		name := c.part + "." + c.key + ": " + c.value
		if text := failure(t, name, good.under(t, c.part, c.key, c.value)); text != "" && !strings.Contains(text, c.want) {
			t.Errorf("%s: found %.300q, want %q", name, text, c.want)
		}
	}
}

// What changes nothing is accepted, and gives the same numbers.
func TestMMMambaAccepted(t *testing.T) {
	good := load(t, mmMambaHybrid)
	as := build(t, good)
	want := advance(t, as, as.NewState(), 3, 5, 7)
	for _, c := range []struct {
		part, key, value string
		notes            int
	}{
		{"", "architectures", `["mmMambaChatModel"]`, 0},
		{"", "force_image_size", `null`, 0},
		{"llm_config", "rope_scaling", `{"type": "linear", "factor": 2.0}`, 0},
		{"llm_config", "bias", `true`, 0},
		{"llm_config", "layers_block_type", `["mha", "mha", "mamba2", "mamba2", "mamba2"]`, 2},
		{"embedding_config", "layers_block_type", ``, 0},
	} {
		m := build(t, good.under(t, c.part, c.key, c.value))
		if len(m.Notes) != c.notes {
			t.Errorf("%s: notes %q, expected %d", c.key, m.Notes, c.notes)
		}
		sameFloats(t, c.key, advance(t, m, m.NewState(), 3, 5, 7), want)
	}
	m := build(t, good.under(t, "llm_config", "layers_block_type", `["mamba2", "mamba2", "mamba2", "mamba2", "mha"]`))
	if want := "model.layers.0: its tensors are those of mha, although layers_block_type says mamba2"; !slices.Contains(m.Notes, want) {
		t.Errorf("notes %q, want %q", m.Notes, want)
	}
}

// build builds the model of a checkpoint in memory.
func build(t testing.TB, c checkpoint) *models.Model {
	t.Helper()
	m, err := models.New(c, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Rows stand only at tokens made for them, and nothing has changed where they do not.
func TestRows(t *testing.T) {
	need(t)
	m, other := open(t, mmMamba, models.Options{}), open(t, small, models.Options{})
	about, ok := m.Pictures()
	if !ok || about.Token != 122 || about.Size != 28 || about.Rows != 4 || about.MaxTiles != 12 || !about.Thumbnail {
		t.Fatalf("%+v, %v", about, ok)
	}
	if _, ok := other.Pictures(); ok {
		t.Error("a model without pictures has some")
	}
	rows := func(n, width int) tensor.Mat { return tensor.NewMat(n, width) }
	ids, at := []int32{1, 122, 122, 5, 122}, func(at int, m tensor.Mat) models.Rows { return models.Rows{At: at, Mat: m} }
	for _, c := range []struct {
		rows []models.Rows
		want string
	}{
		{[]models.Rows{at(0, rows(2, 36))}, "a row of a picture stands at token 0, which is 1, expected 122"},
		{[]models.Rows{at(1, rows(3, 36))}, "stands at token 3, which is 5"},
		{[]models.Rows{at(4, rows(2, 36))}, "2 rows of 36 from token 4 on, of 5 tokens of 36"},
		{[]models.Rows{at(-1, rows(1, 36))}, "from token -1 on"},
		{[]models.Rows{at(1, rows(1, 35))}, "1 rows of 35 from token 1 on"},
		{[]models.Rows{at(1, rows(2, 36)), at(3, rows(1, 36))}, "stands at token 3"},
		{[]models.Rows{at(1, rows(2, 36)), at(4, rows(1, 36))}, ""},
	} {
		s := m.NewState()
		b := models.Batch{Seqs: []models.Seq{{IDs: ids, State: s, Rows: c.rows}}}
		err := m.Forward(&b, new(tensor.Workspace))
		if c.want == "" {
			if err != nil || s.Pos() != 5 {
				t.Errorf("%v at %d", err, s.Pos())
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) || s.Pos() != 0 {
			t.Errorf("%v at %d, want %q", err, s.Pos(), c.want)
		}
	}
	b := models.Batch{Seqs: []models.Seq{{IDs: []int32{1}, State: other.NewState(), Rows: []models.Rows{at(0, rows(1, 36))}}}}
	if err := other.Forward(&b, new(tensor.Workspace)); err == nil || !strings.Contains(err.Error(), "takes no pictures") {
		t.Errorf("rows for another model: %v", err)
	}
}

func TestTilesRefused(t *testing.T) {
	need(t)
	m, ws := open(t, mmMamba, models.Options{}), new(tensor.Workspace)
	bad := make([]float32, 3*28*28)
	bad[5] = float32(math.NaN())
	for _, c := range []struct {
		dst   tensor.Mat
		tiles []float32
		side  int
		want  string
	}{
		{tensor.NewMat(4, 36), make([]float32, 3*35*35), 35, "tiles of 35 pixels: expected an even number of patches of 7"},
		{tensor.NewMat(4, 36), nil, 0, "tiles of 0 pixels"},
		{tensor.NewMat(4, 36), make([]float32, 3*28*28+1), 28, "1 tiles of 28 pixels in 2353 numbers"},
		{tensor.NewMat(3, 36), make([]float32, 3*28*28), 28, "make 4 rows of 36, found room for 3 of 36"},
		{tensor.NewMat(4, 36), bad, 28, "tiles: number 5 is NaN"},
		{tensor.NewMat(4, 36), make([]float32, 3*28*28), 28, ""},
	} {
		err := m.Tiles(c.dst, c.tiles, c.side, ws)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("side %d: %v, want %q", c.side, err, c.want)
		}
	}
	if err := open(t, small, models.Options{}).Tiles(tensor.Mat{}, nil, 28, ws); err == nil || !strings.Contains(err.Error(), "takes no pictures") {
		t.Errorf("a model without pictures: %v", err)
	}
}

// HoVLE has the tensors of an mmMamba of attentions alone, and a rope_scaling that counts.
func TestHoVLE(t *testing.T) {
	good := load(t, "testdata/golden/hovle")
	m := build(t, good)
	if fixed, attentions := m.LayerKinds(); fixed != 0 || attentions != 12 || len(m.Notes) != 0 {
		t.Errorf("%d layers with a fixed state, %d with keys and values, notes %q", fixed, attentions, m.Notes)
	}
	want := advance(t, m, m.NewState(), 3, 5, 7)
	for value, same := range map[string]bool{`null`: true, `{"type": "dynamic", "factor": 2.0}`: true, `{"type": "linear", "factor": 2.0}`: false} {
		scaled := build(t, good.under(t, "llm_config", "rope_scaling", value))
		if got := advance(t, scaled, scaled.NewState(), 3, 5, 7); slices.Equal(got, want) != same {
			t.Errorf("rope_scaling %s: the same numbers: %v, expected %v", value, !same, same)
		}
	}
	for _, c := range []struct{ part, key, value, want string }{
		{"", "embedding_config", ``, "of the models of this type only HoVLE is supported"},
		{"llm_config", "rope_scaling", `{"type": "odd"}`, `llm_config: rope_scaling: found type "odd"`},
		{"llm_config", "rope_scaling", `7`, "llm_config: "},
	} {
		if text := failure(t, c.key, good.under(t, c.part, c.key, c.value)); !strings.Contains(text, c.want) {
			t.Errorf("%s: found %.300q, want %q", c.key, text, c.want)
		}
	}
}
