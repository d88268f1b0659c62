package loader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/tensor"
)

const (
	packedKey     = "quantization_config" // of config.json
	packedMethod  = "mminfer"
	packedVersion = 1

	// TokenizerGGUF is the file of a packed checkpoint that has the metadata of the GGUF file it was
	// made of, and with it the tokenizer.
	TokenizerGGUF = "tokenizer.gguf"
)

// Packing is what config.json says of a checkpoint whose weights are packed: the value of its
// quantization_config.
type Packing struct {
	Method  string                   `json:"quant_method"` // mminfer
	Version int                      `json:"version"`      // 1
	Format  string                   `json:"format"`       // what the weights were packed in, and those that are not are to be
	Tensors map[string]PackedWeights `json:"tensors"`
}

// PackedWeights says how a tensor of bytes holds a matrix: see [tensor.PackedTensor].
type PackedWeights struct {
	Shape []int       `json:"shape"` // of the matrix
	Runs  []PackedRun `json:"rows"`  // one below the other
}

// PackedRun is a run of rows in one format.
type PackedRun struct {
	Format string `json:"format"`
	Rows   int    `json:"n"`
}

// AddPacking returns config.json with the value of quantization_config set.
func AddPacking(config []byte, p Packing) ([]byte, error) {
	p.Method, p.Version = packedMethod, packedVersion
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, fmt.Errorf("loader: config.json: %w", err)
	}
	if _, ok := keys[packedKey]; ok {
		return nil, fmt.Errorf("loader: config.json: found a %s already, expected weights that are not quantised; start from the original", packedKey)
	}
	var err error
	if keys[packedKey], err = json.Marshal(p); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(keys, "", " ")
	if err == nil && len(out) > maxConfig {
		err = fmt.Errorf("loader: config.json: found %d bytes for %d tensors, expected at most %d", len(out), len(p.Tensors), maxConfig)
	}
	return out, err
}

// Format returns the format that config.json says packed weights have, [tensor.FormatAuto] if they
// are not packed.
func (c *Checkpoint) Format() tensor.Format { return c.format }

// unpack makes matrices of the bytes that config.json says are packed, and takes what it says out
// of the configuration.
func (c *Checkpoint) unpack() error {
	p, rest, err := splitPacking(c.config)
	if err == nil && p != nil {
		c.config = rest
		err = c.applyPacking(p)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w; quantise the original again", c.dir.path("config.json"), packedKey, err)
	}
	return nil
}

// splitPacking returns quantization_config if it is of our own method, and the configuration without.
func splitPacking(config []byte) (*Packing, []byte, error) {
	if !bytes.Contains(config, []byte(packedKey)) {
		return nil, nil, nil
	}
	var keys map[string]json.RawMessage
	var method struct {
		Method any `json:"quant_method"`
	}
	if json.Unmarshal(config, &keys) != nil || json.Unmarshal(keys[packedKey], &method) != nil || method.Method != packedMethod {
		return nil, nil, nil // the model says what it thinks of it
	}
	d := json.NewDecoder(bytes.NewReader(keys[packedKey]))
	d.DisallowUnknownFields()
	p := new(Packing)
	if err := d.Decode(p); err != nil {
		return nil, nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if p.Version != packedVersion {
		return nil, nil, fmt.Errorf("version: found %d, expected %d", p.Version, packedVersion)
	}
	delete(keys, packedKey)
	rest, err := json.Marshal(keys)
	return p, rest, err
}

// applyPacking replaces tensors of bytes. The first error by name is told.
func (c *Checkpoint) applyPacking(p *Packing) (err error) {
	c.packed = true
	if c.format, err = packedFormat(p.Format); err != nil {
		return err
	}
	var names []string
	for name := range p.Tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t, err := c.matrix(name, p.Tensors[name])
		if err != nil {
			return fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		c.tensors[c.names[name]] = t
	}
	return nil
}

func (c *Checkpoint) matrix(name string, w PackedWeights) (tensor.Tensor, error) {
	i, ok := c.names[name]
	if !ok {
		return tensor.Tensor{}, errors.New("found none of that name in the weights")
	}
	t := c.tensors[i]
	if t.Type != tensor.U8 || len(t.Shape) != 1 {
		return t, fmt.Errorf("found %s %v in the weights, expected U8 of one dimension", t.Type, t.Shape)
	}
	if len(w.Shape) > maxRank {
		return t, fmt.Errorf("shape: found %d dimensions, expected at most %d", len(w.Shape), maxRank)
	}
	var runs []tensor.PackedRows
	for _, r := range w.Runs {
		f, err := packedFormat(r.Format)
		if err != nil {
			return t, err
		}
		runs = append(runs, tensor.PackedRows{Format: f, Rows: r.Rows})
	}
	return tensor.PackedTensor(name, w.Shape, runs, t.Data)
}

// packedFormat returns the format of the given name.
func packedFormat(name string) (tensor.Format, error) {
	f, err := tensor.ParseFormat(name)
	if err != nil {
		return f, fmt.Errorf("format: found %s, expected that of weights, such as q8 or q4", quote(name))
	}
	return f, nil
}

// loadTokenizerGGUF takes the metadata of the file beside a packed checkpoint, if it has one.
func (c *Checkpoint) loadTokenizerGGUF(o options) error {
	f, err := readGGUF(c.dir, TokenizerGGUF, o.header)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.gguf = f.gguf; f.unmap != nil {
		c.unmap = append(c.unmap, f.unmap)
	}
	return nil
}
