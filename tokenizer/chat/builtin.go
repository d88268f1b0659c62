package chat

// Builtin returns the template that a model's configuration names without carrying it. It knows
// "internlm2-chat", of mmMamba and the InternVL family. In place of the system message that all of
// their conversations begin with, it writes the variable system_message if there is one, or the
// conversation's own system message.
//
// A message's content is a string or a list of parts: {"type": "text", "text": ...}, and
// {"type": "image", "rows": n} for a picture that has n rows in the model: n times <IMG_CONTEXT>
// between <img> and </img>, and a line end. Without rows n is 1. Where a message has several
// pictures, each is numbered: "Image-1: ".
//
// Source: internlm2-chat in conversation.py, and chat in modeling_mmMamba_chat.py, of mmMamba
// (copy at SakodaShintaro/rl_practice@4a24797).
func Builtin(name string) (source string, ok bool) {
	if name != "internlm2-chat" {
		return "", false
	}
	return internlm2Chat, true
}

// An empty message is its role alone, without an end, except for the system message.
const internlm2Chat = `
{%- macro body(content) -%}
  {%- if content is string -%}
    {{- content -}}
  {%- elif content -%}
    {%- set ns = namespace(number=0) -%}
    {%- set pictures = content | selectattr('type', 'in', ['image', 'image_url']) | list | length -%}
    {%- for part in content -%}
      {%- if part.type == 'text' -%}
        {{- part.text -}}
      {%- elif part.type in ['image', 'image_url'] -%}
        {%- set ns.number = ns.number + 1 -%}
        {%- if pictures > 1 -%}{{- 'Image-' ~ ns.number ~ ': ' -}}{%- endif -%}
        {{- '<img>' ~ '<IMG_CONTEXT>' * (part.rows | default(1)) ~ '</img>\n' -}}
      {%- else -%}
        {{- raise_exception('a part of a message is of type ' ~ part.type ~ ', expected text or image') -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{{- bos_token | default('<s>') -}}
{%- set own = messages and messages[0].role == 'system' -%}
{{- '<|im_start|>system\n' -}}
{%- if own -%}
  {{- body(messages[0].content) -}}
{%- elif system_message is defined -%}
  {{- system_message -}}
{%- else -%}
  {{- '你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。' -}}
{%- endif -%}
{{- '<|im_end|>' -}}
{%- for message in messages[1 if own else 0:] -%}
  {%- if message.role not in ['user', 'assistant'] -%}
    {{- raise_exception('a message is of the role ' ~ message.role ~ ', expected user or assistant, and system for the first') -}}
  {%- endif -%}
  {%- set text = body(message.content) -%}
  {{- '<|im_start|>' ~ message.role ~ '\n' ~ text -}}
  {%- if text -%}{{- '<|im_end|>' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}`
