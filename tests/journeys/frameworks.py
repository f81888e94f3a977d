"""LangChain's and LlamaIndex's OpenAI classes against the server at argv[1]; prints what they saw as JSON.

Runs in an environment of its own, where Weighbridge is not installed.
"""

import asyncio
import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

base_url = sys.argv[1]
seen = {}


@tool
def weather(place: str) -> str:
    """Return the weather of a place."""
    return f"rain in {place}"


chain = ChatOpenAI(base_url=base_url, api_key="unused", model="auto")
seen["langchain"] = chain.invoke("Hello?").content
seen["langchain_streamed"] = "".join(piece.content for piece in chain.stream("Hello?"))
seen["langchain_calls"] = [
    [call["id"], call["args"]] for call in chain.bind_tools([weather]).invoke("The weather?").tool_calls
]

first = chain.bind_tools([weather]).invoke("The weather?")
results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls]
seen["langchain_after_tools"] = chain.invoke([HumanMessage("The weather?"), first, *results]).content


class City(BaseModel):
    """A city."""

    name: str


seen["langchain_structured"] = chain.with_structured_output(City, method="json_schema").invoke("Where?").name
seen["langchain_async"] = asyncio.run(chain.ainvoke("Hello?")).content
# without this it would send numbers of tokens, which only OpenAI's own embedders read
vectors = OpenAIEmbeddings(
    base_url=base_url, api_key="unused", model="embedder", check_embedding_ctx_length=False
)
seen["langchain_vector"] = vectors.embed_query("Hello")

index = OpenAILike(
    api_base=base_url, api_key="unused", model="auto", is_chat_model=True, is_function_calling_model=True
)
asked = [ChatMessage(role="user", content="Hello?")]
seen["llama_index"] = index.chat(asked).message.content
seen["llama_index_streamed"] = "".join(piece.delta or "" for piece in index.stream_chat(asked))
# this class takes only names that it knows, and sends what stands beside
own = OpenAI(
    api_base=base_url, api_key="unused", model="gpt-4o", additional_kwargs={"model": "auto"}, max_retries=0
)
seen["llama_index_own"] = own.chat(asked).message.content

look = FunctionTool.from_defaults(lambda place: f"rain in {place}", name="weather", description="Weather.")
called = index.get_tool_calls_from_response(index.chat_with_tools([look], "The weather?"))
seen["llama_index_calls"] = [[call.tool_id, call.tool_kwargs] for call in called]
print(json.dumps(seen))
