// OpenAI's Node SDK against the server at argv[2]; prints what it saw as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused", maxRetries: 1 });
const messages = [{ role: "user", content: "Hello?" }];
const seen = {};

seen.whole = (await client.chat.completions.create({ model: "auto", messages })).choices[0].message.content;

const stream = await client.chat.completions.create({
  model: "auto",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
seen.streamed = "";
for await (const chunk of stream) {
  seen.streamed += chunk.choices[0]?.delta?.content ?? "";
  seen.usage = chunk.usage ?? seen.usage;
}

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const called = await client.chat.completions.stream({ model: "auto", messages, tools }).finalChatCompletion();
seen.calls = called.choices[0].message.tool_calls.map((call) => [call.id, call.function.arguments]);

seen.response = (await client.responses.create({ model: "auto", input: "Hello?" })).output_text;
seen.models = (await client.models.list()).data.map((model) => model.id);

try {
  await client.chat.completions.create({ model: "nobody", messages });
} catch (error) {
  seen.error = [error.constructor.name, error.status, error.code, error.param];
}
console.log(JSON.stringify(seen));
