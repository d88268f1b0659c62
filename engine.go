package mminfer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/tokenizer"
	"github.com/mminfer/mminfer/vision"
)

// Engine is a loaded model. It is safe for concurrent use; each [Session] is not.
type Engine struct {
	model       *models.Model
	checkpoint  *loader.Checkpoint
	tokenizer   *tokenizer.Tokenizer // nil if the directory has none
	generation  generationConfig
	fingerprint [sha256.Size]byte
	pool        *tensor.Pool
	vocabulary  vocabulary // for constraints

	family *family // nil unless the model is a subnet
	subnet *subnet.Subnet

	normalization vision.Normalization // of pictures

	template    *ChatTemplate
	templateErr error // why there is none

	closing sync.RWMutex // held for reading while computing
	closed  bool

	workspaces struct {
		sync.Mutex
		idle []*workspace
	}
}

// workspace is the scratch of one computation.
type workspace struct {
	ws    tensor.Workspace
	batch models.Batch
}

// Open loads the model directory dir: config.json, safetensors weights, and, where present, the
// tokenizer, see [tokenizer.Open], and generation_config.json. Or it loads a GGUF file, by its own path
// or as the only one in a directory without config.json: see [loader.Open].
func Open(dir string, opts ...Option) (*Engine, error) {
	ck, err := loader.Open(dir)
	return newEngine(ck, err, opts)
}

// OpenFS loads a model directory or GGUF file of a file system, such as an embed.FS or a zip archive.
func OpenFS(fsys fs.FS, dir string, opts ...Option) (*Engine, error) {
	ck, err := loader.OpenFS(fsys, dir)
	return newEngine(ck, err, opts)
}

func newEngine(ck *loader.Checkpoint, err error, opts []Option) (*Engine, error) {
	if err != nil {
		return nil, err
	}
	o, start := newOptions(opts), time.Now()
	e := &Engine{checkpoint: ck, pool: tensor.NewPool(o.threads)}
	if err := e.load(o); err != nil {
		if e.family != nil {
			err = errors.Join(err, e.family.close())
		}
		e.pool.Close()
		return nil, errors.Join(err, ck.Close())
	}
	o.logger.Info("model loaded", "type", e.model.Type, "parameters", e.model.Params, "format", e.model.Format.String(),
		"bytes", e.weightBytes(), "state_bytes", 4*e.model.StateFloats(), "seconds", time.Since(start).Seconds())
	return e, nil
}

