package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Want says which rows of a sequence's output are computed.
type Want uint8

const (
	WantNone Want = iota // only the state advances
	WantLast             // the last token's
	WantAll              // every token's
)

// Seq is one sequence's share of a batch.
type Seq struct {
	IDs   []int32 // the tokens to absorb
	State *State
	Want  Want
	// Rows are given in place of the embeddings of some tokens, each of which must be the token that
	// holds a place for them: see [Pictures]. Without rows it is a token like any other.
	Rows []Rows

	// Out is the first of the sequence's rows in the batch's outputs.
	Out int
}

// Batch is a ragged batch: some tokens of several sequences, absorbed in one pass. It keeps its
// outputs and may be used again.
type Batch struct {
	Seqs []Seq
	// HiddenOnly leaves out the head: Logits stays empty.
	HiddenOnly bool
	// Observe, if not nil, is shown the residual stream [T, D]: before layer 0 as "embed", after
	// each layer as "block", and the wanted rows after the final norm as "norm".
	Observe func(stage string, layer int, x tensor.Mat)

	Hidden tensor.Mat // the wanted rows after the final norm, [rows, D]
	Logits tensor.Mat // [rows, Vocab]

	spans []nn.Span
}

// Forward absorbs the batch's tokens into its states and computes the outputs wanted. The error
// names a token outside the vocabulary, rows at tokens that are not made for them, or a state of
// another model; nothing has changed then.
func (m *Model) Forward(b *Batch, ws *tensor.Workspace) error {
	rows, wanted, err := m.prepare(b)
	if err != nil {
		return err
	}
	mark := ws.Mark()
	x := ws.Mat(rows, m.Width)
	m.lookUp(x, b)
	var embeddings tensor.Mat
	if m.embeds {
		embeddings = ws.Mat(rows, m.Width)
	}
	m.scaleEmbeddings(x, embeddings, ws)
	b.observe("embed", 0, x)
	if m.embedNorm.Weight != nil {
		m.embedNorm.Apply(x, x, ws)
	}
	block := 0
	for l := range m.layers {
		if norm := m.layers[l].Norm; norm.Weight != nil {
			norm.Apply(x, x, ws)
		}
		for i := range m.layers[l].Blocks {
			for s := range b.Seqs {
				b.spans[s].State = b.Seqs[s].State.share(block)
			}
			m.layers[l].Blocks[i].Apply(x, embeddings, b.spans, ws)
			block++
		}
		b.observe("block", l, x)
	}
	for s := range b.Seqs {
		b.Seqs[s].State.pos += len(b.Seqs[s].IDs)
	}
	m.output(b, x, wanted, ws)
	ws.Release(mark)
	return nil
}

// prepare checks the batch, lays out its spans and counts its rows and the rows wanted.
func (m *Model) prepare(b *Batch) (rows, wanted int, err error) {
	b.spans = b.spans[:0]
	for i := range b.Seqs {
		s := &b.Seqs[i]
		if s.State.model != m {
			return 0, 0, fmt.Errorf("models: sequence %d: its state belongs to another model", i)
		}
		for j, id := range s.IDs {
			if id < 0 || int(id) >= m.Vocab {
				return 0, 0, fmt.Errorf("models: sequence %d: token %d is %d, expected 0 to %d", i, j, id, m.Vocab-1)
			}
		}
		if err := m.checkRows(s); err != nil {
			return 0, 0, fmt.Errorf("models: sequence %d: %w", i, err)
		}
		b.spans = append(b.spans, nn.Span{From: rows, To: rows + len(s.IDs), Pos: s.State.pos})
		rows += len(s.IDs)
		s.Out = wanted
		wanted += s.wanted()
	}
	return rows, wanted, nil
}

// wanted is the number of output rows.
func (s *Seq) wanted() int {
	switch s.Want {
	case WantLast:
		return min(1, len(s.IDs))
	case WantAll:
		return len(s.IDs)
	}
	return 0
}

// lookUp fills x with the tokens' embeddings, or with the rows given in their place.
func (m *Model) lookUp(x tensor.Mat, b *Batch) {
	for i, s := range b.Seqs {
		for j, id := range s.IDs {
			row := x.Row(b.spans[i].From + j)
			if m.embed.Floats(row, int(id)*m.Width); m.embedQ8 {
				tensor.RoundQ8(row)
			}
		}
		for _, r := range s.Rows {
			for j := range r.Mat.Rows {
				copy(x.Row(b.spans[i].From+r.At+j), r.Mat.Row(j))
			}
		}
	}
}

// scaleEmbeddings applies the model's scale to embeddings, and keeps a copy where blocks look at them.
func (m *Model) scaleEmbeddings(x, kept tensor.Mat, ws *tensor.Workspace) {
	if m.embedScale != 0 {
		nn.Scale(x, m.embedScale, x, ws)
	}
	for i := range kept.Rows {
		copy(kept.Row(i), x.Row(i))
	}
}

// output computes the final norm and the head of the rows wanted.
func (m *Model) output(b *Batch, x tensor.Mat, wanted int, ws *tensor.Workspace) {
	b.Hidden = resize(b.Hidden, wanted, m.Width)
	for i := range b.Seqs {
		s, span := &b.Seqs[i], b.spans[i]
		n := s.wanted()
		for r := range n {
			copy(b.Hidden.Row(s.Out+r), x.Row(span.To-n+r))
		}
	}
	m.norm.Apply(b.Hidden, b.Hidden, ws)
	b.observe("norm", 0, b.Hidden)
	if b.HiddenOnly {
		b.Logits = resize(b.Logits, 0, m.Vocab)
		return
	}
	b.Logits = resize(b.Logits, wanted, m.Vocab)
	m.project(b.Logits, b.Hidden, ws)
}

// project computes logits [T, Vocab] from rows after the final norm.
func (m *Model) project(logits, hidden tensor.Mat, ws *tensor.Workspace) {
	m.head.Mul(logits, hidden, ws)
	if m.logitScale != 0 {
		nn.Scale(logits, m.logitScale, logits, ws)
	}
}

// resize returns a matrix of the given size in the memory of m where that is enough.
func resize(m tensor.Mat, rows, cols int) tensor.Mat {
	if cap(m.Data) < rows*cols {
		return tensor.NewMat(rows, cols)
	}
	return tensor.Mat{Rows: rows, Cols: cols, Stride: cols, Data: m.Data[:rows*cols]}
}

func (b *Batch) observe(stage string, layer int, x tensor.Mat) {
	if b.Observe != nil {
		b.Observe(stage, layer, x)
	}
}
