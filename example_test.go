package mminfer_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"math"
	"os"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
)

// The examples use the model that comes with the module; mminfer.Open("path/to/model") opens any
// other.
func open() *mminfer.Engine {
	engine, err := mminfer.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		log.Fatal(err)
	}
	return engine
}

func ExampleSession_Generate() {
	engine := open()
	defer engine.Close()
	session := engine.NewSession()
	for token, err := range session.Generate(context.Background(), "Once upon a time", mminfer.GenerateOptions{MaxTokens: 28}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output: , there was a little girl named Lily. She loved to play with her toys and play together. One day, she saw a big,
}

// A text can be fed before anything is asked for, in as many parts as it comes.
func ExampleSession_Feed() {
	engine := open()
	defer engine.Close()
	ctx := context.Background()
	session := engine.NewSession()
	for _, part := range []string{"Long, long ago", " there lived a king", " who had three"} {
		if err := session.FeedText(ctx, part); err != nil {
			log.Fatal(err)
		}
	}
	for token, err := range session.Continue(ctx, mminfer.GenerateOptions{Stop: []string{"."}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output: sons, who lived in the castle
}

// A seed makes a drawn text repeatable, on any machine and any number of threads.
func ExampleSession_Seed() {
	engine := open()
	defer engine.Close()
	for range 2 {
		session := engine.NewSession()
		session.Seed(42)
		opts := mminfer.GenerateOptions{MaxTokens: 12, Sampling: mminfer.Sampling{Temperature: 0.8, TopP: 0.9}}
		fmt.Print("The old woman")
		for token, err := range session.Generate(context.Background(), "The old woman", opts) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(token.Text)
		}
		fmt.Println()
	}
	// Output:
	// The old woman was standing in a stone tree, where her eyes were broken
	// The old woman was standing in a stone tree, where her eyes were broken
}

// Forks are timelines of their own: the beginning is computed once.
func ExampleSession_Fork() {
	engine := open()
	defer engine.Close()
	ctx := context.Background()
	session := engine.NewSession()
	if err := session.FeedText(ctx, "There was once a"); err != nil {
		log.Fatal(err)
	}
	for _, hero := range []string{" king", " frog"} {
		fmt.Print(hero[1:], ":")
		for token, err := range session.Fork().Generate(ctx, hero+" who", mminfer.GenerateOptions{MaxTokens: 8}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(token.Text)
		}
		fmt.Println()
	}
	// Output:
	// king: had a daughter. She was a very
	// frog: had a friend. The boy was very
}

// A session is stored with its state: nothing is computed again when it is loaded.
func ExampleSession_Save() {
	engine := open()
	defer engine.Close()
	ctx := context.Background()
	session := engine.NewSession()
	if err := session.FeedText(ctx, "The wolf said to the little girl"); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer // or an *os.File
	if err := session.Save(&file); err != nil {
		log.Fatal(err)
	}
	loaded, err := engine.Load(&file)
	if err != nil {
		log.Fatal(err)
	}
	for token, err := range loaded.Continue(ctx, mminfer.GenerateOptions{MaxTokens: 10}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output: , "I will give you a good job
}

// A mark undoes whatever came after it.
func ExampleSession_Rewind() {
	engine := open()
	defer engine.Close()
	ctx := context.Background()
	session := engine.NewSession()
	if err := session.FeedText(ctx, "The princess opened the door and saw"); err != nil {
		log.Fatal(err)
	}
	mark := session.Mark()
	for seed := range uint64(2) {
		if err := session.Rewind(mark); err != nil {
			log.Fatal(err)
		}
		session.Seed(seed)
		fmt.Print("She saw")
		for token, err := range session.Continue(ctx, mminfer.GenerateOptions{MaxTokens: 8, Sampling: mminfer.Sampling{Temperature: 1}}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(token.Text)
		}
		fmt.Println()
	}
	// Output:
	// She saw the flowers wrapped at the shore.
	// She saw some prayers laughing. He hurried away
}

// Sessions that generate together share the reading of the weights.
func ExampleEngine_Together() {
	engine := open()
	defer engine.Close()
	ctx := context.Background()
	var parts []mminfer.Continuation
	texts := []string{"The king lived in", "The boy went to", "The cat sat on"}
	for _, prompt := range texts {
		session := engine.NewSession()
		if err := session.FeedText(ctx, prompt); err != nil {
			log.Fatal(err)
		}
		parts = append(parts, mminfer.Continuation{Session: session, Options: mminfer.GenerateOptions{MaxTokens: 5}})
	}
	for token, err := range engine.Together(ctx, parts) {
		if err != nil {
			log.Fatal(err)
		}
		texts[token.Index] += token.Text
	}
	for _, text := range texts {
		fmt.Println(text)
	}
	// Output:
	// The king lived in the castle. He was
	// The boy went to the store and asked her
	// The cat sat on the floor. The cat
}

// An embedding is the model's last hidden state.
func ExampleEngine_Embed() {
	engine := open()
	defer engine.Close()
	embed := func(text string) []float32 {
		v, err := engine.Embed(context.Background(), text)
		if err != nil {
			log.Fatal(err)
		}
		return v
	}
	cosine := func(a, b []float32) float64 {
		var ab, aa, bb float64
		for i := range a {
			ab += float64(a[i]) * float64(b[i])
			aa += float64(a[i]) * float64(a[i])
			bb += float64(b[i]) * float64(b[i])
		}
		return ab / math.Sqrt(aa*bb)
	}
	king := embed("Once there lived a king")
	fmt.Printf("queen %.2f\n", cosine(king, embed("Once there lived a queen")))
	fmt.Printf("today %.2f\n", cosine(king, embed("What shall we eat today?")))
	// Output:
	// queen 0.85
	// today 0.08
}

// The log-probabilities of a text say how much it surprises the model.
func ExampleEngine_LogProbs() {
	engine := open()
	defer engine.Close()
	for _, text := range []string{"Once upon a time there was a king.", "King a was there time a upon once."} {
		ids, err := engine.Tokenize(text, false)
		if err != nil {
			log.Fatal(err)
		}
		lps, err := engine.LogProbs(context.Background(), ids)
		if err != nil {
			log.Fatal(err)
		}
		var sum float64
		for _, lp := range lps {
			sum += lp
		}
		fmt.Printf("perplexity %.1f: %s\n", math.Exp(-sum/float64(len(lps))), text)
	}
	// Output:
	// perplexity 2.8: Once upon a time there was a king.
	// perplexity 1013.1: King a was there time a upon once.
}

func ExampleEngine_Tokenize() {
	engine := open()
	defer engine.Close()
	ids, err := engine.Tokenize("Once upon a time", false)
	if err != nil {
		log.Fatal(err)
	}
	text, err := engine.Detokenize(ids)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ids, text)
	// Output: [2307 571 261 533] Once upon a time
}

// Options set threads and weight format; with a logger the engine tells what it loads.
func ExampleOpenFS() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "seconds" || a.Key == "bytes" {
			return slog.Attr{} // what is not the same every time
		}
		return a
	}}))
	engine, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithThreads(1), mminfer.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	fmt.Println(engine.Info().Layers, "layers")
	// Output:
	// level=INFO msg="model loaded" type=mom parameters=6044144 format=auto state_bytes=629760
	// 6 layers
}

// A picture is read with the question about it. What was seen stays in the session, so that another
// question does not read it again.
func ExampleChat_Say_picture() {
	engine, err := mminfer.OpenFS(demo.FS, demo.Reader)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	data, err := os.ReadFile("demo/reader/pictures/colour_circle.png")
	if err != nil {
		log.Fatal(err)
	}
	picture, err := engine.Picture(data)
	if err != nil {
		log.Fatal(err)
	}
	chat, err := engine.NewSession().Chat(mminfer.Conversation{})
	if err != nil {
		log.Fatal(err)
	}
	for token, err := range chat.Say(context.Background(), "What colour is the circle?", engine.Defaults(), picture) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	fmt.Println(" in", picture.Info().Tokens, "tokens")
	// Output: red in 16 tokens
}
