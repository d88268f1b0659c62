package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/loader"
)

// maxClasses bounds the classes that a model_index.json may name.
const maxClasses = 1 << 20

// index is what a model_index.json says.
type index struct {
	class  string               // of the pipeline
	parts  map[string]component // by name; absent ones are left out
	labels map[int]string       // names of classes, several ones of a class separated by commas
	null   int                  // the class that stands for none, -1 if the file names none
}

// component is the library and the class of a part.
type component struct{ library, class string }

// recipe is what a class of pipelines is made of.
type recipe struct {
	kind  Kind
	parts map[string][]string // the classes that each part may have
	maybe []string            // parts that may be absent
}

var (
	unconditional = recipe{kind: Pixels, parts: map[string][]string{"unet": {"UNet2DModel"}, "scheduler": nil}}
	textToImage   = recipe{
		kind: TextToImage,
		parts: map[string][]string{
			"unet": {"UNet2DConditionModel"}, "vae": {"AutoencoderKL", "AutoencoderTiny"}, "text_encoder": {"CLIPTextModel", "CLIPTextModelWithProjection"},
			"tokenizer": {"CLIPTokenizer", "CLIPTokenizerFast"}, "scheduler": nil,
		},
		maybe: []string{"tokenizer"},
	}
)

// recipes are the pipelines that run, by the name of their class.
var recipes = map[string]recipe{
	"DDPMPipeline":                   unconditional,
	"DDIMPipeline":                   unconditional,
	"PNDMPipeline":                   unconditional,
	"StableDiffusionPipeline":        textToImage,
	"StableDiffusionImg2ImgPipeline": textToImage,
	"StableDiffusionInpaintPipeline": textToImage,
	"LatentConsistencyModelPipeline": textToImage,
	"DiTPipeline": {
		kind: ClassToLatent,
		parts: map[string][]string{
			"transformer": {"DiTTransformer2DModel", "Transformer2DModel"}, "vae": {"AutoencoderKL", "AutoencoderTiny"}, "scheduler": nil,
		},
	},
}

// Parts that judge or name what was drawn, and do not change it; and keys that say nothing of the result.
var (
	unused   = []string{"safety_checker", "feature_extractor", "image_encoder"}
	harmless = []string{"requires_safety_checker", "id2label", "null_class"}
)

// parseIndex reads a model_index.json and holds the parts it names against the recipe of its class.
func parseIndex(data []byte) (*index, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(loader.StandardJSON(data), &keys); err != nil {
		return nil, err
	}
	x := &index{parts: map[string]component{}, labels: map[int]string{}, null: -1}
	if err := json.Unmarshal(keys["_class_name"], &x.class); err != nil {
		return nil, fmt.Errorf("_class_name: found no text, expected the class of a pipeline")
	}
	r, ok := recipes[x.class]
	if !ok {
		return nil, fmt.Errorf("_class_name: found %q, expected one of %s", clip(x.class), strings.Join(slices.Sorted(maps.Keys(recipes)), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if strings.HasPrefix(name, "_") || slices.Contains(unused, name) || slices.Contains(harmless, name) {
			continue
		}
		if err := x.part(r, name, keys[name]); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.parts)) {
		if _, ok := x.parts[name]; !ok && !slices.Contains(r.maybe, name) {
			return nil, fmt.Errorf("%s: found none, %s needs one", name, x.class)
		}
	}
	return x, x.classes(keys)
}

// part reads one part: ["library", "class"], or [null, null] if it is absent.
func (x *index) part(r recipe, name string, raw json.RawMessage) error {
	var pair []*string
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 || (pair[0] == nil) != (pair[1] == nil) {
		return fmt.Errorf("%q: found %s, expected [library, class] or [null, null]", clip(name), clip(string(raw)))
	}
	if pair[0] == nil {
		return nil
	}
	c := component{*pair[0], *pair[1]}
	classes, ok := r.parts[name]
	if !ok {
		return fmt.Errorf("%q: found a part of class %q, which %s does not have", clip(name), clip(c.class), x.class)
	}
	if c.library != "diffusers" && c.library != "transformers" {
		return fmt.Errorf("%s: found library %q, expected diffusers or transformers: code that comes with a model does not run", name, clip(c.library))
	}
	if classes != nil && !slices.Contains(classes, c.class) {
		return fmt.Errorf("%s: found class %q, expected %s", name, clip(c.class), strings.Join(classes, " or "))
	}
	x.parts[name] = c
	return nil
}

// classes reads the names of classes.
func (x *index) classes(keys map[string]json.RawMessage) error {
	var labels map[string]string
	if raw := keys["id2label"]; raw != nil {
		if err := json.Unmarshal(raw, &labels); err != nil {
			return fmt.Errorf("id2label: %w", err)
		}
	}
	for key, label := range labels {
		id, err := strconv.Atoi(key)
		if err != nil || id < 0 || id >= maxClasses {
			return fmt.Errorf("id2label: found class %q, expected a number from 0 to %d", clip(key), maxClasses-1)
		}
		x.labels[id] = label
	}
	if raw := keys["null_class"]; raw != nil && string(raw) != "null" {
		if err := json.Unmarshal(raw, &x.null); err != nil || x.null < 0 || x.null >= maxClasses {
			return fmt.Errorf("null_class: found %s, expected a number from 0 to %d", clip(string(raw)), maxClasses-1)
		}
	}
	return nil
}

// clip shortens what a file says for an error.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
