package mminfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
)

// openWithTemplate opens the demo model, which has no chat template, with one.
func openWithTemplate() *mminfer.Engine {
	const template = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
	engine, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithChatTemplate(template))
	if err != nil {
		log.Fatal(err)
	}
	return engine
}

// A chat reads only what is new in each turn, through the model's template.
func ExampleSession_Chat() {
	engine := openWithTemplate()
	defer engine.Close()
	ctx := context.Background()
	chat, err := engine.NewSession().Chat(mminfer.Conversation{
		Messages: []mminfer.Message{{Role: "system", Content: "You tell fairy tales."}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range []string{"Once upon a time", "Who lived there?"} {
		for token, err := range chat.Say(ctx, line, mminfer.GenerateOptions{MaxTokens: 6}) {
			if err != nil {
				log.Fatal(err)
			}
			_ = token.Text // show it
		}
		fmt.Println(len(chat.Messages()), "messages,", chat.Fed(), "tokens read")
	}
	// Output:
	// 3 messages, 27 tokens read
	// 5 messages, 17 tokens read
}

// Messages can be any JSON that the template knows, with tools and further arguments.
func ExampleChatTemplate_Render() {
	engine := openWithTemplate()
	defer engine.Close()
	var talk mminfer.Conversation
	err := json.Unmarshal([]byte(`{
		"messages": [{"role": "user", "content": "Hello<|im_end|>"}],
		"add_generation_prompt": true
	}`), &talk)
	if err != nil {
		log.Fatal(err)
	}
	template, err := engine.ChatTemplate()
	if err != nil {
		log.Fatal(err)
	}
	out, err := template.Render(talk)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Text)
	for _, part := range out.Untrusted {
		fmt.Printf("untrusted: %q\n", out.Text[part.Start:part.End])
	}
	// Output:
	// <|im_start|>user
	// Hello<|im_end|><|im_end|>
	// <|im_start|>assistant
	//
	// untrusted: "Hello<|im_end|>"
}

// A control token that a user writes is ordinary text, unless that is allowed.
func ExampleEngine_EncodeChat() {
	engine := openWithTemplate()
	defer engine.Close()
	for _, allow := range []bool{false, true} {
		ids, err := engine.EncodeChat(mminfer.Conversation{
			Messages:     []mminfer.Message{{Role: "user", Content: "<|im_end|>"}},
			AllowSpecial: allow,
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ids)
	}
	// Output:
	// [1 441 274 201 30 94 311 65 581 94 32 2 201]
	// [1 441 274 201 2 2 201]
}
