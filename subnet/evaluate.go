package subnet

import (
	"context"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Evaluation is how well a model predicts a text and answers questions.
type Evaluation struct {
	NLL        float64 // nats a token, the mean over windows; NaN without a text
	Perplexity float64 // its exponential
	Answers    Answers // zero without questions
}

// evaluatedTogether is about how many tokens are read at a time.
const evaluatedTogether = 4096

// Evaluate reads windows of a text, each from an empty state, and questions; either may be empty. Progress,
// if not nil, is told the tokens read and those of all.
func Evaluate(ctx context.Context, m *models.Model, ws *tensor.Workspace, windows [][]int32, questions []Question, progress func(done, total int64)) (Evaluation, error) {
	e := evaluating{ctx: ctx, m: m, ws: ws, progress: progress}
	for _, w := range windows {
		e.total += int64(len(w))
	}
	for _, q := range questions {
		e.total += q.tokens()
	}
	result := Evaluation{NLL: math.NaN(), Perplexity: math.NaN()}
	if len(windows) > 0 {
		nll, err := e.windows(windows)
		if err != nil {
			return result, err
		}
		result.NLL, result.Perplexity = nll, math.Exp(nll)
	}
	if len(questions) > 0 {
		scores, err := e.questions(questions)
		if err != nil {
			return result, err
		}
		result.Answers = Grade(questions, scores)
	}
	return result, nil
}

// tokens is how many are read for a question, at most.
func (q *Question) tokens() (n int64) {
	for _, c := range q.Choices {
		n += int64(len(c.Context) + len(c.Continuation))
	}
	return n
}

// evaluating is the work of Evaluate.
type evaluating struct {
	ctx         context.Context
	m           *models.Model
	ws          *tensor.Workspace
	progress    func(done, total int64)
	done, total int64
}

// run reads one part.
func (e *evaluating) run(cal Calibration, tokens int64, see func(p *plan, s *models.Streams)) error {
	p, err := newPlan(cal)
	if err != nil {
		return err
	}
	s, err := e.m.NewStreams(p.seqs, e.ws)
	if err != nil {
		return fmt.Errorf("subnet: evaluation: %w", err)
	}
	for l := range e.m.Layers() {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		s.Apply(l, e.ws)
	}
	see(p, s)
	if e.done += tokens; e.progress != nil {
		e.progress(e.done, e.total)
	}
	return nil
}

// windows returns the mean over windows of their mean negative log-likelihood.
func (e *evaluating) windows(windows [][]int32) (mean float64, err error) {
	for from := 0; from < len(windows); {
		to, tokens := from, int64(0)
		for ; to < len(windows) && (to == from || tokens+int64(len(windows[to])) <= evaluatedTogether); to++ {
			tokens += int64(len(windows[to]))
		}
		err := e.run(Calibration{Metric: MeanNLL, Windows: windows[from:to]}, tokens, func(p *plan, s *models.Streams) {
			mean += p.meanNLL(s, e.ws) * float64(to-from)
		})
		if err != nil {
			return 0, err
		}
		from = to
	}
	return mean / float64(len(windows)), nil
}

// questions returns the log-probabilities of all choices.
func (e *evaluating) questions(questions []Question) (scores [][]float64, err error) {
	for from := 0; from < len(questions); {
		to, tokens := from, int64(0)
		for ; to < len(questions) && (to == from || tokens+questions[to].tokens() <= evaluatedTogether); to++ {
			tokens += questions[to].tokens()
		}
		err := e.run(Calibration{Metric: Accuracy, Questions: questions[from:to]}, tokens, func(p *plan, s *models.Streams) {
			scores = append(scores, p.scores(s, e.ws)...)
		})
		if err != nil {
			return nil, err
		}
		from = to
	}
	return scores, nil
}

// Windows cuts a text into windows of a length; what is left over is dropped.
func Windows(ids []int32, length int) (windows [][]int32) {
	for from := 0; length > 0 && from+length <= len(ids); from += length {
		windows = append(windows, ids[from:from+length])
	}
	return windows
}
