package mminfer

import (
	"context"
	"math"

	"github.com/mminfer/mminfer/models"
)

// Logits feeds ids to an empty timeline and shows visit the logits after each, [Vocab]: row i
// predicts the token after ids[i]. The row is valid during the call only, in which the engine must
// not be used. An error of visit ends the walk and is returned.
func (e *Engine) Logits(ctx context.Context, ids []int32, visit func(i int, logits []float32) error) error {
	if err := e.checkIDs(ids); err != nil {
		return err
	}
	// Rows of a whole vocabulary are large: shorter pieces keep them in the caches.
	const piece = 64
	state := e.model.NewState()
	for from := 0; from < len(ids); from += piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := ids[from:min(from+piece, len(ids))]
		var visited error
		err := e.forward(models.Seq{IDs: part, State: state, Want: models.WantAll}, false, func(b *models.Batch) {
			for i := range part {
				if visited == nil {
					visited = visit(from+i, b.Logits.Row(i))
				}
			}
		})
		if err != nil {
			return err
		}
		if visited != nil {
			return visited
		}
	}
	return nil
}

// LogProbs returns the natural logarithm of the probability of every token of ids but the first,
// given those before it: element i is that of ids[i+1].
func (e *Engine) LogProbs(ctx context.Context, ids []int32) ([]float64, error) {
	lps := make([]float64, 0, max(len(ids)-1, 0))
	err := e.Logits(ctx, ids, func(i int, logits []float32) error {
		if i+1 < len(ids) {
			lps = append(lps, LogProbOf(logits, ids[i+1]))
		}
		return nil
	})
	return lps, err
}

// LogProbOf returns the natural logarithm of the probability that logits [Vocab] give a token. It
// panics if id is not in the vocabulary.
func LogProbOf(logits []float32, id int32) float64 {
	return float64(logits[id]) - logSumExp(logits)
}

// TopLogProbs returns the n most probable tokens of logits [Vocab], ties by id, without texts.
func TopLogProbs(logits []float32, n int) []LogProb {
	return topLogProbs(logits, n, logSumExp(logits))
}

// Divergence returns the Kullback-Leibler divergence Σ p (ln p - ln q) in nats, p and q being the
// distributions of ref and logits [Vocab]. It is +Inf if q excludes what p does not.
func Divergence(ref, logits []float32) (sum float64) {
	p, q := logSumExp(ref), logSumExp(logits)
	for i := range ref {
		if lp := float64(ref[i]) - p; !math.IsInf(lp, -1) {
			sum += exp(lp) * (lp - (float64(logits[i]) - q))
		}
	}
	return sum
}
