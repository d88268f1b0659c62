package mminfer

import (
	"errors"

	"github.com/mminfer/mminfer/models"
)

// Errors that callers branch on; test with [errors.Is].
var (
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("mminfer: the engine is closed")
	// ErrNoTokenizer: the model directory has no tokenizer, so only ids can be used.
	ErrNoTokenizer = errors.New("mminfer: the model has no tokenizer; use token ids")
	// ErrNoChatTemplate: the model directory has no chat template, so messages cannot be rendered.
	ErrNoChatTemplate = errors.New("mminfer: the model has no chat template; give one, or use plain text")
	// ErrNothingFed: the timeline has no token that is not absorbed yet, so there is nothing to
	// continue.
	ErrNothingFed = errors.New("mminfer: nothing to continue: feed at least one token")
	// ErrNoPictures: the model takes text only.
	ErrNoPictures = errors.New("mminfer: the model takes no pictures")
	// ErrPictureGone: what a picture looks like is needed again, and only its place is known, as in a
	// session that was stored.
	ErrPictureGone = errors.New("mminfer: the picture itself is needed and is not at hand; give it again")
	// ErrCorrupt: a stored session is damaged or cut short.
	ErrCorrupt = models.ErrCorrupt
	// ErrOtherModel: a stored session belongs to another model, tokenizer or lossy weight format.
	ErrOtherModel = models.ErrOtherModel
	// ErrNaN: the model's output is not a number, so no token can be chosen. The session stays
	// where it is; rewind it, or feed a token.
	ErrNaN = errors.New("mminfer: the model's output is not a number")
)