// loadTokenizer opens the tokenizer, if there is one, and returns what it was made of.
func (e *Engine) loadTokenizer() (files [][]byte, err error) {
	if g := e.checkpoint.GGUF(); g != nil {
		files = make([][]byte, 1)
		e.tokenizer, files[0], err = ggufTokenizer(g)
		return files, err
	}
	e.tokenizer, err = tokenizer.Open(func(name string) ([]byte, error) {
		b, err := e.checkpoint.File(name)
		files = append(files, b)
		return b, err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return files, err
}

// load builds the model and reads the files beside it. It does so at the same time: a large vocabulary takes as long as
// the checksum of a gigabyte of weights.
func (e *Engine) load(o options) error {
	var files [][]byte
	var besideErr, err error
	pool := tensor.NewPool(min(e.pool.Threads(), 2))
	pool.Run(2, steps{func() { files, besideErr = e.loadBeside(o) }, func() { err = e.build(o) }})
	pool.Close()
	if besideErr != nil {
		if err == nil {
			e.model.Close()
		}
		return besideErr
	}
	if err != nil {
		return err
	}
	for _, note := range e.model.Notes {
		o.logger.Warn("the checkpoint is odd", "note", note)
	}
	if e.tokenizer != nil && e.tokenizer.VocabSize() > e.model.Vocab {
		size := e.tokenizer.VocabSize()
		e.model.Close()
		return fmt.Errorf("mminfer: tokenizer: ids up to %d, but the model has %d tokens", size-1, e.model.Vocab)
	}
	e.generation.EOS = slices.DeleteFunc(e.generation.EOS, func(id int32) bool { return id < 0 || int(id) >= e.model.Vocab })
	if e.identify(files); e.family != nil {
		e.family.files = files
	}
	return nil
}

// steps are a task.
type steps []func()

func (s steps) Do(i int) { s[i]() }

// loadBeside reads the files beside the weights and returns what the tokenizer was made of.
func (e *Engine) loadBeside(o options) ([][]byte, error) {
	files, err := e.loadTokenizer()
	if err != nil {
		return nil, err
	}
	if err := e.loadTemplate(o); err != nil {
		return nil, err
	}
	generation, err := e.optional("generation_config.json")
	if err != nil {
		return nil, err
	}
	if err := e.generation.read(generation, e.checkpoint.Config()); err != nil {
		return nil, err
	}
	if err := e.readNormalization(); err != nil {
		return nil, err
	}
	if e.template != nil && e.template.turnEnd != "" && e.tokenizer != nil {
		if id, ok := e.tokenizer.ID(e.template.turnEnd); ok && !slices.Contains(e.generation.EOS, id) {
			e.generation.EOS = append(e.generation.EOS, id)
		}
	}
	return files, nil
}

// loadTemplate reads the chat template. A malformed one of the model's is an error only where it is
// used.
func (e *Engine) loadTemplate(o options) (err error) {
	read := e.checkpoint.File
	if g := e.checkpoint.GGUF(); g != nil {
		read = GGUFChat(g, e.tokenizer)
	}
	if o.template != "" {
		e.template, err = NewChatTemplate("template", o.template, read, e.tokenizer)
		return err
	}
	e.template, e.templateErr = OpenChatTemplate(read, e.tokenizer)
	if e.templateErr != nil && !errors.Is(e.templateErr, ErrNoChatTemplate) {
		o.logger.Warn("the chat template cannot be used", "error", e.templateErr)
	}
	return nil
}

// optional reads a side file, nil if there is none.
func (e *Engine) optional(name string) ([]byte, error) {
	b, err := e.checkpoint.File(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Close frees the model. It waits for computations under way; what comes later fails with
// [ErrClosed].
func (e *Engine) Close() error {
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	return e.release()
}

// Info describes a loaded model.
type Info struct {
	Type          string `json:"type"`   // model_type
	Format        string `json:"format"` // of the weights in use
	Layers        int    `json:"layers"`
	Width         int    `json:"width"`
	Vocab         int    `json:"vocab"`
	Parameters    int64  `json:"parameters"`
	WeightBytes   int64  `json:"weight_bytes"`    // in memory, packed
	StateBytes    int64  `json:"state_bytes"`     // of a session, whatever the length of its text
	BytesPerToken int64  `json:"bytes_per_token"` // that a session grows by, beside; 0 without full attention
	Threads       int    `json:"threads"`

	Shape string    `json:"shape,omitempty"` // of a subnet
	Gates []float32 `json:"gates,omitempty"` // of its adapter's experts

	// Untrained reports a shape that the adapter's recipe does not train: less is to be expected of it.
	Untrained bool `json:"untrained,omitempty"`
}

// Info returns the model's description.
func (e *Engine) Info() Info {
	m := e.model
	i := Info{
		Type: m.Type, Format: m.Format.String(), Layers: m.Layers(), Width: m.Width, Vocab: m.Vocab, Parameters: m.Params, WeightBytes: e.weightBytes(),
		StateBytes: int64(4 * m.StateFloats()), BytesPerToken: int64(m.BytesPerToken()), Threads: e.pool.Threads(),
	}
	if e.subnet != nil {
		i.Shape, i.Gates = e.subnet.Shape.String(), e.subnet.Gates
		i.Untrained = e.family.Adapted() && !e.family.Trained(e.subnet.Shape)
	}
	return i
}

// Tokenize returns the ids of a text. With special, control tokens written in the text are
// recognised and what the tokenizer puts around a text is added; without, text is only text.
func (e *Engine) Tokenize(text string, special bool) ([]int32, error) {
	if e.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	opts := tokenizer.EncodeOptions{AddSpecial: special}
	if special {
		opts.Recognize = tokenizer.RecognizeAll
	}
	return e.tokenizer.Encode(nil, text, opts), nil
}

// Detokenize returns the text of ids, without special tokens.
func (e *Engine) Detokenize(ids []int32) (string, error) {
	if e.tokenizer == nil {
		return "", ErrNoTokenizer
	}
	return e.tokenizer.Decode(ids, true)
}

// Embed returns the model's last hidden state, after the final norm, at the last token of a
// text, [Width]. Pictures stand in front of the text, which may then be empty.
func (e *Engine) Embed(ctx context.Context, text string, pictures ...*Picture) ([]float32, error) {
	s := e.NewSession()
	ids, err := e.embedding(text, pictures)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, ErrNothingFed
	}
	if err := s.Feed(ctx, ids, pictures...); err != nil {
		return nil, err
	}
	var hidden []float32
	err = e.forward(s.seq(len(ids), models.WantLast), true, func(b *models.Batch) {
		hidden = append(hidden, b.Hidden.Row(0)...)
	})
	return hidden, err
}

// embedding returns the ids of a text with pictures behind what the tokenizer puts in front of it.
func (e *Engine) embedding(text string, pictures []*Picture) ([]int32, error) {
	ids, err := e.Tokenize(text, true)
	if err != nil || len(pictures) == 0 {
		return ids, err
	}
	around, err := e.Tokenize("", true)
	if err != nil {
		return nil, err
	}
	n := 0
	for n < len(around) && n < len(ids) && ids[n] == around[n] {
		n++
	}
	rest := ids[n:]
	ids = ids[:n:n]
	for i, p := range pictures {
		if p == nil {
			return nil, fmt.Errorf("mminfer: picture %d: %w", i+1, ErrPictureGone)
		}
		own, err := e.pictureIDs(p)
		if err != nil {
			return nil, err
		}
		ids = append(ids, own...)
	}
	return append(ids, rest...), nil
}

// forward runs one sequence and shows its outputs to read.
func (e *Engine) forward(seq models.Seq, hiddenOnly bool, read func(b *models.Batch)) error {
	w, err := e.begin()
	if err != nil {
		return err
	}
	defer e.end(w)
	w.batch.Seqs = append(w.batch.Seqs[:0], seq)
	w.batch.HiddenOnly = hiddenOnly
	if err := e.model.Forward(&w.batch, &w.ws); err != nil {
		return err
	}
	read(&w.batch)
	return nil
}

// begin enters a computation: the engine stays open until end.
func (e *Engine) begin() (*workspace, error) {
	e.closing.RLock()
	if e.closed {
		e.closing.RUnlock()
		return nil, ErrClosed
	}
	e.workspaces.Lock()
	defer e.workspaces.Unlock()
	if n := len(e.workspaces.idle); n > 0 {
		w := e.workspaces.idle[n-1]
		e.workspaces.idle = e.workspaces.idle[:n-1]
		return w, nil
	}
	return &workspace{ws: tensor.Workspace{Pool: e.pool}}, nil
}

// end leaves a computation.
func (e *Engine) end(w *workspace) {
	clear(w.batch.Seqs)
	w.batch.HiddenOnly = false
	e.workspaces.Lock()
	e.workspaces.idle = append(e.workspaces.idle, w)
	e.workspaces.Unlock()
	e.closing.RUnlock()
}

// generationConfig is what the engine uses of generation_config.json and config.json.
type generationConfig struct {
	EOS         idList   `json:"eos_token_id"`
	DoSample    bool     `json:"do_sample"`
	Temperature *float64 `json:"temperature"`
	TopK        *int     `json:"top_k"`
	TopP        *float64 `json:"top_p"`
	MinP        *float64 `json:"min_p"`
	Typical     *float64 `json:"typical_p"`
	Repetition  *float64 `json:"repetition_penalty"`
	MaxTokens   *int     `json:"max_new_tokens"`
}

// read takes the end-of-text ids from config.json where generation_config.json has none.
func (g *generationConfig) read(generation, config []byte) error {
	var c struct {
		EOS idList `json:"eos_token_id"`
	}
	if config != nil { // without one the model cannot be built, and says so
		if err := json.Unmarshal(config, &c); err != nil {
			return fmt.Errorf("mminfer: config.json: %w", err)
		}
	}
	if generation != nil {
		if err := json.Unmarshal(loader.StandardJSON(generation), g); err != nil {
			return fmt.Errorf("mminfer: generation_config.json: %w", err)
		}
	}
	if g.EOS == nil {
		g.EOS = c.EOS
	}
	return nil
}

// idList is null, one id or a list of ids.
type idList []int32

// UnmarshalJSON reads any of the three.
func (l *idList) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '[' && string(data) != "null" {
		var id int32
		if err := json.Unmarshal(data, &id); err != nil {
			return err
		}
		*l = idList{id}
		return nil
	}
	return json.Unmarshal(data, (*[]int32)(l))
}
