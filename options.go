package mminfer

import (
	"log/slog"
	"runtime"

	"github.com/mminfer/mminfer/tensor"
)

// Option configures [Open] and [OpenFS].
type Option func(*options)

type options struct {
	threads  int
	format   tensor.Format
	kv       tensor.Format
	logger   *slog.Logger
	progress func(done, total int64)
	template string
	subnet   shaping
}

func newOptions(opts []Option) options {
	o := options{threads: runtime.GOMAXPROCS(0), logger: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// WithThreads sets the number of threads that share one computation; the default is GOMAXPROCS.
// It changes speed, never a result.
func WithThreads(n int) Option { return func(o *options) { o.threads = n } }

// WithFormat sets how weights are stored for computation. The default keeps the checkpoint's own
// precision; F32 and, for a BF16 checkpoint, BF16 give the same bits.
func WithFormat(f tensor.Format) Option { return func(o *options) { o.format = f } }

// WithKV sets how sessions hold the keys and values of softmax attention: FormatF32, the default, or
// rounded: in half the memory, FormatBF16 or FormatF16, or in little more than a quarter, FormatQ8. A
// session stored with one is refused by an engine with another.
func WithKV(f tensor.Format) Option { return func(o *options) { o.kv = f } }

// WithLogger makes the engine log what it loads. Without it the library is silent. Prompts and
// texts are never logged.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.logger = l
		}
	}
}

// WithProgress has f called while weights are packed, with the bytes done and in all.
func WithProgress(f func(done, total int64)) Option { return func(o *options) { o.progress = f } }

// WithChatTemplate sets the chat template, a Jinja text, in place of the model's own.
func WithChatTemplate(source string) Option { return func(o *options) { o.template = source } }
