package mminfer

import (
	"errors"

	"github.com/mminfer/mminfer/models"
)

// Errors that callers branch on; test with [errors.Is].
var (
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("mminfer: the engine is closed")
	// ErrNoTokenizer: the model directory has no tokenizer.json, so only ids can be used.
	ErrNoTokenizer = errors.New("mminfer: the model has no tokenizer.json; use token ids")
	// ErrNothingFed: a session without a token has nothing to continue.
	ErrNothingFed = errors.New("mminfer: nothing to continue: the session and the prompt are empty")
	// ErrCorrupt: a stored session is damaged or cut short.
	ErrCorrupt = models.ErrCorrupt
	// ErrOtherModel: a stored session belongs to another model, tokenizer or lossy weight format.
	ErrOtherModel = models.ErrOtherModel
	// ErrNaN: the model's output is not a number.
	ErrNaN = errors.New("mminfer: the model's output is not a number")
)
