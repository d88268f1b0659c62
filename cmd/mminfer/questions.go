package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tokenizer"
)

// questionFormat describes the files that --mc takes.
const questionFormat = `Questions are a file of JSON lines, of any of three kinds:
  {"subject": "anatomy", "question": "Which bone ...?", "choices": ["ulna", "tibia"], "answer": 1}
      MMLU's prompt; the most probable letter after "Answer:" is the answer given
  {"context": "Question: ...\nAnswer:", "choices": ["sand", "water"], "answer": 0}
      each choice is scored by the log-probability of its text after the context
  {"contexts": ["The cup, the cup", "The cup, the shelf"], "continuation": "is full.", "answer": 0}
      the same text after each context
The answer is the number of a choice, from 0. Acc counts the most probable choice as the
answer given, acc_norm the most probable for each of its characters; both are averaged
over subjects.`

// questionsText tells what was asked, and how many answers a guess gets right.
func questionsText(questions []subnet.Question) string {
	right, of := map[string]float64{}, map[string]float64{}
	for _, q := range questions {
		right[q.Subject] += 1 / float64(len(q.Choices))
		of[q.Subject]++
	}
	mean := 0.0
	for _, subject := range slices.Sorted(maps.Keys(of)) {
		mean += right[subject] / of[subject] / float64(len(of))
	}
	return fmt.Sprintf("%s of %s; guesses would get %.1f %% right", plural(len(questions), "question"), plural(len(of), "subject"), 100*mean)
}

// questionLine is a line of a file of questions.
type questionLine struct {
	Subject      string   `json:"subject"`
	Question     string   `json:"question"`
	Context      string   `json:"context"`
	Contexts     []string `json:"contexts"`
	Continuation string   `json:"continuation"`
	Choices      []string `json:"choices"`
	Answer       *int     `json:"answer"`
}

// questionReader makes questions of tokens.
type questionReader struct {
	tok   *tokenizer.Tokenizer
	limit int  // tokens of a context
	right bool // those that are too many are cut at the end, as the reference does for letters
}

// read reads a file, of which at most most lines count if that is not 0.
func (r questionReader) read(path string, most int) (questions []subnet.Question, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		if most > 0 && len(questions) == most {
			break
		}
		var question subnet.Question
		q, err := parseQuestion(lines.Bytes())
		if err == nil {
			question, err = r.question(q)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		questions = append(questions, question)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s: found no questions", path)
	}
	return questions, nil
}

// parseQuestion reads a line. It may have keys that are not used here.
func parseQuestion(line []byte) (q questionLine, err error) {
	err = json.Unmarshal(line, &q)
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind) && kind.Field == "answer":
		return q, fmt.Errorf("answer: found a %s, expected the number of a choice, from 0", kind.Value)
	case errors.As(err, &kind) && kind.Field != "":
		return q, fmt.Errorf("%s: found a %s, expected %s", kind.Field, kind.Value, map[bool]string{true: "a list of texts", false: "a text"}[kind.Type.Kind() == reflect.Slice])
	case errors.As(err, &kind):
		return q, fmt.Errorf("found a JSON %s, expected an object on each line", kind.Value)
	case errors.As(err, &syntax):
		return q, fmt.Errorf("expected a JSON object on each line: %w", err)
	}
	return q, err
}

func (r questionReader) question(q questionLine) (subnet.Question, error) {
	out := subnet.Question{Subject: q.Subject}
	contexts, choices, letters := q.Contexts, q.Choices, false
	switch {
	case q.Question != "" && q.Context == "" && contexts == nil && len(choices) > 0 && len(choices) <= 26:
		contexts, choices, letters = []string{mmluPrompt(q)}, nil, true
		for i := range q.Choices {
			choices = append(choices, string(rune('A'+i)))
		}
	case q.Context != "" && q.Question == "" && contexts == nil && len(choices) > 0:
		contexts = []string{q.Context}
	case len(contexts) > 0 && q.Continuation != "" && choices == nil && q.Question == "" && q.Context == "":
	default:
		return out, errors.New("expected question and choices, context and choices, or contexts and continuation")
	}
	n := max(len(choices), len(q.Contexts))
	if n < 2 {
		return out, fmt.Errorf("found %d choice, expected at least 2", n)
	}
	if q.Answer == nil {
		return out, fmt.Errorf("answer: missing, expected a number from 0 to %d", n-1)
	}
	if *q.Answer < 0 || *q.Answer >= n {
		return out, fmt.Errorf("answer: found %d, expected a number from 0 to %d", *q.Answer, n-1)
	}
	for i, text := range append(slices.Clone(q.Choices), q.Contexts...) {
		if strings.TrimSpace(text) == "" {
			return out, fmt.Errorf("choice %d: found an empty text", i)
		}
	}
	out.Answer = *q.Answer
	if choices == nil {
		for _, c := range contexts {
			out.Choices = append(out.Choices, r.choice(c, q.Continuation, letters))
		}
	}
	for _, text := range choices {
		out.Choices = append(out.Choices, r.choice(contexts[0], text, letters))
	}
	for i, c := range out.Choices {
		if len(c.Context) == 0 || len(c.Continuation) == 0 {
			return out, fmt.Errorf("choice %d: found no token in its context or text", i)
		}
	}
	return out, nil
}

// mmluPrompt is the prompt of the questions that letters answer.
func mmluPrompt(q questionLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The following are multiple choice questions (with answers) about %s.\n\n%s\n", strings.ReplaceAll(q.Subject, "_", " "), q.Question)
	for i, c := range q.Choices {
		fmt.Fprintf(&b, "%c. %s\n", 'A'+i, c)
	}
	return b.String() + "Answer:"
}

// choice encodes a context and what follows it, between them a space, together, and cuts them where the
// context's own tokens end. Spaces at the end of a context belong to what follows. Only the prompts of
// letters begin as texts do.
func (r questionReader) choice(context, text string, letters bool) subnet.Choice {
	c := subnet.Choice{Characters: utf8.RuneCountInString(text)}
	body := strings.TrimRight(context, " \t\n")
	if space := context[len(body):]; space != "" {
		text = space + text
	} else if !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	opts := tokenizer.EncodeOptions{AddSpecial: letters}
	all, own := r.tok.Encode(nil, body+text, opts), r.tok.Encode(nil, body, opts)
	at := min(len(own), len(all))
	c.Context, c.Continuation = all[:at], all[at:]
	if over := len(c.Context) - r.limit; r.limit > 0 && over > 0 {
		if r.right && letters {
			c.Context = c.Context[:r.limit]
		} else {
			c.Context = c.Context[over:]
		}
	}
	return c
}
