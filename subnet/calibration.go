package subnet

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Metric is what subnets are measured by.
type Metric string

// The metrics.
const (
	MeanNLL    Metric = "nll"        // mean negative log-likelihood of a text, nats a token
	Perplexity Metric = "perplexity" // its exponential
	Accuracy   Metric = "accuracy"   // share of questions answered right, the mean over subjects
)

// Calibration is what subnets are measured on: a text in windows, or questions.
type Calibration struct {
	Metric    Metric
	Windows   [][]int32 // each read from an empty state, for all tokens but its first
	Questions []Question
}

// Question is one of multiple choice. What is most probable after its context is the answer given;
// ties go to the first.
type Question struct {
	Subject string // questions of one subject are averaged first
	Choices []Choice
	Answer  int // the choice that is right
}

// Choice is an answer: what Continuation is after Context counts, all of its tokens.
type Choice struct {
	Context, Continuation []int32
	Characters            int // of the text, by which log-probabilities can be divided
}

// check refuses calibrations that measure nothing.
func (c *Calibration) check() error {
	switch c.Metric {
	case MeanNLL, Perplexity:
		for i, w := range c.Windows {
			if len(w) < 2 {
				return fmt.Errorf("subnet: calibration: window %d has %d tokens, expected at least 2", i, len(w))
			}
		}
		if len(c.Windows) == 0 {
			return errors.New("subnet: calibration: found no text")
		}
	case Accuracy:
		for i, q := range c.Questions {
			if q.Answer < 0 || q.Answer >= len(q.Choices) {
				return fmt.Errorf("subnet: calibration: question %d: found answer %d, expected one of %d choices", i, q.Answer, len(q.Choices))
			}
			for _, choice := range q.Choices {
				if len(choice.Context) == 0 || len(choice.Continuation) == 0 {
					return fmt.Errorf("subnet: calibration: question %d: found an empty context or choice", i)
				}
			}
		}
		if len(c.Questions) == 0 {
			return errors.New("subnet: calibration: found no questions")
		}
	default:
		return fmt.Errorf("subnet: calibration: found metric %.40q, expected %s, %s or %s", c.Metric, MeanNLL, Perplexity, Accuracy)
	}
	return nil
}

// plan is a calibration laid out as sequences to read.
type plan struct {
	cal  Calibration
	seqs [][]int32
	rows []int   // whose logits say something of choices
	ids  []int32 // of which token
	at   [][]int // [questions][choices], where a choice's rows begin
}

// newPlan lays out a calibration. Choices of one token share the reading of their context, as far as
// they follow each other.
func newPlan(cal Calibration) (*plan, error) {
	if err := cal.check(); err != nil {
		return nil, err
	}
	p := &plan{cal: cal}
	if cal.Metric != Accuracy {
		p.seqs = cal.Windows
		return p, nil
	}
	end := 0 // rows so far
	for _, q := range cal.Questions {
		var at []int
		for _, c := range q.Choices {
			read := slices.Concat(c.Context, c.Continuation[:len(c.Continuation)-1])
			if n := len(p.seqs); n == 0 || !slices.Equal(p.seqs[n-1], read) {
				p.seqs = append(p.seqs, read)
				end += len(read)
			}
			at = append(at, len(p.rows))
			for i, id := range c.Continuation {
				p.rows, p.ids = append(p.rows, end-len(c.Continuation)+i), append(p.ids, id)
			}
		}
		p.at = append(p.at, at)
	}
	return p, nil
}

// measure returns the metric of streams of the plan's sequences after a subnet's last layer.
func (p *plan) measure(s *models.Streams, ws *tensor.Workspace) float64 {
	switch p.cal.Metric {
	case MeanNLL:
		return p.meanNLL(s, ws)
	case Perplexity:
		return math.Exp(p.meanNLL(s, ws))
	}
	return p.answers(s, ws).Accuracy
}

// meanNLL is the mean over windows of their mean.
func (p *plan) meanNLL(s *models.Streams, ws *tensor.Workspace) (mean float64) {
	lps := s.LogProbs(ws)
	for _, w := range p.cal.Windows {
		var sum float64
		for _, lp := range lps[:len(w)-1] {
			sum -= lp
		}
		lps = lps[len(w)-1:]
		mean += sum / float64(len(w)-1)
	}
	return mean / float64(len(p.cal.Windows))
}

// Answers is how a model answered questions.
type Answers struct {
	Accuracy   float64     // of the largest log-probabilities, the mean over subjects
	Normalised float64     // of the largest log-probabilities for a character
	Right      int         // answers that Accuracy counts
	Scores     [][]float64 // [questions][choices], the log-probabilities
}

// answers scores and grades all questions.
func (p *plan) answers(s *models.Streams, ws *tensor.Workspace) Answers {
	return Grade(p.cal.Questions, p.scores(s, ws))
}

// scores returns the log-probabilities of all choices, [questions][choices].
func (p *plan) scores(s *models.Streams, ws *tensor.Workspace) (scores [][]float64) {
	lps := s.LogProbsOf(p.rows, p.ids, ws)
	for i, q := range p.cal.Questions {
		row := make([]float64, len(q.Choices))
		for j, c := range q.Choices {
			for k := range c.Continuation {
				row[j] += lps[p.at[i][j]+k]
			}
		}
		scores = append(scores, row)
	}
	return scores
}

// Grade counts the right answers that log-probabilities [questions][choices] give.
func Grade(questions []Question, scores [][]float64) Answers {
	a := Answers{Scores: scores}
	plain, normalised := newTally(), newTally()
	for i, q := range questions {
		perCharacter := make([]float64, len(q.Choices))
		for j, c := range q.Choices {
			perCharacter[j] = scores[i][j] / float64(max(1, c.Characters))
		}
		if plain.count(q, scores[i]) {
			a.Right++
		}
		normalised.count(q, perCharacter)
	}
	a.Accuracy, a.Normalised = plain.mean(), normalised.mean()
	return a
}

// tally counts right answers by subject.
type tally struct {
	subjects     []string
	right, asked map[string]int
}

func newTally() *tally { return &tally{right: map[string]int{}, asked: map[string]int{}} }

// count counts a question, of whose scores the first largest is the answer given.
func (t *tally) count(q Question, scores []float64) (right bool) {
	if t.asked[q.Subject] == 0 {
		t.subjects = append(t.subjects, q.Subject)
	}
	t.asked[q.Subject]++
	if slices.Index(scores, slices.Max(scores)) == q.Answer {
		t.right[q.Subject]++
		return true
	}
	return false
}

// mean is the mean over subjects.
func (t *tally) mean() (mean float64) {
	for _, s := range t.subjects {
		mean += float64(t.right[s]) / float64(t.asked[s])
	}
	return mean / float64(len(t.subjects))
}
