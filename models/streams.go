package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Streams are the residual streams of sequences that are each read whole, from their first token.
// Layers are applied to them one by one, whichever and in any order, so that subsets of a model's
// layers can share what they begin with. Nothing else is kept of the sequences. Every row has the
// bits that it has in [Model.Forward].
type Streams struct {
	model  *Model
	ids    [][]int32
	x      tensor.Mat // [T, D], the sequences' tokens end to end
	embeds tensor.Mat // of blocks that look at the embeddings
	spans  []nn.Span
}

// NewStreams returns the streams of sequences before the first layer. The error names a token outside
// the vocabulary, a sequence without tokens, or a model whose layers pass on more than the stream.
func (m *Model) NewStreams(seqs [][]int32, ws *tensor.Workspace) (*Streams, error) {
	if m.passesValues() {
		return nil, fmt.Errorf("models: %s: its layers pass on values beside the residual stream; they cannot be run apart", m.Type)
	}
	rows := 0
	for i, ids := range seqs {
		if len(ids) == 0 {
			return nil, fmt.Errorf("models: sequence %d: found no token, expected at least one", i)
		}
		for j, id := range ids {
			if id < 0 || int(id) >= m.Vocab {
				return nil, fmt.Errorf("models: sequence %d: token %d is %d, expected 0 to %d", i, j, id, m.Vocab-1)
			}
		}
		rows += len(ids)
	}
	s := &Streams{model: m, ids: seqs, x: tensor.NewMat(rows, m.Width)}
	row := 0
	for _, ids := range seqs {
		for _, id := range ids {
			m.embed.Floats(s.x.Row(row), int(id)*m.Width)
			row++
		}
	}
	if m.embeds {
		s.embeds = tensor.NewMat(rows, m.Width)
	}
	m.scaleEmbeddings(s.x, s.embeds, ws)
	if m.embedNorm.Weight != nil {
		m.embedNorm.Apply(s.x, s.x, ws)
	}
	return s, nil
}

// passesValues reports whether layers see what another one left in the workspace.
func (m *Model) passesValues() bool {
	for _, l := range m.layers {
		for _, b := range l.Blocks {
			if _, ok := b.Mixer.(*nn.RWKV7); ok {
				return true
			}
		}
	}
	return false
}

// Clone returns an independent copy.
func (s *Streams) Clone() *Streams {
	c := *s
	c.x, c.spans = tensor.NewMat(s.x.Rows, s.x.Cols), nil
	copy(c.x.Data, s.x.Data)
	return &c
}

// CopyFrom makes s a copy of streams of the same sequences. It panics if their sizes differ.
func (s *Streams) CopyFrom(from *Streams) {
	if s.model != from.model || s.x.Rows != from.x.Rows {
		panic("models.CopyFrom: streams of different models or sequences")
	}
	copy(s.x.Data, from.x.Data)
}

// Rows returns the number of tokens of all sequences.
func (s *Streams) Rows() int { return s.x.Rows }

// Row returns a token's row of the residual stream, [D], to read.
func (s *Streams) Row(i int) []float32 { return s.x.Row(i) }

// rowsTogether is about how many tokens go through a layer at a time.
const rowsTogether = 1024

// Apply runs one layer.
func (s *Streams) Apply(layer int, ws *tensor.Workspace) {
	from := 0
	for i := 0; i < len(s.ids); {
		s.spans = s.spans[:0]
		rows := 0
		for ; i < len(s.ids) && (rows == 0 || rows+len(s.ids[i]) <= rowsTogether); i++ {
			s.spans = append(s.spans, nn.Span{From: rows, To: rows + len(s.ids[i])})
			rows += len(s.ids[i])
		}
		x, embeds := s.x.Slice(from, from+rows), s.embeds
		if s.model.embeds {
			embeds = s.embeds.Slice(from, from+rows)
		}
		if norm := s.model.layers[layer].Norm; norm.Weight != nil {
			norm.Apply(x, x, ws)
		}
		for b := range s.model.layers[layer].Blocks {
			block := &s.model.layers[layer].Blocks[b]
			spec := block.Mixer.StateSpec()
			for j := range s.spans {
				s.spans[j].State = nn.State{Floats: tensor.Floats(spec.Floats)}
				if spec.KV.Heads > 0 {
					s.spans[j].State.KV = nn.NewKV(spec.KV)
				}
			}
			block.Apply(x, embeds, s.spans, ws)
		}
		from += rows
	}
}

// headTogether is how many rows of logits are computed at a time: those of a whole vocabulary are
// large, and shorter pieces keep them in the caches.
const headTogether = 64

// Logits shows visit the logits of some rows, [Vocab], during the call only.
func (s *Streams) Logits(rows []int, ws *tensor.Workspace, visit func(i int, logits []float32)) {
	s.head(rows, ws, func(at int, logits tensor.Mat) {
		for i := range logits.Rows {
			visit(at+i, logits.Row(i))
		}
	})
}

// LogProbs returns the natural logarithm of the probability of every token but its sequence's first,
// given those before it, of all sequences end to end.
func (s *Streams) LogProbs(ws *tensor.Workspace) []float64 {
	var rows []int
	var next []int32
	row := 0
	for _, ids := range s.ids {
		for j := range len(ids) - 1 {
			rows, next = append(rows, row+j), append(next, ids[j+1])
		}
		row += len(ids)
	}
	return s.LogProbsOf(rows, next, ws)
}

// LogProbsOf returns the natural logarithms of the probabilities that some rows give to a token each,
// [rows]. It panics if an id is not in the vocabulary.
func (s *Streams) LogProbsOf(rows []int, ids []int32, ws *tensor.Workspace) []float64 {
	lps := make([]float64, len(rows))
	s.head(rows, ws, func(at int, logits tensor.Mat) {
		sums := lps[at : at+logits.Rows]
		for i := range sums {
			sums[i] = float64(logits.Row(i)[ids[at+i]])
		}
		nn.SubLogSumExp(sums, logits, ws)
	})
	return lps
}

// head computes the logits of some rows, several at a time.
func (s *Streams) head(rows []int, ws *tensor.Workspace, see func(at int, logits tensor.Mat)) {
	m := s.model
	mark := ws.Mark()
	hidden, logits := ws.Mat(headTogether, m.Width), ws.Mat(headTogether, m.Vocab)
	for at := 0; at < len(rows); at += headTogether {
		part := rows[at:min(at+headTogether, len(rows))]
		h, z := hidden.Slice(0, len(part)), logits.Slice(0, len(part))
		for i, row := range part {
			copy(h.Row(i), s.x.Row(row))
		}
		m.norm.Apply(h, h, ws)
		m.project(z, h, ws)
		see(at, z)
	}
	ws.Release(mark)
}
