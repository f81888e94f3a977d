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

const schema = {
  type: "json_schema",
  json_schema: { name: "x", strict: true, schema: { type: "object", properties: {}, additionalProperties: false } },
};
const picture = [
  { type: "text", text: "What is this?" },
  { type: "image_url", image_url: { url: "data:image/png;base64,aGVsbG8=" } },
];
const full = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: picture }],
  n: 2,
  stop: ["END"],
  logprobs: true,
  top_logprobs: 1,
  response_format: schema,
});
seen.choices = full.choices.map((choice) => [choice.message.content, choice.logprobs.content[0].token]);

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const called = await client.chat.completions.stream({ model: "auto", messages, tools }).finalChatCompletion();
seen.calls = called.choices[0].message.tool_calls.map((call) => [call.id, call.function.arguments]);

seen.response = (await client.responses.create({ model: "auto", input: "Hello?" })).output_text;
const events = client.responses.stream({ model: "auto", input: "The weather?", tools: [{ type: "function", ...tools[0].function }] });
seen.responseCalls = (await events.finalResponse()).output
  .filter((item) => item.type === "function_call")
  .map((item) => [item.call_id, item.arguments]);

const vectors = await client.embeddings.create({ model: "embedder", input: "Hello", encoding_format: "float" });
seen.vector = vectors.data[0].embedding;
seen.retried = (await client.chat.completions.create({ model: "auto", messages })).choices[0].message.content;

seen.models = (await client.models.list()).data.map((model) => model.id);

try {
  await client.chat.completions.create({ model: "nobody", messages });
} catch (error) {
  seen.error = [error.constructor.name, error.status, error.code, error.param];
}
const broken = await client.chat.completions.create({ model: "auto", messages, stream: true });
try {
  for await (const chunk of broken) seen.before = chunk.choices[0]?.delta?.content ?? seen.before;
} catch (error) {
  seen.broken = error.constructor.name;
}
console.log(JSON.stringify(seen));
